"""The update of W1 by outer products of single images, for the layers that store W1 in rows of hidden units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.jit import device_function
from nnkernels.kernels.contract import UpdateRule
from nnkernels.kernels.fused.buffers import Batch, Buffers, TrainingSizes
from nnkernels.kernels.fused.layout import PaddedParameters
from nnkernels.kernels.fused.partitions import MODEL_RANGES, WEIGHT_ROWS
from nnkernels.kernels.fused.update import moment_step
from nnkernels.kernels.simd import zeros
from nnkernels.parameters import FloatArray


def row_updates(add_outer_products: Callable[..., None]) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return the updates of a layer's weights, as device functions.

    Parameters
    ----------
    add_outer_products : callable
        The layer's function that adds ``factor X^T dZ1`` to an array in the layout of W1.

    Returns
    -------
    sgd_update, moment_update : callable
        The update by plain gradient descent, and by any optimizer.
    """

    @device_function
    def sgd_update(
        model: PaddedParameters,
        buffers: Buffers,
        images: Any,
        order: npt.NDArray[np.int64],
        batch: Batch,
        ranges: npt.NDArray[np.int64],
        threads: int,
        sizes: TrainingSizes,
        scale: np.float32,
        step: np.float32,
        zero_panel: Any,
    ) -> None:
        # W1 -= learning_rate X^T dZ1, image by image, without storing the gradient of W1.
        rows, hidden_lanes = (ranges[WEIGHT_ROWS, 0], ranges[WEIGHT_ROWS, 1]), len(model.b1)
        factor = -step * scale
        add_outer_products(model.W1, images, buffers, hidden_lanes, order, batch, rows, sizes, factor, zero_panel)

    @device_function
    def moment_update(
        model: PaddedParameters,
        grads: PaddedParameters,
        first: FloatArray,
        second: FloatArray,
        buffers: Buffers,
        images: Any,
        order: npt.NDArray[np.int64],
        batch: Batch,
        ranges: npt.NDArray[np.int64],
        threads: int,
        sizes: TrainingSizes,
        scale: np.float32,
        step: np.float32,
        decay: np.float32,
        rule: UpdateRule,
        zero_panel: Any,
    ) -> None:
        rows, hidden_lanes = (ranges[WEIGHT_ROWS, 0], ranges[WEIGHT_ROWS, 1]), len(model.b1)
        add_outer_products(grads.W1, images, buffers, hidden_lanes, order, batch, rows, sizes, scale, zero_panel)
        for k in range(MODEL_RANGES, MODEL_RANGES + sizes.panels):
            start, end = ranges[k, 0], ranges[k, 1]
            moment_step(model.flat, grads.flat, first, second, start, end, start, step, decay, rule, zeros(8))

    return sgd_update, moment_update
