"""Training on whole stretches of batches in one call.

Work is shared among threads without changing a single sum: images while activations are computed, rows of the weights
while they are updated. So the result is bit-identical for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.jit import ordered_kernel, part
from nnkernels.kernels.contract import SGD, UpdateRule
from nnkernels.kernels.fused import dense_layer, nonzero_layer
from nnkernels.kernels.fused.model import Batch, Model, Sizes, Workspace
from nnkernels.kernels.fused.output_layer import output_layer, sum_gradients
from nnkernels.kernels.fused.update import update
from nnkernels.kernels.simd import VECTOR, zeros
from nnkernels.kernels.team import meet


@cache
def training_kernel(panel_lanes: int, class_lanes: int, dense: bool) -> Callable[..., None]:
    """Return the kernel for panels of that many lanes and that many lanes of classes, which are constants in it.

    It takes images as lists of nonzero pixels, or as rows of pixels if ``dense``.
    """
    layer = dense_layer if dense else nonzero_layer
    first_layer, add_outer_products = layer.first_layer, layer.add_outer_products

    @ordered_kernel
    def train(
        thread: int,
        threads: int,
        barrier: npt.NDArray[np.int64],
        model: Model,
        grads: Model,
        first: Model,
        second: Model,
        space: Workspace,
        images: Any,
        y: npt.NDArray[np.int64],
        order: npt.NDArray[np.int64],
        steps: npt.NDArray[np.float32],
        sizes: Sizes,
        scale: np.float32,
        rule: UpdateRule,
    ) -> None:
        panel, outputs = zeros(panel_lanes), zeros(class_lanes)
        hidden_lanes = len(model.b1)
        columns = space.columns[thread]
        # This thread's share: rows of W1, and rows of W2 with their units' biases, in whole vectors.
        eights = share(sizes.inputs // VECTOR, thread, threads)
        pixels = (eights[0] * VECTOR, eights[1] * VECTOR if thread < threads - 1 else sizes.inputs)
        vectors = share(hidden_lanes // VECTOR, thread, threads)
        units = (vectors[0] * VECTOR, vectors[1] * VECTOR)
        meetings = 0
        for number in range(len(steps)):
            begin = number * sizes.batch_size
            batch = Batch(begin, min(sizes.batch_size, len(order) - begin))
            step = steps[number]
            groups = share((batch.size + 7) // 8, thread, threads)
            mine = (8 * groups[0], min(8 * groups[1], batch.size))

            first_layer(model, space, images, y, order, batch, mine, sizes, scale, panel)
            output_layer(model, space, columns, y, order, batch, mine, sizes)
            meetings = meet(barrier, threads, meetings)

            if rule.code == SGD:
                # No gradient is stored: w -= learning_rate x dZ1, image by image.
                add_outer_products(
                    model.W1, images, space, hidden_lanes, order, batch, pixels, sizes, -step * scale, panel
                )
            else:
                add_outer_products(grads.W1, images, space, hidden_lanes, order, batch, pixels, sizes, scale, panel)
                for first_row in range(0, hidden_lanes * sizes.inputs, panel_lanes * sizes.inputs):
                    rows = (first_row + pixels[0] * panel_lanes, first_row + pixels[1] * panel_lanes)
                    update(model.W1, grads.W1, first.W1, second.W1, rows, step, rule)
            sum_gradients(grads, space, batch, units, outputs)
            update(model.b1, grads.b1, first.b1, second.b1, units, step, rule)
            rows = (units[0] * class_lanes, units[1] * class_lanes)
            update(model.W2, grads.W2, first.W2, second.W2, rows, step, rule)
            if thread == 0:
                update(model.b2, grads.b2, first.b2, second.b2, (0, class_lanes), step, rule)
            meetings = meet(barrier, threads, meetings)

    return train


@part
def share(total: int, thread: int, threads: int) -> tuple[int, int]:
    """Return the first and the end of a thread's part of ``total`` things."""
    return thread * total // threads, (thread + 1) * total // threads
