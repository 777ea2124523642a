"""Reader and writer of IDX files, the format in which MNIST was published, plain or gzipped."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from nnkernels.data.dataset import ByteArray
from nnkernels.errors import DataError

UNSIGNED_BYTE, INT32 = 0x08, 0x0C
GZIP_MAGIC = b"\x1f\x8b"
CHUNK_BYTES = 2**22
MAX_BYTES = 2**31  # far above MNIST's 47 MB: a header with a larger size is damaged


def read_idx(path: Path, dimensions: int) -> ByteArray:
    """Read an IDX file of unsigned bytes.

    The header is checked first, and no more bytes are read than it declares.

    Parameters
    ----------
    path : Path
        The file. Gzip is recognised by content, not by suffix.
    dimensions : int
        The expected number of dimensions: 3 for images, 1 for labels.

    Returns
    -------
    values : ndarray of uint8
        Writable, of the shape that the header declares.

    Raises
    ------
    DataError
        If the file is missing, unreadable, truncated, too long, or not an IDX file of unsigned bytes.

    References
    ----------
    Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits", section "File formats".
    """
    try:
        with open(path, "rb") as raw:
            is_gzip = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            if not is_gzip:
                return read_values(raw, path, dimensions)
            with gzip.open(raw) as stream:
                return read_values(stream, path, dimensions)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged gzip file ({error}); download it again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def read_header(stream: IO[bytes] | gzip.GzipFile, path: Path | str, *dimensions: int) -> tuple[int, ...]:
    """Read the header of an IDX file of unsigned bytes, and return the shape that it declares.

    Parameters
    ----------
    stream : binary file object
        Positioned at the beginning of the file. Afterwards it is positioned at the first value.
    path : Path or str
        The name of the file, for error messages.
    *dimensions : int
        The allowed numbers of dimensions.

    Returns
    -------
    shape : tuple of int
        The declared shape.

    Raises
    ------
    DataError
        If the header is truncated, or has another type or number of dimensions.
    """
    header = stream.read(4)
    if len(header) < 4:
        raise DataError(f"{path}: is {len(header)} bytes long; an IDX header alone has {4 + 4 * max(dimensions)}")
    if header[:2] != b"\0\0" or header[2] != UNSIGNED_BYTE:
        raise DataError(f"{path}: starts with {header.hex()}; an IDX file of unsigned bytes starts with 000008")
    if header[3] not in dimensions:
        expected = " or ".join(map(str, dimensions))
        raise DataError(f"{path}: has {header[3]} dimensions; expected {expected} (3 for images, 1 for labels)")
    sizes = stream.read(4 * header[3])
    if len(sizes) < 4 * header[3]:
        raise DataError(f"{path}: truncated within its header; download it again")
    return struct.unpack(f">{header[3]}I", sizes)


def read_values(stream: IO[bytes] | gzip.GzipFile, path: Path | str, dimensions: int) -> ByteArray:
    """Read the unsigned bytes of an IDX file from a stream.

    Parameters
    ----------
    stream : binary file object
        Positioned at the beginning of the file.
    path : Path or str
        The name of the file, for error messages.
    dimensions : int
        The expected number of dimensions.

    Returns
    -------
    values : ndarray of uint8
        Writable, of the shape that the header declares.

    Raises
    ------
    DataError
        As for :func:`read_idx`.
    """
    shape = read_header(stream, path, dimensions)
    return _read_bytes(stream, path, shape, 1).reshape(shape)


def read_extended_labels(stream: IO[bytes] | gzip.GzipFile, path: Path | str) -> npt.NDArray[np.int32]:
    """Read QMNIST's labels from a stream: an IDX file of 32-bit integers with one row of properties per image.

    Parameters
    ----------
    stream : binary file object
        Positioned at the beginning of the file.
    path : Path or str
        The name of the file, for error messages.

    Returns
    -------
    properties : ndarray of int32, shape (N, K)
        The class of each image is in column 0.

    Raises
    ------
    DataError
        If the file is truncated, too long, or has another type or number of dimensions.
    """
    header = stream.read(12)
    if len(header) < 12 or header[:4] != bytes((0, 0, INT32, 2)):
        raise DataError(f"{path}: starts with {header[:4].hex()}; QMNIST's labels start with 00000c02")
    shape = struct.unpack(">2I", header[4:])
    if shape[1] < 1:
        raise DataError(f"{path}: the header declares the shape {shape}; expected at least one column")
    return _read_bytes(stream, path, shape, 4).view(">i4").astype(np.int32).reshape(shape)


def _read_bytes(stream: IO[bytes] | gzip.GzipFile, path: Path | str, shape: tuple[int, ...], size: int) -> ByteArray:
    expected = math.prod(shape) * size
    if max(expected, *shape) > MAX_BYTES:
        raise DataError(f"{path}: the header declares the shape {shape}, {expected} bytes; the limit is {MAX_BYTES}")
    # Grow the buffer as bytes arrive, so that a damaged header cannot cause a huge allocation.
    content = bytearray()
    while len(content) < expected and (chunk := stream.read(min(CHUNK_BYTES, expected - len(content)))):
        content += chunk
    if len(content) < expected:
        raise DataError(
            f"{path}: truncated, {len(content)} of the {expected} bytes that its header declares; download it again"
        )
    if stream.read(1):
        raise DataError(f"{path}: longer than the {expected} bytes that its header declares; download it again")
    return np.frombuffer(content, np.uint8)


def write_idx(path: Path, values: ByteArray) -> None:
    """Write unsigned bytes as an uncompressed IDX file, atomically.

    Parameters
    ----------
    path : Path
        The file. It is replaced only when the new content is complete.
    values : ndarray of uint8
        Values of any shape.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    header = struct.pack(f">4B{values.ndim}I", 0, 0, UNSIGNED_BYTE, values.ndim, *values.shape)
    with open(temporary, "wb") as stream:
        stream.write(header)
        stream.write(np.ascontiguousarray(values).data)
    os.replace(temporary, path)
