"""Conversion of images to network inputs: integers are scaled as pixels, floats are used as features."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.errors import DataError, warn_caller

PIXEL_SCALE = 1 / 255
MAX_PIXEL = 255
UINT8 = np.dtype(np.uint8)  # comparing with np.uint8 itself would create a dtype object each time
DTYPE_RULE = (
    "integers are pixels from 0 to 255 and are scaled by 1/255; floats and booleans are features and are used unchanged"
)

# Features scaled to [0, 1] or to unit variance rarely exceed this value. Pixels lie on both sides of it.
LARGE_FEATURE = 16
SAMPLE_SIZE = 64  # images that are checked first, to recognise scaled features quickly


class UnscaledPixelsWarning(UserWarning):
    """The dtype and the values of images suggest different scales."""


def as_images(X: npt.ArrayLike) -> npt.NDArray[Any]:
    """Convert images to uint8 pixels or float features.

    Integers are pixels. They must lie in 0..255 and become uint8; :func:`as_features` scales them by 1/255. Floats and
    booleans are features and keep their values: float16 and booleans become float32, and long doubles become float64.

    Parameters
    ----------
    X : array-like of integers, floats or booleans, shape (N, D)
        One image per row, in any byte order, memory order and strides. Memory maps are accepted.

    Returns
    -------
    images : ndarray of uint8, float32 or float64, shape (N, D)
        C-contiguous and in native byte order. ``X`` itself if it already has this form.

    Raises
    ------
    DataError
        If ``X`` is not two-dimensional, has another dtype, or has an integer outside 0..255.

    Warns
    -----
    UnscaledPixelsWarning
        If floats look like pixels (all in 0..255, some below 16 and some above), or if integers look like binary
        features (none above 1).
    """
    images = np.asarray(X)
    if images.ndim != 2:
        raise DataError(f"images have shape {images.shape}; expected (N, D), one image per row")
    kind = images.dtype.kind
    if images.dtype == UINT8:
        return np.ascontiguousarray(images)
    if kind in "iu":
        return _pixels(images)
    if kind == "b":
        return np.ascontiguousarray(images, np.float32)
    if kind != "f":
        raise DataError(f"images have dtype {images.dtype}; expected integers or floats: {DTYPE_RULE}")
    features = np.ascontiguousarray(images, np.float32 if images.dtype.itemsize <= 4 else np.float64)
    _warn_if_unscaled(features)
    return features


def as_features(X: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> npt.NDArray[Any]:
    """Convert images to the network's input.

    Pixels are multiplied by ``PIXEL_SCALE``; features keep their values. See :func:`as_images` for which is which.

    Parameters
    ----------
    X : array-like of integers, floats or booleans, shape (N, D)
        One image per row.
    dtype : dtype, default: float32
        The dtype of the result, float32 or float64.

    Returns
    -------
    features : ndarray of `dtype`, shape (N, D)
        C-contiguous. ``X`` itself if it already is a C-contiguous float array of this dtype.

    Raises
    ------
    DataError
        If :func:`as_images` rejects ``X``.

    Warns
    -----
    UnscaledPixelsWarning
        As for :func:`as_images`.
    """
    images = np.asarray(X)
    if images.dtype != UINT8 or images.ndim != 2:  # skipped for uint8 pixels: a prediction takes microseconds
        images = as_images(images)
    if images.dtype == UINT8:
        features: npt.NDArray[Any] = np.multiply(images, PIXEL_SCALE, dtype=dtype, order="C")
        return features
    return np.ascontiguousarray(images, dtype=dtype)


def feature_scale(X: npt.NDArray[Any]) -> float:
    """Return the factor by which :func:`as_features` multiplies ``X``.

    Parameters
    ----------
    X : ndarray
        Images of any dtype.

    Returns
    -------
    scale : float
        ``PIXEL_SCALE`` for integers, 1.0 otherwise.
    """
    return PIXEL_SCALE if X.dtype.kind in "iu" else 1.0


def _pixels(images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if images.size:
        lowest, highest = images.min(), images.max()
        if lowest < 0 or highest > MAX_PIXEL:
            raise DataError(
                f"images have dtype {images.dtype} and values from {lowest} to {highest}, but {DTYPE_RULE}. "
                "Divide pixels of another range by their largest possible value; "
                "convert features to floats: X.astype(np.float32)"
            )
        if highest == 1:
            warn_caller(
                f"integer images have no value above 1, but {DTYPE_RULE}. If they are binary features, convert them: "
                "X.astype(np.float32)",
                UnscaledPixelsWarning,
            )
    return np.ascontiguousarray(images, np.uint8)


def _warn_if_unscaled(features: npt.NDArray[Any]) -> None:
    # Check a few images first, because this runs in every prediction. Comparisons with NaN are false.
    sample = features[:: len(features) // SAMPLE_SIZE + 1]
    if not (sample.size and sample.max() > LARGE_FEATURE):
        return
    if 0 <= features.min() < LARGE_FEATURE and features.max() <= MAX_PIXEL:
        warn_caller(
            f"float images have values between 0 and 255, and some are above {LARGE_FEATURE}: they look like pixels "
            f"that were not scaled, but {DTYPE_RULE}. If they are pixels, divide them by 255, or convert them: "
            "X.astype(np.uint8)",
            UnscaledPixelsWarning,
        )
