"""The forward and backward pass of the first layer on all pixels, for images that are not sparse."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.jit import device_function
from nnkernels.kernels.fused.buffers import Batch, Buffers, TrainingSizes
from nnkernels.kernels.fused.layout import PaddedParameters
from nnkernels.kernels.fused.row_updates import row_updates
from nnkernels.kernels.simd import at, load, relu, store, width, zeros
from nnkernels.parameters import FloatArray

# A row of three vectors is loaded once for four images or four pixels, whose sums take twelve vectors.
MAX_PANEL_LANES = 24


@device_function
def first_layer(
    model: PaddedParameters,
    buffers: Buffers,
    images: npt.NDArray[Any],
    y: npt.NDArray[Any],
    order: npt.NDArray[np.int64],
    batch: Batch,
    image_range: tuple[int, int],
    sizes: TrainingSizes,
    scale: np.float32,
    zero_panel: Any,
) -> None:
    """Compute ``A1 = relu(scale X W1 + b1)``, with the parameters of ``nonzero_layer.first_layer``.

    ``images`` are rows of pixels, and ``buffers.features`` is written too. Images are processed in groups of four. If
    the last group is incomplete, its results beyond the end of the batch are not used.
    """
    W1, b1, A1, features = model.W1, model.b1, buffers.A1, buffers.features
    hidden_lanes, lanes = len(b1), width(zero_panel)
    row = (sizes.inputs + 7) // 8 * 8
    zeros8 = zeros(8)
    whole = sizes.inputs // 8 * 8
    for n in range(image_range[0], image_range[1]):
        image = images[order[batch.begin + n]]
        for d in range(0, whole, 8):
            store(features, n * row + d, load(image, d, zeros8))
        for d in range(whole, sizes.inputs):
            features[n * row + d] = image[d]
    for p in range(0, hidden_lanes, lanes):
        for n in range(image_range[0], image_range[1], 4):
            z0, z1, z2, z3 = zero_panel, zero_panel, zero_panel, zero_panel
            for d in range(sizes.inputs):
                w, x = load(W1, p * sizes.inputs + d * lanes, zero_panel), n * row + d
                z0 += at(features, x) * w
                z1 += at(features, x + row) * w
                z2 += at(features, x + 2 * row) * w
                z3 += at(features, x + 3 * row) * w
            bias, a = load(b1, p, zero_panel), n * hidden_lanes + p
            store(A1, a, relu(scale * z0 + bias))
            store(A1, a + hidden_lanes, relu(scale * z1 + bias))
            store(A1, a + 2 * hidden_lanes, relu(scale * z2 + bias))
            store(A1, a + 3 * hidden_lanes, relu(scale * z3 + bias))


@device_function
def add_outer_products(
    target: FloatArray,
    images: npt.NDArray[Any],
    buffers: Buffers,
    hidden_lanes: int,
    order: npt.NDArray[np.int64],
    batch: Batch,
    pixel_range: tuple[int, int],
    sizes: TrainingSizes,
    factor: np.float32,
    zero_panel: Any,
) -> None:
    """Compute ``target += factor X^T dZ1`` for a range of pixels, with the parameters of ``nonzero_layer``.

    Four pixels are processed at a time. Their sums over the batch stay in registers. ``buffers.features`` is read.
    """
    features, dZ1, lanes = buffers.features, buffers.dZ1, width(zero_panel)
    row = (sizes.inputs + 7) // 8 * 8
    for p in range(0, hidden_lanes, lanes):
        for first in range(pixel_range[0], pixel_range[1], 4):
            # The last group of four may overlap the previous one. Pixels that were already added are skipped.
            d = max(min(first, pixel_range[1] - 4), 0)
            g0, g1, g2, g3 = zero_panel, zero_panel, zero_panel, zero_panel
            for n in range(batch.size):
                g, x = load(dZ1, n * hidden_lanes + p, zero_panel), n * row + d
                g0 += at(features, x) * g
                g1 += at(features, x + 1) * g
                g2 += at(features, x + 2) * g
                g3 += at(features, x + 3) * g
            w = p * sizes.inputs + d * lanes
            if d >= first:
                store(target, w, load(target, w, zero_panel) + factor * g0)
            if first <= d + 1 < pixel_range[1]:
                store(target, w + lanes, load(target, w + lanes, zero_panel) + factor * g1)
            if first <= d + 2 < pixel_range[1]:
                store(target, w + 2 * lanes, load(target, w + 2 * lanes, zero_panel) + factor * g2)
            if first <= d + 3 < pixel_range[1]:
                store(target, w + 3 * lanes, load(target, w + 3 * lanes, zero_panel) + factor * g3)


sgd_update, moment_update = row_updates(add_outer_products)
