"""The training kernel, which runs consecutive batches in one call.

Threads divide the images of a batch in the forward pass, and the weights in the update. Neither changes the order of a
sum, so the result is bit-identical for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.jit import ordered_kernel
from nnkernels.kernels.contract import UpdateRule
from nnkernels.kernels.fused.buffers import Batch, Buffers, TrainingSizes
from nnkernels.kernels.fused.first_layers import FirstLayer
from nnkernels.kernels.fused.layout import PaddedParameters
from nnkernels.kernels.fused.output_layer import output_layer, sum_gradients
from nnkernels.kernels.fused.partitions import MODEL_RANGES, UNITS
from nnkernels.kernels.fused.update import moment_step, sgd_step
from nnkernels.kernels.simd import TILE_VECTOR, zero_tile, zeros
from nnkernels.parameters import FloatArray
from nnkernels.team import barrier_wait, partition


@cache
def training_kernel(layer: FirstLayer, panel: int, class_lanes: int, plain_sgd: bool) -> Callable[..., None]:
    """Return the training kernel for one width of vectors, one kind of images and one kind of optimizer.

    All threads of a team call the kernel. Separate kernels for plain gradient descent and for all else compile faster
    than one for both.

    Parameters
    ----------
    layer : FirstLayer
        The first layer, and with it the form of the images.
    panel : int
        Lanes of a panel of the hidden layer, or hidden units of a panel in tiles; a constant in the kernel.
    class_lanes : int
        Lanes of the output layer, a constant in the kernel.
    plain_sgd : bool
        Whether to train by plain gradient descent, without moments and without weight decay.

    Returns
    -------
    kernel : callable
        The kernel, compiled at its first call. ``entries.train_inplace`` passes its arguments.
    """
    group = layer.image_group
    # Rows of W2: eight in vectors of sixteen, if these are faster and whole, or four in vectors of eight.
    if layer.name == "tiles" and class_lanes % TILE_VECTOR == 0:
        zeros_of_classes, row, rows = zero_tile, class_lanes // TILE_VECTOR, 8 * class_lanes // TILE_VECTOR
    else:
        zeros_of_classes, row, rows = zeros, class_lanes, 4 * class_lanes
    functions, zero_of_panel = layer.functions, layer.zero_panel
    first_layer, sgd_update, moment_update = functions.first_layer, functions.sgd_update, functions.moment_update

    @ordered_kernel
    def train(
        thread: int,
        threads: int,
        barrier: npt.NDArray[np.int64],
        model: PaddedParameters,
        grads: PaddedParameters,
        first: FloatArray,
        second: FloatArray,
        buffers: Buffers,
        images: Any,
        y: npt.NDArray[np.int64],
        order: npt.NDArray[np.int64],
        step_sizes: npt.NDArray[np.float32],
        decays: npt.NDArray[np.float32],
        partitions: npt.NDArray[np.int64],
        sizes: TrainingSizes,
        scale: np.float32,
        rule: UpdateRule,
    ) -> None:
        zero_panel, zero_group, zeros8 = zero_of_panel(panel), zero_of_panel(group), zeros(8)
        zero_classes, zero_rows = zeros_of_classes(row), zeros_of_classes(rows)
        columns, ranges = buffers.columns[thread], partitions[thread]
        units = ranges[UNITS, 0], ranges[UNITS, 1]
        phase = 0
        for number in range(len(step_sizes)):
            begin = number * sizes.batch_size
            batch = Batch(begin, min(sizes.batch_size, len(order) - begin))
            step, decay = step_sizes[number], decays[number]
            groups = partition((batch.size + 7) // 8, thread, threads)
            image_range = (8 * groups[0], min(8 * groups[1], batch.size))

            first_layer(model, buffers, images, y, order, batch, image_range, sizes, scale, zero_panel)
            smoothing = np.float32(rule.label_smoothing)
            output_layer(model, buffers, columns, y, order, batch, image_range, sizes, smoothing, zero_group)
            phase = barrier_wait(barrier, threads, phase)

            sum_gradients(grads, buffers, batch, units, zero_classes, zero_rows)
            if plain_sgd:
                sgd_update(model, buffers, images, order, batch, ranges, threads, sizes, scale, step, zero_panel)
                for k in range(MODEL_RANGES + sizes.panels, len(ranges)):
                    sgd_step(model.flat, grads.flat, ranges[k, 0], ranges[k, 1], step)
            else:
                moment_update(
                    model,
                    grads,
                    first,
                    second,
                    buffers,
                    images,
                    order,
                    batch,
                    ranges,
                    threads,
                    sizes,
                    scale,
                    step,
                    decay,
                    rule,
                    zero_panel,
                )
                for k in range(MODEL_RANGES + sizes.panels, len(ranges)):
                    start, end = ranges[k, 0], ranges[k, 1]
                    moment_step(model.flat, grads.flat, first, second, start, end, start, step, decay, rule, zeros8)
            phase = barrier_wait(barrier, threads, phase)

    return train
