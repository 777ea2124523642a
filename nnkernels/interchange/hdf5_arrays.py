"""Reading the arrays of an HDF5 file, without following links to other files."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from nnkernels.errors import DataError, MissingDependencyError
from nnkernels.interchange.checks import MAX_BYTES
from nnkernels.interchange.narrow_floats import bfloat16_to_float32
from nnkernels.parameters import FloatArray

MAX_COMPRESSION = 1032  # of deflate, at most
_MAX_DEPTH = 16
_MAX_OBJECTS = 10_000


def hdf5_arrays(content: bytes, where: str) -> dict[str, FloatArray]:
    """Return the numeric arrays of an HDF5 file by path.

    Parameters
    ----------
    content : bytes
        The content of the file.
    where : str
        The name of the file, with which each error message begins.

    Returns
    -------
    arrays : dict of str to ndarray
        For example ``{"layers/dense/vars/0": ...}``.

    Raises
    ------
    DataError
        If the file contains links other than hard links, data of other files, or far more data than parameters need.
    MissingDependencyError
        If h5py is not installed.
    Exception
        Any exception of h5py on a damaged file.
    """
    with _opened(content) as file:
        arrays: dict[str, FloatArray] = {}
        total = 0
        for path, dataset in _datasets(file, "", where, [0], 0):
            total += math.prod(dataset.shape or (0,)) * dataset.dtype.itemsize
            if total > min(MAX_BYTES, MAX_COMPRESSION * len(content)):
                raise DataError(
                    f"{where}: declares arrays of {total} bytes or more, which a file of {len(content)} bytes cannot "
                    f"contain, or more than the {MAX_BYTES} bytes of a parameter file; save it again"
                )
            # The file has an address for each chunk. A million chunks of one number would need gigabytes of memory.
            chunks = dataset.shape and dataset.chunks
            if (
                chunks
                and math.prod(-(-n // size) for n, size in zip(dataset.shape, chunks, strict=True)) > len(content) // 8
            ):
                raise DataError(f"{where}: {path} is divided into more chunks than the file can contain; save it again")
            if dataset.dtype.kind in "fiuV" and dataset.shape is not None:
                arrays[path] = _numbers(dataset, f"{where}: {path}")
        return arrays


def hdf5_text(content: bytes, name: str) -> str | None:
    """Return a text that is an attribute of an HDF5 file.

    Parameters
    ----------
    content : bytes
        The content of the file.
    name : str
        The name of the attribute.

    Returns
    -------
    text : str or None
        None if the file has no such attribute.

    Raises
    ------
    MissingDependencyError
        If h5py is not installed.
    Exception
        Any exception of h5py on a damaged file.
    """
    with _opened(content) as file:
        text = file.attrs.get(name)
        return text.decode() if isinstance(text, bytes) else text if isinstance(text, str) else None


def _numbers(dataset: Any, where: str) -> FloatArray:
    if dataset.dtype.kind != "V":
        return np.asarray(dataset[()])
    # HDF5 has no bfloat16: Keras stores the bits, and names the type in an attribute.
    if dataset.dtype.str == "|V2" and dataset.attrs.get("dtype") == "bfloat16":
        return bfloat16_to_float32(np.asarray(dataset[()]).view(np.uint16))
    raise DataError(f"{where} has a type that the file does not name ({dataset.dtype}); save the weights as float32")


def _opened(content: bytes) -> Any:
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise MissingDependencyError("An HDF5 file", error.name or "h5py", "keras") from error
    return h5py.File(io.BytesIO(content), "r")


def _datasets(group: Any, prefix: str, where: str, count: list[int], depth: int) -> Iterator[tuple[str, Any]]:
    import h5py

    for name in group:
        path = f"{prefix}{name}"
        count[0] += 1
        if depth > _MAX_DEPTH or count[0] > _MAX_OBJECTS:  # hard links can form cycles
            raise DataError(f"{where}: has more groups than a model of two dense layers; save only its weights")
        if type(group.get(name, getlink=True)) is not h5py.HardLink:
            raise DataError(f"{where}: {path} is a link to another place or file, which is not followed; save it again")
        child = group[name]
        if isinstance(child, h5py.Group):
            yield from _datasets(child, f"{path}/", where, count, depth + 1)
        elif isinstance(child, h5py.Dataset):
            if child.is_virtual or child.external is not None:
                raise DataError(f"{where}: {path} takes its data from other files, which are not read; save it again")
            yield path, child
