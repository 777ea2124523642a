"""Arrays of images and labels as files store them, converted to uint8 pixels and to integer labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.data.dataset import MAX_CLASSES, PIXELS, ByteArray
from nnkernels.errors import DataError

SIDE = 28
IMAGE_SHAPES = ((SIDE, SIDE), (PIXELS,), (SIDE, SIDE, 1), (1, SIDE, SIDE))
EXPECTED = "expected images of 28 x 28 grey pixels, of shape (N, 28, 28) or (N, 784)"


def is_image_shape(shape: tuple[int, ...]) -> bool:
    """Return whether an array of this shape contains images of any size, not labels.

    Parameters
    ----------
    shape : tuple of int
        The shape.

    Returns
    -------
    is_image_shape : bool
        Whether it has three axes or more, or long rows.
    """
    return len(shape) >= 3 or (len(shape) == 2 and shape[1] >= 64)


def as_pixels(values: npt.NDArray[Any], where: str) -> ByteArray:
    """Convert images to uint8 pixels: integers from 0 to 255, booleans, or floats that stand for such pixels.

    Parameters
    ----------
    values : ndarray, shape (N, 28, 28), (N, 784), (N, 28, 28, 1) or (N, 1, 28, 28)
        Images. Booleans become 0 and 255. Floats must be integers, or integers divided by 255.
    where : str
        The name of the array, for error messages.

    Returns
    -------
    X : ndarray of uint8, shape (N, 784)
        Pixels.

    Raises
    ------
    DataError
        If the images have another shape, dtype or range.
    """
    shape, dtype = values.shape, values.dtype
    if len(shape) == 4 and shape[-1] in (3, 4):
        raise DataError(f"{where}: has colour images of shape {shape}; {EXPECTED}")
    if shape[1:] not in IMAGE_SHAPES:
        raise DataError(f"{where}: images have dtype {dtype} and shape {shape}; {EXPECTED}")
    flat = values.reshape(-1, PIXELS)
    if dtype == np.uint8:
        return np.ascontiguousarray(flat)
    if dtype.kind == "b":
        return flat.astype(np.uint8) * np.uint8(255)
    if dtype.kind not in "iuf" or not flat.size:
        raise DataError(f"{where}: images have dtype {dtype} and shape {shape}; expected integers from 0 to 255")
    low, high = flat.min(), flat.max()
    if not (low >= 0 and high <= 255):  # NaN is neither
        raise DataError(f"{where}: images have dtype {dtype} and values from {low} to {high}; expected 0 to 255")
    if dtype.kind in "iu":
        return flat.astype(np.uint8)
    scale = 255 if high <= 1 else 1
    return _rounded(flat, scale, high, where)


def _rounded(flat: npt.NDArray[Any], scale: int, high: float, where: str) -> ByteArray:
    """Convert floats that are integers, or pixels divided by 255; other floats are features, not pixels."""
    pixels = np.empty(flat.shape, np.uint8)
    for start in range(0, len(flat), 4096):  # bounds the memory of the conversion
        scaled = flat[start : start + 4096] * scale
        whole = np.rint(scaled)
        if not high > 0 or np.abs(scaled - whole).max() > (0.3 if scale == 255 else 0):
            raise DataError(
                f"{where}: images have dtype {flat.dtype} and values up to {high:g} that are neither integers from 0 "
                "to 255 nor pixels divided by 255; save the integer pixels"
            )
        pixels[start : start + 4096] = whole
    return pixels


def as_labels(values: npt.NDArray[Any], where: str) -> npt.NDArray[np.int64]:
    """Convert labels of shape (N,) or (N, 1) to integers.

    Parameters
    ----------
    values : ndarray of integers, shape (N,) or (N, 1)
        Labels.
    where : str
        The name of the array, for error messages.

    Returns
    -------
    y : ndarray of int64, shape (N,)
        Labels.

    Raises
    ------
    DataError
        If the labels have another shape or dtype, or are no classes.
    """
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2:
        raise DataError(
            f"{where}: labels have dtype {values.dtype} and shape {values.shape}, several values per image (one-hot or "
            "multi-label); expected one class per image: labels.argmax(axis=1) converts one-hot labels"
        )
    if values.ndim != 1 or values.dtype.kind not in "iub":
        raise DataError(
            f"{where}: labels have dtype {values.dtype} and shape {values.shape}; expected integers of shape (N,)"
        )
    if values.size and (values.min() < 0 or values.max() > MAX_CLASSES):
        raise DataError(
            f"{where}: labels range from {values.min()} to {values.max()}; expected classes from 0 to {MAX_CLASSES - 1}"
        )
    return values.astype(np.int64)
