"""Prediction of many images, in groups of eight. Four images at a time share each row of weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.jit import ordered_kernel
from nnkernels.kernels.fused.nonzero import BIT_POSITIONS, PADDING, list_nonzero
from nnkernels.kernels.fused.one_image import byte_features
from nnkernels.kernels.fused.output_layer import softmax_of_columns
from nnkernels.kernels.simd import at, feature, load, prefetch_row, relu, store, transpose_eight, zeros
from nnkernels.parameters import FloatArray

PANEL_LANES = 24  # three vectors of sums for each of four images, which take twelve of the sixteen AVX2 registers
IMAGES_PER_LIST, GROUP_SIZE = 4, 8


@cache
def many_images_kernel(panel_lanes: int, panels: int, class_lanes: int, pixel_scale: float) -> Callable[..., None]:
    """Return the kernel that predicts groups of eight images.

    Each row of weights is loaded once for four images, if its pixel is nonzero in any of them. On digits, this halves
    the number of loaded rows.

    Parameters
    ----------
    panel_lanes, panels : int
        Lanes of each panel of the hidden layer, and number of panels.
    class_lanes : int
        Lanes of the output layer.
    pixel_scale : float
        Factor from uint8 pixels to features.

    Returns
    -------
    kernel : callable
        ``kernel(weights, X, probs, start, end)`` writes the probabilities of groups ``start`` to ``end - 1`` of the
        images ``X`` (N, D), uint8 or float32, to ``probs`` (N, C). ``weights`` is the memory of a
        :class:`~nnkernels.kernels.fused.layout.PaddedParameters`.
    """
    hidden_lanes = panels * panel_lanes
    table, floats = BIT_POSITIONS, byte_features(pixel_scale)

    @ordered_kernel
    def predict(weights: FloatArray, X: npt.NDArray[Any], probs: FloatArray, start: int, end: int) -> None:
        zero_panel, zeros8 = zeros(panel_lanes), zeros(8)
        images, N, inputs, classes = X.reshape(-1), X.shape[0], X.shape[1], probs.shape[1]
        capacity = inputs + PADDING
        quarter = GROUP_SIZE * inputs // 4
        b1 = weights[hidden_lanes * inputs :]
        W2 = b1[hidden_lanes:]
        b2 = W2[hidden_lanes * class_lanes :]
        rows, ends = np.empty(GROUP_SIZE, np.int64), np.empty(GROUP_SIZE // IMAGES_PER_LIST, np.int64)
        pixels = np.empty(GROUP_SIZE // IMAGES_PER_LIST * capacity, np.uint16)
        A1 = np.empty(GROUP_SIZE * hidden_lanes, np.float32)
        columns = np.empty(GROUP_SIZE * (hidden_lanes + class_lanes), np.float32)
        for n in range(GROUP_SIZE * start, min(GROUP_SIZE * end, N), GROUP_SIZE):
            for i in range(GROUP_SIZE):
                rows[i] = min(n + i, N - 1) * inputs  # an incomplete group repeats the last image
            # The next group is prefetched in four parts, because a CPU core can have only about 24 pending reads of
            # cache lines. Both lists are written before the first is read, because a load that overlaps recent stores
            # has to wait for them.
            for half in range(GROUP_SIZE // IMAGES_PER_LIST):
                i = IMAGES_PER_LIST * half
                prefetch_row(images, (n + GROUP_SIZE) * inputs + half * quarter, quarter)
                ends[half] = list_nonzero(
                    images, rows[i], rows[i + 1], rows[i + 2], rows[i + 3], 0, inputs, pixels, half * capacity, table
                )
            for p in range(0, hidden_lanes, panel_lanes):
                bias = load(b1, p, zero_panel)
                for half in range(GROUP_SIZE // IMAGES_PER_LIST):
                    i = IMAGES_PER_LIST * half
                    if p == 0:
                        prefetch_row(images, (n + GROUP_SIZE) * inputs + (2 + half) * quarter, quarter)
                    r0, r1, r2, r3 = at(rows, i), at(rows, i + 1), at(rows, i + 2), at(rows, i + 3)
                    s0, s1, s2, s3 = bias, bias, bias, bias
                    for k in range(half * capacity, at(ends, half)):
                        pixel = np.intp(at(pixels, k))
                        w = load(weights, p * inputs + pixel * panel_lanes, zero_panel)
                        s0 += feature(images, r0 + pixel, floats) * w
                        s1 += feature(images, r1 + pixel, floats) * w
                        s2 += feature(images, r2 + pixel, floats) * w
                        s3 += feature(images, r3 + pixel, floats) * w
                    a = i * hidden_lanes + p
                    store(A1, a, relu(s0))
                    store(A1, a + hidden_lanes, relu(s1))
                    store(A1, a + 2 * hidden_lanes, relu(s2))
                    store(A1, a + 3 * hidden_lanes, relu(s3))
            for h in range(0, hidden_lanes, GROUP_SIZE):
                transpose_eight(A1, h, hidden_lanes, columns, h * GROUP_SIZE, GROUP_SIZE)
            logits = hidden_lanes * GROUP_SIZE
            softmax_of_columns(W2, b2, columns, logits, hidden_lanes, classes, class_lanes, np.float32(1), zeros8)
            for i in range(min(GROUP_SIZE, N - n)):
                for c in range(classes):
                    probs[n + i, c] = at(columns, logits + c * GROUP_SIZE + i)

    return predict
