"""The output layer of a batch, forward and backward, eight images a vector."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.jit import part
from nnkernels.kernels import simd
from nnkernels.kernels.fused.model import Batch, Model, Sizes, Workspace
from nnkernels.kernels.simd import at, is_positive, load, maximum, store, transpose_eight, zeros
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
    highest = eight - np.float32(np.inf)
    for c in range(0, classes, 4):
        z0, z1 = eight + at(b2, c), eight + at(b2, c + 1)
        z2, z3 = eight + at(b2, c + 2), eight + at(b2, c + 3)
        for h in range(hidden):
            w, a = h * class_lanes + c, load(columns, h * 8, eight)
            z0 += at(W2, w) * a
            z1 += at(W2, w + 1) * a
            z2 += at(W2, w + 2) * a
            z3 += at(W2, w + 3) * a
        store(columns, logits + c * 8, z0)
        store(columns, logits + c * 8 + 8, z1)
        store(columns, logits + c * 8 + 16, z2)
        store(columns, logits + c * 8 + 24, z3)
        highest = maximum(maximum(maximum(maximum(highest, z0), z1), z2), z3)
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
    space: Workspace,
    columns: FloatArray,
    y: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    batch: Batch,
    mine: tuple[int, int],
    sizes: Sizes,
) -> None:
    """``dlogits = (softmax(A1 W2 + b2) - onehot(y)) / N`` and ``dZ1 = (dlogits W2^T) * [A1 > 0]``.

    Ten classes fill no vectors, but eight images do: they are transposed, so that a lane is an image, and back. In a
    group beyond the end of the batch, what is computed is never read.
    """
    b2, W2, A1, dZ1, dlogits = model.b2, model.W2, space.A1, space.dZ1, space.dlogits
    hidden_lanes, class_lanes = len(model.b1), len(b2)
    logits = hidden_lanes * 8  # where these begin in ``columns``, after the hidden units
    eight = zeros(8)
    one_over_N = np.float32(1) / np.float32(batch.size)
    for n in range(mine[0], mine[1], 8):
        for h in range(0, hidden_lanes, 8):
            transpose_eight(A1, n * hidden_lanes + h, hidden_lanes, columns, h * 8, 8)

        softmax_of_eight(W2, b2, columns, logits, sizes.hidden, sizes.classes, class_lanes, one_over_N)
        for c in range(sizes.classes, class_lanes):
            store(columns, logits + c * 8, eight)
        for i in range(min(8, batch.size - n)):
            columns[logits + y[order[batch.begin + n + i]] * 8 + i] -= one_over_N

        for h in range(0, sizes.hidden, 4):
            g0, g1, g2, g3 = eight, eight, eight, eight
            for c in range(sizes.classes):
                w, d = h * class_lanes + c, load(columns, logits + c * 8, eight)
                g0 += at(W2, w) * d
                g1 += at(W2, w + class_lanes) * d
                g2 += at(W2, w + 2 * class_lanes) * d
                g3 += at(W2, w + 3 * class_lanes) * d
            store(columns, h * 8, g0 * is_positive(load(columns, h * 8, eight)))
            store(columns, h * 8 + 8, g1 * is_positive(load(columns, h * 8 + 8, eight)))
            store(columns, h * 8 + 16, g2 * is_positive(load(columns, h * 8 + 16, eight)))
            store(columns, h * 8 + 24, g3 * is_positive(load(columns, h * 8 + 24, eight)))
        for h in range(0, hidden_lanes, 8):
            transpose_eight(columns, h * 8, 8, dZ1, n * hidden_lanes + h, hidden_lanes)
        for c in range(0, class_lanes, 8):
            transpose_eight(columns, logits + c * 8, 8, dlogits, n * class_lanes + c, class_lanes)


@part
def sum_gradients(grads: Model, space: Workspace, batch: Batch, units: tuple[int, int], outputs: Any) -> None:
    """``dW2 = A1^T dlogits`` and ``db1 = sum_n dZ1`` of a range of units, and ``db2 = sum_n dlogits``."""
    A1, dZ1, dlogits, dW2 = space.A1, space.dZ1, space.dlogits, grads.W2
    hidden_lanes, class_lanes = len(grads.b1), len(grads.b2)
    for h in range(units[0], units[1], 4):
        g0, g1, g2, g3 = outputs, outputs, outputs, outputs
        for n in range(batch.size):
            d, a = load(dlogits, n * class_lanes, outputs), n * hidden_lanes + h
            g0 += at(A1, a) * d
            g1 += at(A1, a + 1) * d
            g2 += at(A1, a + 2) * d
            g3 += at(A1, a + 3) * d
        store(dW2, h * class_lanes, g0)
        store(dW2, (h + 1) * class_lanes, g1)
        store(dW2, (h + 2) * class_lanes, g2)
        store(dW2, (h + 3) * class_lanes, g3)
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
