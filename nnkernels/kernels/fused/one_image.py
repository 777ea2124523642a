"""Prediction of a single image with minimal latency."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import from_dtype, types

from nnkernels.jit import eager_kernel
from nnkernels.kernels import simd
from nnkernels.kernels.fused.nonzero import BIT_POSITIONS, PADDING, list_nonzero
from nnkernels.kernels.simd import at, feature, load, relu, stack_array, store, zeros
from nnkernels.parameters import FloatArray

# Number of pixels that are listed and added at a time. The list is on the stack, so its size has to be constant.
LIST_CAPACITY = 1024


@cache
def one_image_kernel(
    panel_lanes: int, panels: int, class_lanes: int, pixel_scale: float, dtype: type
) -> Callable[..., bool]:
    """Return the kernel that predicts one image.

    The kernel has only three arguments and does not release the GIL, because converting an array argument, and
    releasing the GIL, each take a quarter of the time of the arithmetic.

    Parameters
    ----------
    panel_lanes, panels : int
        Lanes of each panel of the hidden layer, and number of panels.
    class_lanes : int
        Lanes of the output layer.
    pixel_scale : float
        Factor from uint8 pixels to features.
    dtype : type
        dtype of the image, uint8 or float32.

    Returns
    -------
    kernel : callable
        ``kernel(weights, X, probs)`` writes the probabilities to ``probs`` (1, C) and returns True if ``X`` (N, D) is
        one image with the width of the network. Otherwise it does nothing and returns False. ``weights`` is the memory
        of a :class:`~nnkernels.kernels.fused.layout.PaddedParameters`. Arrays of other types raise a TypeError.
    """
    hidden_lanes = panels * panel_lanes
    list_length, units = LIST_CAPACITY + PADDING, hidden_lanes + class_lanes
    other_lengths = hidden_lanes + hidden_lanes * class_lanes + class_lanes
    table, floats = BIT_POSITIONS, byte_features(pixel_scale)

    def predict(weights: FloatArray, X: npt.NDArray[Any], probs: FloatArray) -> bool:
        N, inputs = X.shape
        b1 = hidden_lanes * inputs
        if N != 1 or len(weights) != b1 + other_lengths:
            return False
        W2 = b1 + hidden_lanes
        zero_panel, zero_classes = zeros(panel_lanes), zeros(class_lanes)
        image = X.reshape(-1)
        pixels, A1 = stack_array(np.uint16, list_length), stack_array(np.float32, units)
        for p in range(0, hidden_lanes, panel_lanes):
            W1 = p * inputs
            # Four accumulators hide the latency of an addition, which is four cycles.
            s0, s1, s2, s3 = zero_panel, zero_panel, zero_panel, zero_panel
            for first in range(0, inputs, LIST_CAPACITY):
                last = min(first + LIST_CAPACITY, inputs)
                end = list_nonzero(image, 0, 0, 0, 0, first, last, pixels, 0, table)
                for k in range(0, end - 3, 4):
                    i, j = np.intp(at(pixels, k)), np.intp(at(pixels, k + 1))
                    s0 += feature(image, i, floats) * load(weights, W1 + i * panel_lanes, zero_panel)
                    s1 += feature(image, j, floats) * load(weights, W1 + j * panel_lanes, zero_panel)
                    i, j = np.intp(at(pixels, k + 2)), np.intp(at(pixels, k + 3))
                    s2 += feature(image, i, floats) * load(weights, W1 + i * panel_lanes, zero_panel)
                    s3 += feature(image, j, floats) * load(weights, W1 + j * panel_lanes, zero_panel)
                for k in range(end // 4 * 4, end):
                    i = np.intp(at(pixels, k))
                    s0 += feature(image, i, floats) * load(weights, W1 + i * panel_lanes, zero_panel)
            store(A1, p, relu((s0 + s1) + (s2 + s3) + load(weights, b1 + p, zero_panel)))
        logits, other = load(weights, W2 + hidden_lanes * class_lanes, zero_classes), zero_classes
        for h in range(0, hidden_lanes, 2):
            w = W2 + h * class_lanes
            logits += at(A1, h) * load(weights, w, zero_classes)
            other += at(A1, h + 1) * load(weights, w + class_lanes, zero_classes)
        logits = logits + other
        exponentials = simd.exp_nonpositive(logits - simd.highest(logits))
        store(A1, hidden_lanes, exponentials * (np.float32(1) / simd.total(exponentials)))
        for c in range(probs.shape[1]):
            probs[0, c] = at(A1, hidden_lanes + c)
        return True

    rows = types.Array(from_dtype(np.dtype(dtype)), 2, "C", readonly=True)  # writable arrays are accepted too
    return eager_kernel(predict, types.boolean(types.float32[::1], rows, types.float32[:, ::1]))


def byte_features(pixel_scale: float) -> FloatArray:
    """Return a table of the features of all uint8 pixels.

    Parameters
    ----------
    pixel_scale : float
        Factor from pixels to features.

    Returns
    -------
    features : ndarray of float32, shape (256,)
        The feature of each pixel value.
    """
    return np.arange(256, dtype=np.float32) * np.float32(pixel_scale)
