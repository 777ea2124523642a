"""Prediction: a single image with minimal overhead, or many images on several threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from nnkernels.kernels.fused.many_images import GROUP_SIZE, PANEL_LANES, many_images_kernel
from nnkernels.kernels.fused.model import Layout, aligned_zeros
from nnkernels.kernels.fused.one_image import one_image_kernel
from nnkernels.parameters import FloatArray, Parameters
from nnkernels.team import run_partitioned

MIN_IMAGES_PER_THREAD = 256  # with fewer images, starting another thread takes longer than it saves

Predict = Callable[[npt.NDArray[Any]], FloatArray]
Convert = Callable[[npt.NDArray[Any]], FloatArray]


def compiled_predictor(params: Parameters, pixel_scale: float, as_features: Convert) -> Predict:
    """Return a function that predicts with a copy of the given parameters.

    The function uses up to ``numba.get_num_threads()`` threads. Each image is computed by one thread, so the results do
    not depend on their number. They do depend, in the last bits, on whether an image is predicted alone.

    Parameters
    ----------
    params : Parameters
        Finite float32 parameters with at most 64 classes.
    pixel_scale : float
        Factor from uint8 pixels to features.
    as_features : callable
        Converts all images other than contiguous uint8 arrays to contiguous float32 features (N, D), or raises an
        exception if they are invalid.

    Returns
    -------
    predict : callable
        ``predict(X) -> probs``, from images (N, D) to float32 probabilities (N, C).
    """
    layout = Layout.of(params, PANEL_LANES)
    # One array instead of four, because converting arguments takes most of the time of a single image.
    weights = aligned_zeros(layout.ends[-1])
    layout.pack(params, layout.view(weights), -np.inf)
    lanes = (layout.panel_lanes, layout.panels, layout.class_lanes)
    inputs, classes = layout.inputs, layout.classes
    one, many = one_image_kernel(*lanes, pixel_scale, np.uint8), many_images_kernel(*lanes, pixel_scale)
    uint8 = np.dtype(np.uint8)
    one_row = np.zeros((1, classes), np.float32)  # copying an array is faster than creating one
    # A TypeError from Numba takes 0.1 ms. Checking the flags takes a twentieth of the time of an image, so they are
    # checked only after such an error.
    refused_once = False

    def predict(X: npt.NDArray[Any]) -> FloatArray:
        nonlocal refused_once
        if X.dtype is uint8 and not (refused_once and not X.flags.c_contiguous):
            probs = one_row.copy()
            try:
                if one(weights, X, probs):
                    return probs
            except TypeError:  # not contiguous, or not two-dimensional
                refused_once = True
        return predict_any(X)

    def predict_any(X: npt.NDArray[Any]) -> FloatArray:
        if X.dtype == uint8 and X.ndim == 2 and not X.flags.c_contiguous:
            return predict(np.ascontiguousarray(X))  # one image must use the kernel for one image
        if not (X.dtype == uint8 and X.flags.c_contiguous and X.shape[1:] == (inputs,)):
            X = as_features(X)
            if len(X) == 1:
                probs = one_row.copy()
                one_image_kernel(*lanes, pixel_scale, np.float32)(weights, X, probs)
                return probs
        N = len(X)
        probs = np.empty((N, classes), np.float32)
        threads = max(1, min(numba.get_num_threads(), N // MIN_IMAGES_PER_THREAD))
        run_partitioned(many, threads, -(-N // GROUP_SIZE), weights, X, probs)
        return probs

    return predict
