"""The output layer of a batch, forward and backward, eight images a vector."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.jit import part
from nnkernels.kernels import simd
from nnkernels.kernels.fused.model import Batch, Buffers, Model, TrainingSizes
from nnkernels.kernels.simd import four_times, is_positive, load, maximum, store, transpose_eight, zeros
from nnkernels.parameters import FloatArray


@part
def softmax_of_eight(
    W2: FloatArray,
    b2: FloatArray,
    columns: FloatArray,
    logits: int,
    hidden: int,
    classes: int,
    class_lanes: int,
    total_of_each: np.float32,
) -> None:
    """Fill ``columns[logits:]``, a row of eight a class, with the probabilities of eight images.

    Their hidden units are the rows at the start. Probabilities of an image add up to ``total_of_each``.
    """
    eight = zeros(8)
    one = eight + np.float32(1)
    for c in range(0, classes, 4):
        four = four_times(b2, c, 1, one)
        for h in range(hidden):
            four += four_times(W2, h * class_lanes + c, 1, load(columns, h * 8, eight))
        store(columns, logits + c * 8, four)
    highest = eight - np.float32(np.inf)
    for c in range(classes):
        highest = maximum(highest, load(columns, logits + c * 8, eight))
    total = eight
    for c in range(classes):
        exponential = simd.exp_nonpositive(load(columns, logits + c * 8, eight) - highest)
        store(columns, logits + c * 8, exponential)
        total += exponential
    factor = total_of_each / total
    for c in range(classes):
        store(columns, logits + c * 8, load(columns, logits + c * 8, eight) * factor)


@part
def output_layer(
    model: Model,
    space: Buffers,
    columns: FloatArray,
    y: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    batch: Batch,
    mine: tuple[int, int],
    sizes: TrainingSizes,
) -> None:
    """``dlogits = (softmax(A1 W2 + b2) - onehot(y)) / N`` and ``dZ1 = (dlogits W2^T) * [A1 > 0]``.

    Ten classes fill no vectors, but eight images do: they are transposed, so that a lane is an image, and back. In a
    group beyond the end of the batch, what is computed is never read.
    """
    b2, W2, A1, dZ1, dlogits = model.b2, model.W2, space.A1, space.dZ1, space.dlogits
    hidden_lanes, class_lanes = len(model.b1), len(b2)
    logits = hidden_lanes * 8  # where these begin in ``columns``, after the hidden units
    eight, fours = zeros(8), zeros(4 * 8)
    one_over_N = np.float32(1) / np.float32(batch.size)
    for n in range(mine[0], mine[1], 8):
        for h in range(0, hidden_lanes, 8):
            transpose_eight(A1, n * hidden_lanes + h, hidden_lanes, columns, h * 8, 8)

        softmax_of_eight(W2, b2, columns, logits, sizes.hidden, sizes.classes, class_lanes, one_over_N)
        for c in range(sizes.classes, class_lanes):
            store(columns, logits + c * 8, eight)
        for i in range(n, min(n + 8, batch.size)):
            columns[logits + y[order[batch.begin + i]] * 8 + i - n] -= one_over_N

        for h in range(0, sizes.hidden, 4):
            four = fours
            for c in range(sizes.classes):
                four += four_times(W2, h * class_lanes + c, class_lanes, load(columns, logits + c * 8, eight))
            store(columns, h * 8, four * is_positive(load(columns, h * 8, fours)))
        for h in range(0, hidden_lanes, 8):
            transpose_eight(columns, h * 8, 8, dZ1, n * hidden_lanes + h, hidden_lanes)
        for c in range(0, class_lanes, 8):
            transpose_eight(columns, logits + c * 8, 8, dlogits, n * class_lanes + c, class_lanes)


@part
def sum_gradients(
    grads: Model, space: Buffers, batch: Batch, units: tuple[int, int], outputs: Any, four_rows: Any
) -> None:
    """``dW2 = A1^T dlogits`` and ``db1 = sum_n dZ1`` of a range of units, and ``db2 = sum_n dlogits``.

    ``outputs`` and ``four_rows`` are zeros: lanes of one row of W2, and of four.
    """
    A1, dZ1, dlogits, dW2 = space.A1, space.dZ1, space.dlogits, grads.W2
    hidden_lanes, class_lanes = len(grads.b1), len(grads.b2)
    for h in range(units[0], units[1], 4):
        rows = four_rows
        for n in range(batch.size):
            rows += four_times(A1, n * hidden_lanes + h, 1, load(dlogits, n * class_lanes, outputs))
        store(dW2, h * class_lanes, rows)
    eight = zeros(8)
    for h in range(units[0], units[1], 8):
        db1 = eight
        for n in range(batch.size):
            db1 += load(dZ1, n * hidden_lanes + h, eight)
        store(grads.b1, h, db1)
    if units[0] == 0:
        db2 = outputs
        for n in range(batch.size):
            db2 += load(dlogits, n * class_lanes, outputs)
        store(grads.b2, 0, db2)
