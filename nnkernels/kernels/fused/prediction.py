"""Probabilities of images: one with the least possible overhead, many shared among threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from nnkernels.kernels.fused.many_images import EIGHT, PANEL_LANES, many_images_kernel
from nnkernels.kernels.fused.model import Layout, aligned_zeros
from nnkernels.kernels.fused.one_image import one_image_kernel
from nnkernels.kernels.team import run_shares
from nnkernels.parameters import FloatArray, Parameters

IMAGES_A_THREAD = 256  # with fewer, a second thread costs more than it saves

Predict = Callable[[npt.NDArray[Any]], FloatArray]
Convert = Callable[[npt.NDArray[Any]], FloatArray]


def compiled_predictor(params: Parameters, pixel_scale: float, as_features: Convert) -> Predict:
    """Return a function that computes the probabilities (N, C) of images (N, D) with these parameters as they are now.

    It works on as many threads as ``numba.get_num_threads()`` says, each image on one, so that the answer does not
    depend on the number.

    Parameters
    ----------
    params : Parameters
        float32, finite, at most 64 classes.
    pixel_scale : float
        What makes features of uint8 pixels.
    as_features : callable
        Makes contiguous float32 features (N, D) of anything but contiguous uint8 images, or refuses.
    """
    layout = Layout.of(params, PANEL_LANES)
    # One array in place of four: taking arguments in is most of what one image costs.
    weights = aligned_zeros(layout.ends[-1])
    layout.pack(params, layout.model(weights), -np.inf)
    lanes = (layout.panel_lanes, layout.panels, layout.class_lanes)
    inputs, classes = layout.inputs, layout.classes
    one, many = one_image_kernel(*lanes, pixel_scale, np.uint8), many_images_kernel(*lanes, pixel_scale)
    uint8 = np.dtype(np.uint8)
    one_row = np.zeros((1, classes), np.float32)  # copying it is faster than making another
    # A refusal by Numba takes 0.1 ms, a look at the flags a twentieth of an image: so only who was refused looks.
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
            return predict(np.ascontiguousarray(X))  # an image alone by its own kernel, to the same last bit
        if not (X.dtype == uint8 and X.flags.c_contiguous and X.shape[1:] == (inputs,)):
            X = as_features(X)
            if len(X) == 1:
                probs = one_row.copy()
                one_image_kernel(*lanes, pixel_scale, np.float32)(weights, X, probs)
                return probs
        N = len(X)
        probs = np.empty((N, classes), np.float32)
        threads = max(1, min(numba.get_num_threads(), N // IMAGES_A_THREAD))
        run_shares(many, threads, -(-N // EIGHT), weights, X, probs)
        return probs

    return predict
