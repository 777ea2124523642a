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

from nnkernels.data.dataset import ByteArray
from nnkernels.errors import DataError

UNSIGNED_BYTE = 0x08
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
                return _read_stream(raw, path, dimensions)
            with gzip.open(raw) as stream:
                return _read_stream(stream, path, dimensions)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged gzip file ({error}); download it again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def read_header(stream: IO[bytes] | gzip.GzipFile, path: Path, *dimensions: int) -> tuple[int, ...]:
    """Read the header of an IDX file of unsigned bytes, and return the shape that it declares.

    Parameters
    ----------
    stream : binary file object
        Positioned at the beginning of the file. Afterwards it is positioned at the first value.
    path : Path
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


def _read_stream(stream: IO[bytes] | gzip.GzipFile, path: Path, dimensions: int) -> ByteArray:
    shape = read_header(stream, path, dimensions)
    expected = math.prod(shape)
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
    return np.frombuffer(content, np.uint8).reshape(shape)


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
