"""The probabilities of many images, eight at a time, of which four share each row of weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.jit import ordered_kernel
from nnkernels.kernels.fused.nonzero import PADDING, PLACES, find_places
from nnkernels.kernels.fused.one_image import byte_features
from nnkernels.kernels.fused.output_layer import softmax_of_eight
from nnkernels.kernels.simd import at, feature, load, prefetch_row, relu, store, transpose_eight, zeros
from nnkernels.parameters import FloatArray

PANEL_LANES = 24  # three vectors of sums for each of four images: twelve of AVX2's sixteen registers
FOUR, EIGHT = 4, 8


@cache
def many_images_kernel(panel_lanes: int, panels: int, class_lanes: int, pixel_scale: float) -> Callable[..., None]:
    """Return the kernel for a network of that many panels of lanes and lanes of classes.

    ``kernel(weights, X, probs, start, end)`` fills rows of ``probs`` (N, C) for images (N, D), from eight to eight:
    those of the ``start``-th eight to before the ``end``-th.

    Four images share the row of weights of each pixel that any of them has inked: half as many rows as they have alone.
    """
    hidden_lanes = panels * panel_lanes
    table, floats = PLACES, byte_features(pixel_scale)

    @ordered_kernel
    def predict(weights: FloatArray, X: npt.NDArray[Any], probs: FloatArray, start: int, end: int) -> None:
        panel = zeros(panel_lanes)
        images, N, inputs, classes = X.reshape(-1), X.shape[0], X.shape[1], probs.shape[1]
        listed = inputs + PADDING
        quarter = EIGHT * inputs // 4
        b1 = weights[hidden_lanes * inputs :]
        W2 = b1[hidden_lanes:]
        b2 = W2[hidden_lanes * class_lanes :]
        rows, ends = np.empty(EIGHT, np.int64), np.empty(EIGHT // FOUR, np.int64)
        pixels = np.empty(EIGHT // FOUR * listed, np.uint16)
        A1 = np.empty(EIGHT * hidden_lanes, np.float32)
        columns = np.empty(EIGHT * (hidden_lanes + class_lanes), np.float32)
        for n in range(EIGHT * start, min(EIGHT * end, N), EIGHT):
            for i in range(EIGHT):
                rows[i] = min(n + i, N - 1) * inputs  # beyond the end the last image is repeated
            # The next eight images are fetched meanwhile, a quarter at a time: a CPU waits for some 24 lines at once.
            # Both lists are written before the first is read: a load that overlaps recent stores waits for them.
            for four in range(EIGHT // FOUR):
                i = FOUR * four
                prefetch_row(images, (n + EIGHT) * inputs + four * quarter, quarter)
                ends[four] = find_places(
                    images, rows[i], rows[i + 1], rows[i + 2], rows[i + 3], 0, inputs, pixels, four * listed, table
                )
            for p in range(0, hidden_lanes, panel_lanes):
                bias = load(b1, p, panel)
                for four in range(EIGHT // FOUR):
                    i = FOUR * four
                    if p == 0:
                        prefetch_row(images, (n + EIGHT) * inputs + (2 + four) * quarter, quarter)
                    r0, r1, r2, r3 = at(rows, i), at(rows, i + 1), at(rows, i + 2), at(rows, i + 3)
                    s0, s1, s2, s3 = bias, bias, bias, bias
                    for k in range(four * listed, at(ends, four)):
                        pixel = np.intp(at(pixels, k))
                        w = load(weights, p * inputs + pixel * panel_lanes, panel)
                        s0 += feature(images, r0 + pixel, floats) * w
                        s1 += feature(images, r1 + pixel, floats) * w
                        s2 += feature(images, r2 + pixel, floats) * w
                        s3 += feature(images, r3 + pixel, floats) * w
                    a = i * hidden_lanes + p
                    store(A1, a, relu(s0))
                    store(A1, a + hidden_lanes, relu(s1))
                    store(A1, a + 2 * hidden_lanes, relu(s2))
                    store(A1, a + 3 * hidden_lanes, relu(s3))
            for h in range(0, hidden_lanes, EIGHT):
                transpose_eight(A1, h, hidden_lanes, columns, h * EIGHT, EIGHT)
            logits = hidden_lanes * EIGHT
            softmax_of_eight(W2, b2, columns, logits, hidden_lanes, classes, class_lanes, np.float32(1))
            for i in range(min(EIGHT, N - n)):
                for c in range(classes):
                    probs[n + i, c] = at(columns, logits + c * EIGHT + i)

    return predict
