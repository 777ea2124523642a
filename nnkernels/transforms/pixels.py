"""Scaling: from uint8 pixels to features."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.errors import DataError

PIXEL_SCALE = 1 / 255


def as_features(X: npt.NDArray[Any], dtype: npt.DTypeLike = np.float32) -> npt.NDArray[Any]:
    """Return the network's input: uint8 pixels become ``X * PIXEL_SCALE``, floats are features already.

    Parameters
    ----------
    X : ndarray, shape (N, D), uint8, float32 or float64
    dtype : dtype
        float32 or float64, of the result.

    Returns
    -------
    ndarray, shape (N, D), C-contiguous
        A float ``X`` that already has the dtype and memory order is returned itself, not copied.

    Raises
    ------
    DataError
        If ``X`` is not two-dimensional, or neither uint8 nor floating point.
    """
    if X.ndim != 2:
        raise DataError(f"images have shape {X.shape}; expected (N, D), one image a row")
    if X.dtype == np.uint8:
        features: npt.NDArray[Any] = np.multiply(X, PIXEL_SCALE, dtype=dtype, order="C")
        return features
    if X.dtype.kind == "f":
        return np.ascontiguousarray(X, dtype=dtype)
    raise DataError(f"images have dtype {X.dtype}; expected uint8 pixels (0 to 255) or floats")


def feature_scale(X: npt.NDArray[Any]) -> float:
    """Return the factor by which :func:`as_features` multiplies ``X``."""
    return PIXEL_SCALE if X.dtype == np.uint8 else 1.0
