"""The one rule of scaling, wherever images enter: integers are pixels, floats are features."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.errors import DataError

PIXEL_SCALE = 1 / 255
HIGHEST_PIXEL = 255
UINT8 = np.dtype(np.uint8)  # comparing with the type itself makes a dtype of it each time
RULE = (
    "integers are pixels from 0 to 255 and are scaled by 1/255; floats and booleans are features and are taken as they "
    "are"
)

# Features that are scaled, to [0, 1] or to unit variance, hardly exceed this. Pixels lie on both sides of it.
LARGE_FEATURE = 16
SAMPLE = 64  # images by which the common case, features that are scaled, is recognised

_PACKAGE = __name__.partition(".")[0]


class UnscaledPixelsWarning(UserWarning):
    """The dtype of the images says one thing about their scale, and their values another."""


def as_images(X: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return images in a form that everything in this package reads: uint8 pixels or float features.

    Integers are pixels. They must lie in 0..255, and become uint8; :func:`as_features` scales them by 1/255. Floats
    and booleans are features and keep their values: float16 and booleans become float32, long doubles float64.

    Parameters
    ----------
    X : array-like, shape (N, D)
        Of integers, floats or booleans, in any byte order, memory order and strides; a memory map too.

    Returns
    -------
    ndarray of uint8, float32 or float64, shape (N, D), C-contiguous
        In the byte order of the machine. An array that is so already is not copied.

    Raises
    ------
    DataError
        If ``X`` is not two-dimensional, has another dtype, or has an integer outside of 0..255.

    Warns
    -----
    UnscaledPixelsWarning
        If floats look like pixels (all in 0..255, some below 16 and some above), or integers like features (none
        above 1).
    """
    images = np.asarray(X)
    if images.ndim != 2:
        raise DataError(f"images have shape {images.shape}; expected (N, D), one image a row")
    kind = images.dtype.kind
    if images.dtype == UINT8:
        return np.ascontiguousarray(images)
    if kind in "iu":
        return _pixels(images)
    if kind == "b":
        return np.ascontiguousarray(images, np.float32)
    if kind != "f":
        raise DataError(f"images have dtype {images.dtype}; expected integers or floats: {RULE}")
    features = np.ascontiguousarray(images, np.float32 if images.dtype.itemsize <= 4 else np.float64)
    _warn_of_pixels(features)
    return features


def as_features(X: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> npt.NDArray[Any]:
    """Return the network's input: pixels become ``X * PIXEL_SCALE``, features stay as they are; see :func:`as_images`.

    Parameters
    ----------
    X : array-like, shape (N, D)
    dtype : dtype
        float32 or float64, of the result.

    Returns
    -------
    ndarray, shape (N, D), C-contiguous
        A float ``X`` that already has the dtype and memory order is returned itself, not copied.

    Raises
    ------
    DataError
        As :func:`as_images` does.

    Warns
    -----
    UnscaledPixelsWarning
        As :func:`as_images` does.
    """
    images = np.asarray(X)
    if images.dtype != UINT8 or images.ndim != 2:  # pixels in any layout need no look: a prediction is microseconds
        images = as_images(images)
    if images.dtype == UINT8:
        features: npt.NDArray[Any] = np.multiply(images, PIXEL_SCALE, dtype=dtype, order="C")
        return features
    return np.ascontiguousarray(images, dtype=dtype)


def feature_scale(X: npt.NDArray[Any]) -> float:
    """Return the factor by which :func:`as_features` multiplies ``X``."""
    return PIXEL_SCALE if X.dtype.kind in "iu" else 1.0


def _pixels(images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if images.size:
        lowest, highest = images.min(), images.max()
        if lowest < 0 or highest > HIGHEST_PIXEL:
            raise DataError(
                f"images are {images.dtype} from {lowest} to {highest}, but {RULE}. Divide pixels of another range by "
                "their largest possible value; convert features to floats: X.astype(np.float32)"
            )
        if highest == 1:
            _warn(
                f"integer images have no value above 1, but {RULE}. If they are features of 0 and 1, convert them: "
                "X.astype(np.float32)"
            )
    return np.ascontiguousarray(images, np.uint8)


def _warn_of_pixels(features: npt.NDArray[Any]) -> None:
    # A few images decide, because this is looked at in every prediction. NaN compares as false.
    sample = features[:: len(features) // SAMPLE + 1]
    if not (sample.size and sample.max() > LARGE_FEATURE):
        return
    if 0 <= features.min() < LARGE_FEATURE and features.max() <= HIGHEST_PIXEL:
        _warn(
            f"float images lie between 0 and 255, and some values are above {LARGE_FEATURE}: they look like pixels "
            f"that are not scaled, but {RULE}. If they are pixels, divide them by 255, or convert them: "
            "X.astype(np.uint8)"
        )


def _warn(message: str) -> None:
    # At the caller's line outside of this package, so that Python shows the warning once, however often we look.
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, UnscaledPixelsWarning, stacklevel=level)
