"""Images in a file that may be larger than memory: opened without being read, and read a part at a time.

Parts are read by their place in the file. A memory map would show the same bytes, but each page of it that was looked
at counts as memory of the process, so that after an epoch the whole file would.
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
from nnkernels.data.pixels import RULE, as_images
from nnkernels.errors import DataError, one_line

CONVERTED_IMAGES = 256  # at a time: what a file of wider numbers takes beside the images that it becomes


class _Layout(NamedTuple):
    """Where the values lie in a file, in C order."""

    start: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class ImageFile:
    """Images of an IDX file (plain, of unsigned bytes) or of an ``.npy`` file, any number of them.

    One rule says what the numbers of an ``.npy`` file are (:func:`nnkernels.transforms.as_images`), in whatever byte
    order: integers are pixels, must lie in 0..255 and are scaled by 1/255; floats and booleans are features and are
    taken as they are. Nothing stays open between two reads, so there is nothing to close, and threads may read at once.

    Parameters
    ----------
    path : str or PathLike
        The format is recognised by the content. Images are (N, D) or (N, height, width), an image after the other.

    Attributes
    ----------
    path : Path
    inputs : int
        D, or height times width.
    dtype : dtype
        What is read: uint8 pixels, whose features are ``X / 255``, or float32 features. A file of another dtype is
        converted as it is read.

    Raises
    ------
    DataError
        If the file is missing, truncated, too long, compressed, or no images of these forms.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        with _opened(self.path) as stream:
            layout = _layout(stream, self.path, 2, 3)
        if layout.dtype.kind not in "iufb":
            raise DataError(f"{self.path}: images are {layout.dtype.str}; expected integers or floats: {RULE}")
        if len(layout.shape) not in (2, 3) or 0 in layout.shape:
            raise DataError(
                f"{self.path}: images have shape {layout.shape}; expected (N, D) or (N, height, width), none of them 0"
            )
        self.inputs = math.prod(layout.shape[1:])
        self.dtype = np.dtype(np.uint8 if layout.dtype.kind in "iu" else np.float32)
        self._stored = layout.dtype
        self._images = layout.shape[0]
        self._start = layout.start

    def __len__(self) -> int:
        return self._images

    def read(self, start: int, stop: int, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
        """Return a copy of the images ``start`` to ``stop``, shape (stop - start, D).

        Parameters
        ----------
        start, stop : int
            ``0 <= start <= stop <= len(self)``.
        out : ndarray, optional
            C-contiguous, of that shape and of this dtype: memory to read into. Fresh memory costs more than reading.

        Raises
        ------
        DataError
            If there are no such images, a pixel is outside of 0..255, ``out`` is something else, or the file has been
            cut since it was opened.

        Warns
        -----
        UnscaledPixelsWarning
            If the integers that are read look like features: none is above 1.
        """
        if not 0 <= start <= stop <= len(self):
            raise DataError(f"{self.path}: has {len(self)} images; {start} to {stop} are not among them")
        shape = (stop - start, self.inputs)
        X = np.empty(shape, self.dtype) if out is None else out
        if X.shape != shape or X.dtype != self.dtype or not X.flags.c_contiguous:
            raise DataError(f"{self.path}: out is {X.dtype} of shape {X.shape}; expected {self.dtype} {shape}, C order")
        # Without the stream's own buffer, through which the bytes would otherwise be copied once more.
        with _opened(self.path, buffering=0) as stream:
            stream.seek(self._start + start * self.inputs * self._stored.itemsize)
            if self._stored == self.dtype:
                _fill(stream, self.path, X)
            else:
                self._convert(stream, start, X)
        return X

    def _convert(self, stream: IO[bytes], start: int, X: npt.NDArray[Any]) -> None:
        stored = np.empty((min(CONVERTED_IMAGES, len(X)), self.inputs), self._stored)
        for first in range(0, len(X), CONVERTED_IMAGES):
            part = X[first : first + CONVERTED_IMAGES]
            values = stored[: len(part)]
            _fill(stream, self.path, values)
            try:
                part[:] = values if self.dtype == np.float32 else as_images(values)
            except DataError as error:
                where = start + first
                raise DataError(f"{self.path}, images {where} to {where + len(part)}: {error}") from error


def read_labels(path: str | os.PathLike[str]) -> npt.NDArray[np.integer[Any]]:
    """Return the labels of an IDX file (plain or gzipped) or of an ``.npy`` file of integers, shape (N,).

    They are read whole: a byte an image, where they are stored in bytes.

    Raises
    ------
    DataError
        If the file is missing, damaged, or no labels of these forms.
    """
    path = Path(path)
    with _opened(path) as stream:
        magic = stream.read(len(npy.MAGIC_PREFIX))
        if magic != npy.MAGIC_PREFIX:
            return read_idx(path, 1)
        stream.seek(0)
        layout = _layout(stream, path, 1)
        if layout.dtype.kind not in "iu" or len(layout.shape) != 1:
            raise DataError(f"{path}: labels are {layout.dtype.str} of shape {layout.shape}; expected integers (N,)")
        labels = np.empty(layout.shape, layout.dtype)
        stream.seek(layout.start)
        _fill(stream, path, labels)
    return labels.astype(labels.dtype.newbyteorder("="), copy=False)


@contextmanager
def _opened(path: Path, buffering: int = -1) -> Iterator[IO[bytes]]:
    try:
        with open(path, "rb", buffering) as stream:
            yield stream
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _layout(stream: IO[bytes], path: Path, *dimensions: int) -> _Layout:
    start = stream.read(len(npy.MAGIC_PREFIX))
    stream.seek(0)
    if start.startswith(GZIP_MAGIC):
        raise DataError(f"{path}: gzipped, and so cannot be read from the middle; unpack it first (gunzip)")
    if start == npy.MAGIC_PREFIX:
        layout = _npy_layout(stream, path)
    else:
        shape = read_header(stream, path, *dimensions)
        layout = _Layout(stream.tell(), shape, np.dtype(np.uint8))
    expected = math.prod(layout.shape) * layout.dtype.itemsize
    found = stream.seek(0, os.SEEK_END) - layout.start
    if found < expected:
        raise DataError(f"{path}: truncated, {found} of the {expected} bytes that its header announces; fetch it again")
    if found > expected:
        raise DataError(f"{path}: longer than the {expected} bytes that its header announces")
    return layout


def _npy_layout(stream: IO[bytes], path: Path) -> _Layout:
    try:
        version = npy.read_magic(stream)
        read_array_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran_order, dtype = read_array_header(stream)
    except Exception as error:  # a damaged header can make NumPy raise nearly anything
        raise DataError(f"{path}: damaged .npy header ({one_line(error)}); write it again") from error
    if dtype.hasobject:
        raise DataError(f"{path}: holds Python objects, which are never unpickled; expected numbers")
    if min(shape, default=0) < 0:
        raise DataError(f"{path}: damaged .npy header (shape {shape}); write it again")
    if fortran_order:
        raise DataError(
            f"{path}: in Fortran order, where an image's pixels lie apart; write it again with "
            "np.save(path, np.ascontiguousarray(X))"
        )
    return _Layout(stream.tell(), shape, dtype)


def _fill(stream: IO[bytes], path: Path, values: npt.NDArray[Any]) -> None:
    rest = values.reshape(-1).view(np.uint8).data
    while len(rest):  # a system may give less at a time than was asked for
        count = stream.readinto(rest)  # type: ignore[attr-defined]
        if not count:
            raise DataError(f"{path}: ends {len(rest)} bytes early; it was longer when it was opened")
        rest = rest[count:]
