"""Array forms that represent the same numbers: byte order, dtype, memory order, strides, memory maps."""

from __future__ import annotations

import numpy as np


def big_endian(array, _folder):
    return array.astype(array.dtype.newbyteorder(">"))


def fortran(array, _folder):
    return np.asfortranarray(array)


def backwards(array, _folder):
    """Return a view whose strides are all negative."""
    flip = (slice(None, None, -1),) * array.ndim
    return np.ascontiguousarray(array[flip])[flip]


def sliced(array, _folder):
    """Return a view of every second entry of a wider array, whose other entries are different numbers."""
    wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), 77, array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def memory_map(array, folder, mode="r"):
    path = folder / f"{np.random.default_rng().integers(2**60)}.npy"
    np.save(path, array)
    return np.load(path, mmap_mode=mode)


def fortran_memory_map(array, folder):
    return memory_map(np.asfortranarray(array), folder)


def copy_on_write_map(array, folder):
    """Return a writable memory map, for which Numba does not have to recompile."""
    return memory_map(array, folder, "c")


def fortran_copy_on_write_map(array, folder):
    return copy_on_write_map(np.asfortranarray(array), folder)


# Forms that keep the dtype, except that `big_endian` changes its byte order.
LAYOUTS = {form.__name__: form for form in (fortran, backwards, sliced, memory_map, fortran_memory_map)}
SAME_NUMBERS = {"big_endian": big_endian, **LAYOUTS}
WRITABLE = {"memory_map": copy_on_write_map, "fortran_memory_map": fortran_copy_on_write_map}


def in_dtype(dtype):
    return lambda array, _folder: array.astype(dtype)


# Forms of features that float16 represents exactly.
FEATURES = {
    **SAME_NUMBERS,
    "float16": in_dtype(np.float16),
    "big_endian_float16": in_dtype(">f2"),
    "float64": in_dtype(np.float64),
    "big_endian_float64": in_dtype(">f8"),
    "fortran_float64": lambda array, _folder: np.asfortranarray(array, np.float64),
    "longdouble": in_dtype(np.longdouble),
}
# Forms of uint8 pixels.
PIXELS = {
    **LAYOUTS,
    "int64": in_dtype(np.int64),
    "int16": in_dtype(np.int16),
    "big_endian_uint16": in_dtype(">u2"),
    "fortran_int32": lambda array, _folder: np.asfortranarray(array, np.int32),
}
