"""Image files that may be larger than memory: opened without being read, and read a range of images at a time.

Ranges are read by file offset. With a memory map, every page that was accessed would count as memory of the process,
so after an epoch the process would appear to use as much memory as the whole file.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from nnkernels.data.idx import GZIP_MAGIC, read_header, read_idx
from nnkernels.data.pixels import DTYPE_RULE, as_images
from nnkernels.errors import DataError, one_line

CONVERSION_BATCH = 256  # images converted at a time; bounds the extra memory for files of another dtype


class _Layout(NamedTuple):
    """Where the values of a file begin, and their shape and dtype, in C order."""

    start: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class ImageFile:
    """The images of an IDX file (uncompressed, of unsigned bytes) or of an ``.npy`` file, of any size.

    The rule of :func:`nnkernels.transforms.as_images` applies to ``.npy`` files, in any byte order: integers are
    pixels, must lie in 0..255 and are scaled by 1/255 later; floats and booleans are features and keep their values.
    The file is opened for each read, so there is nothing to close, and several threads may read at the same time.

    Parameters
    ----------
    path : str or PathLike
        The file, whose format is recognised by content. Its array has the shape (N, D) or (N, height, width).

    Attributes
    ----------
    path : Path
        The file.
    inputs : int
        Numbers per image: D, or height times width.
    dtype : dtype
        The dtype of the images that :meth:`read` returns: uint8 pixels, whose features are ``X / 255``, or float32
        features. Files of another dtype are converted while they are read.

    Raises
    ------
    DataError
        If the file is missing, truncated, too long or compressed, or does not contain images.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        with _open_binary(self.path) as stream:
            layout = _layout(stream, self.path, 2, 3)
        if layout.dtype.kind not in "iufb":
            raise DataError(
                f"{self.path}: images have dtype {layout.dtype.str}; expected integers or floats: {DTYPE_RULE}"
            )
        if len(layout.shape) not in (2, 3) or 0 in layout.shape:
            raise DataError(
                f"{self.path}: images have shape {layout.shape}; expected (N, D) or (N, height, width), "
                "all sizes at least 1"
            )
        self.inputs = math.prod(layout.shape[1:])
        self.dtype = np.dtype(np.uint8 if layout.dtype.kind in "iu" else np.float32)
        self._stored = layout.dtype
        self._images = layout.shape[0]
        self._start = layout.start

    def __len__(self) -> int:
        return self._images

    def read(self, start: int, stop: int, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
        """Read the images ``start`` to ``stop``, the end excluded.

        Parameters
        ----------
        start, stop : int
            The range of images, with ``0 <= start <= stop <= len(self)``.
        out : ndarray of `dtype`, shape (stop - start, D), optional
            C-contiguous buffer to read into. Reusing a buffer avoids page faults, which cost more than the read itself.

        Returns
        -------
        X : ndarray of `dtype`, shape (stop - start, D)
            The images; ``out`` if it is given.

        Raises
        ------
        DataError
            If the range is out of bounds, a pixel is outside 0..255, ``out`` has the wrong form, or the file was
            truncated after it had been opened.

        Warns
        -----
        UnscaledPixelsWarning
            If the integers that are read look like binary features: none is above 1.
        """
        if not 0 <= start <= stop <= len(self):
            raise DataError(f"{self.path}: has {len(self)} images; the range {start} to {stop} is out of bounds")
        shape = (stop - start, self.inputs)
        X = np.empty(shape, self.dtype) if out is None else out
        if X.shape != shape or X.dtype != self.dtype or not X.flags.c_contiguous:
            raise DataError(
                f"{self.path}: out has dtype {X.dtype} and shape {X.shape}; "
                f"expected a C-contiguous {self.dtype} array of shape {shape}"
            )
        # Unbuffered, because a buffered stream would copy the bytes once more.
        with _open_binary(self.path, buffering=0) as stream:
            stream.seek(self._start + start * self.inputs * self._stored.itemsize)
            if self._stored == self.dtype:
                _read_into(stream, self.path, X)
            else:
                self._convert(stream, start, X)
        return X

    def _convert(self, stream: IO[bytes], start: int, X: npt.NDArray[Any]) -> None:
        stored = np.empty((min(CONVERSION_BATCH, len(X)), self.inputs), self._stored)
        for first in range(0, len(X), CONVERSION_BATCH):
            part = X[first : first + CONVERSION_BATCH]
            values = stored[: len(part)]
            _read_into(stream, self.path, values)
            try:
                part[:] = values if self.dtype == np.float32 else as_images(values)
            except DataError as error:
                offset = start + first
                raise DataError(f"{self.path}, images {offset} to {offset + len(part)}: {error}") from error


def read_labels(path: str | os.PathLike[str]) -> npt.NDArray[np.integer[Any]]:
    """Read all labels of an IDX file (plain or gzipped) or of an ``.npy`` file of integers.

    Parameters
    ----------
    path : str or PathLike
        The file, whose format is recognised by content.

    Returns
    -------
    y : ndarray of integers, shape (N,)
        The labels, in native byte order.

    Raises
    ------
    DataError
        If the file is missing or damaged, or does not contain labels.
    """
    path = Path(path)
    with _open_binary(path) as stream:
        magic = stream.read(len(npy.MAGIC_PREFIX))
        if magic != npy.MAGIC_PREFIX:
            return read_idx(path, 1)
        stream.seek(0)
        layout = _layout(stream, path, 1)
        if layout.dtype.kind not in "iu" or len(layout.shape) != 1:
            raise DataError(f"{path}: labels have dtype {layout.dtype.str} and shape {layout.shape}; expected integers")
        labels = np.empty(layout.shape, layout.dtype)
        stream.seek(layout.start)
        _read_into(stream, path, labels)
    return labels.astype(labels.dtype.newbyteorder("="), copy=False)


@contextmanager
def _open_binary(path: Path, buffering: int = -1) -> Iterator[IO[bytes]]:
    try:
        with open(path, "rb", buffering) as stream:
            yield stream
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _layout(stream: IO[bytes], path: Path, *dimensions: int) -> _Layout:
    start = stream.read(len(npy.MAGIC_PREFIX))
    stream.seek(0)
    if start.startswith(GZIP_MAGIC):
        raise DataError(f"{path}: gzipped, which allows no random access; unpack it first (gunzip)")
    if start == npy.MAGIC_PREFIX:
        layout = _npy_layout(stream, path)
    else:
        shape = read_header(stream, path, *dimensions)
        layout = _Layout(stream.tell(), shape, np.dtype(np.uint8))
    expected = math.prod(layout.shape) * layout.dtype.itemsize
    found = stream.seek(0, os.SEEK_END) - layout.start
    if found < expected:
        raise DataError(f"{path}: truncated, {found} of the {expected} bytes that its header declares; write it again")
    if found > expected:
        raise DataError(f"{path}: longer than the {expected} bytes that its header declares; write it again")
    return layout


def _npy_layout(stream: IO[bytes], path: Path) -> _Layout:
    try:
        version = npy.read_magic(stream)
        read_array_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran_order, dtype = read_array_header(stream)
    except Exception as error:  # a damaged header can make NumPy raise nearly anything
        raise DataError(f"{path}: damaged .npy header ({one_line(error)}); write it again") from error
    if dtype.hasobject:
        raise DataError(f"{path}: contains Python objects, which are never unpickled; expected numbers")
    if min(shape, default=0) < 0:
        raise DataError(f"{path}: damaged .npy header (shape {shape}); write it again")
    if fortran_order:
        raise DataError(
            f"{path}: in Fortran order, so the pixels of an image are not contiguous; write it again with "
            "np.save(path, np.ascontiguousarray(X))"
        )
    return _Layout(stream.tell(), shape, dtype)


def _read_into(stream: IO[bytes], path: Path, values: npt.NDArray[Any]) -> None:
    remaining = values.reshape(-1).view(np.uint8).data
    while len(remaining):  # a read may return fewer bytes than requested
        count = stream.readinto(remaining)  # type: ignore[attr-defined]
        if not count:
            raise DataError(f"{path}: ends {len(remaining)} bytes early; it was truncated after it had been opened")
        remaining = remaining[count:]
