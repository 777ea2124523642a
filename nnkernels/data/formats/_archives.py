"""The arrays of a NumPy archive, read without unpickling."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from nnkernels.data.formats._files import ZIP_START, File
from nnkernels.data.idx import MAX_BYTES
from nnkernels.errors import DataError, one_line

Shapes = dict[str, tuple[int, ...]]
MAX_ARRAYS = 64


@lru_cache(maxsize=64)
def array_shapes(file: File) -> Shapes:
    """Return the shapes of the arrays of an archive or of a single array (``""``). Empty if the file has none.

    Parameters
    ----------
    file : File
        Any file.

    Returns
    -------
    shapes : dict of str to tuple of int
        The shape of each array by its key.

    Raises
    ------
    DataError
        If an array contains Python objects.
    """
    start = file.head[: len(npy.MAGIC_PREFIX)]
    try:
        if start == npy.MAGIC_PREFIX:
            return {"": npy_shape(file)}
        if not start.startswith(ZIP_START):
            return {}
        with _archive(file) as archive:
            keys = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
            return {key: _member_header(archive, file.where, key)[0] for key in keys[:MAX_ARRAYS]}
    except DataError as error:
        if "never unpickled" in str(error):
            raise
        return {}


def npy_shape(file: File) -> tuple[int, ...]:
    """Return the shape of a single array.

    Parameters
    ----------
    file : File
        An ``.npy`` file.

    Returns
    -------
    shape : tuple of int
        The shape that its header declares.

    Raises
    ------
    DataError
        If the header is damaged.
    """
    with _readable(file), file.open() as stream:
        return _header(stream)[0]


@contextmanager
def open_arrays(file: File) -> Iterator[Callable[[str], npt.NDArray[Any]]]:
    """Yield a function that reads an array of the file by its key.

    Parameters
    ----------
    file : File
        An ``.npy`` or ``.npz`` file.

    Yields
    ------
    read_array : callable
        ``read_array(key) -> ndarray``. A single array has any key.

    Raises
    ------
    DataError
        If the file is damaged, or if an array is missing or contains Python objects.
    """
    if file.head.startswith(npy.MAGIC_PREFIX):
        with _readable(file):
            yield lambda _key: _read_npy(file)
        return
    with _archive(file) as archive:
        yield lambda key: read_member(archive, file.where, key)


def read_member(archive: zipfile.ZipFile, where: str, key: str) -> npt.NDArray[Any]:
    """Read an array of a NumPy archive, without unpickling.

    Unlike ``np.load``, this compares the header with the size of the archive member before it allocates memory.

    Parameters
    ----------
    archive : zipfile.ZipFile
        The archive.
    where : str
        The name of the file, for error messages.
    key : str
        The name of the array.

    Returns
    -------
    array : ndarray
        The array.

    Raises
    ------
    DataError
        If the array is missing, contains Python objects, or declares more than the archive contains.
    """
    if f"{key}.npy" not in archive.namelist():
        found = ", ".join(archive.namelist()[:10]) or "nothing"
        raise DataError(f"{where}: has no array {key}; it contains {found}")
    size = archive.getinfo(f"{key}.npy").file_size
    shape, dtype = _member_header(archive, where, key)
    if max(math.prod(shape) * dtype.itemsize, *shape, 0) > min(size, MAX_BYTES):
        raise DataError(f"{where}: {key} declares the shape {shape}, but has only {size} bytes; download it again")
    with archive.open(f"{key}.npy") as stream:
        return npy.read_array(stream, allow_pickle=False)


def _member_header(archive: zipfile.ZipFile, where: str, key: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the shape and the dtype of an array of a NumPy archive."""
    with archive.open(f"{key}.npy") as stream:
        shape, _fortran_order, dtype = _header(stream)
    if dtype.hasobject:
        raise DataError(f"{where}: {key} contains Python objects, which are never unpickled; expected integers")
    return shape, dtype


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the shape, the memory order and the dtype of an array."""
    version = npy.read_magic(stream)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran_order, dtype = read_header(stream)
    return shape, fortran_order, dtype


def _read_npy(file: File) -> npt.NDArray[Any]:
    with file.open() as stream:
        shape, fortran_order, dtype = _header(stream)
        if dtype.hasobject:
            raise DataError(f"{file.where}: contains Python objects, which are never unpickled; expected numbers")
        # Grows as bytes arrive, so that a false header cannot cause a huge allocation.
        expected, content = int(np.prod(shape, dtype=object)) * dtype.itemsize, bytearray()
        while len(content) < expected and (chunk := stream.read(min(2**22, expected - len(content)))):
            content += chunk
    if len(content) < expected:
        raise DataError(f"{file.where}: truncated, {len(content)} of the {expected} bytes that its header declares")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran_order else "C")


@contextmanager
def _archive(file: File) -> Iterator[zipfile.ZipFile]:
    with _readable(file), file.open_seekable() as stream, zipfile.ZipFile(stream) as archive:
        yield archive


@contextmanager
def _readable(file: File) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # a damaged archive can make zipfile and NumPy raise nearly anything
        raise DataError(f"{file.where}: not a NumPy archive of plain arrays ({one_line(error)})") from error
