"""The forward and backward pass of the output layer, in which each lane is an image."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.jit import device_function, inlined
from nnkernels.kernels import simd
from nnkernels.kernels.fused.buffers import Batch, Buffers, TrainingSizes
from nnkernels.kernels.fused.layout import PaddedParameters
from nnkernels.kernels.simd import (
    at,
    is_equal,
    is_positive,
    load,
    maximum,
    outer_four,
    outer_rows,
    put,
    store,
    transpose_eight,
    width,
    zeros,
)
from nnkernels.parameters import FloatArray


@inlined
def logits_of_columns(
    W2: FloatArray,
    b2: FloatArray,
    columns: FloatArray,
    logits: int,
    hidden: int,
    classes: int,
    class_lanes: int,
    zero: Any,
) -> None:
    """Compute ``A1 W2 + b2`` of as many images as lanes, with the parameters of :func:`softmax_of_columns`.

    Instead of probabilities, logits are written. Four classes are computed at a time, so up to three rows after the
    last class are overwritten.
    """
    images = width(zero)
    one = zero + np.float32(1)
    for c in range(0, classes, 4):
        four = outer_four(b2, c, 1, one)
        for h in range(hidden):
            four += outer_four(W2, h * class_lanes + c, 1, load(columns, h * images, zero))
        store(columns, logits + c * images, four)


@device_function
def softmax_of_columns(
    W2: FloatArray,
    b2: FloatArray,
    columns: FloatArray,
    logits: int,
    hidden: int,
    classes: int,
    class_lanes: int,
    row_sum: np.float32,
    zero: Any,
) -> None:
    """Compute the probabilities of as many images as ``zero`` has lanes.

    Parameters
    ----------
    W2, b2 : ndarray of float32
        As in :class:`~nnkernels.kernels.fused.layout.PaddedParameters`.
    columns : ndarray of float32, shape (size,)
        Rows of these images, updated in place. The first rows are the hidden units. The probabilities are written from
        index ``logits`` on, one row per class.
    logits : int
        See ``columns``.
    hidden, classes : int
        Numbers of hidden units and of classes.
    class_lanes : int
        Lanes of a row of W2.
    row_sum : float32
        Sum of the probabilities of an image: 1, or 1 / N for the gradient of a mean.
    zero : Lanes
        Zeros, one per image.
    """
    images = width(zero)
    logits_of_columns(W2, b2, columns, logits, hidden, classes, class_lanes, zero)
    highest = zero - np.float32(np.inf)
    for c in range(classes):
        highest = maximum(highest, load(columns, logits + c * images, zero))
    total = zero
    for c in range(classes):
        exponential = simd.exp_nonpositive(load(columns, logits + c * images, zero) - highest)
        store(columns, logits + c * images, exponential)
        total += exponential
    factor = row_sum / total
    for c in range(classes):
        store(columns, logits + c * images, load(columns, logits + c * images, zero) * factor)


@device_function
def output_layer(
    model: PaddedParameters,
    buffers: Buffers,
    columns: FloatArray,
    y: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    batch: Batch,
    image_range: tuple[int, int],
    sizes: TrainingSizes,
    smoothing: np.float32,
    zero_group: Any,
) -> None:
    """Compute ``dlogits = (softmax(A1 W2 + b2) - targets) / N`` and ``dZ1 = (dlogits W2^T) * [A1 > 0]``.

    The targets of the C classes are ``(1 - smoothing) onehot(y) + smoothing / C``.

    Ten classes do not fill whole vectors, but images do. So the activations of a group of images are transposed, and
    the results are transposed back, in blocks of eight images. Lanes beyond the thread's last block are computed too,
    but not written. Results of an incomplete block that are beyond the end of the batch are not used.

    Parameters
    ----------
    model : PaddedParameters
        The parameters.
    buffers : Buffers
        ``A1`` is read; ``dZ1`` and ``dlogits`` are written.
    columns : ndarray of float32
        This thread's row of ``buffers.columns``.
    y : ndarray of int64, shape (n_images,)
        Labels.
    order : ndarray of int64, shape (M,)
        Indices of the images.
    batch : Batch
        The batch.
    image_range : tuple of int
        Start and end of this thread's images in the batch. The start is a multiple of eight.
    sizes : TrainingSizes
        Widths of the network.
    smoothing : float32
        Share of the targets that is uniform over all classes.
    zero_group : Lanes
        Zeros, one per image of a group. With four vectors of accumulators or more, no addition waits for another.
    """
    b2, W2, A1, dZ1, dlogits = model.b2, model.W2, buffers.A1, buffers.dZ1, buffers.dlogits
    hidden_lanes, class_lanes = len(model.b1), len(b2)
    images = width(zero_group)
    # In ``columns``, the classes follow the hidden units, and the labels follow the classes.
    logits, labels = hidden_lanes * images, (hidden_lanes + class_lanes) * images
    one_over_N = np.float32(1) / np.float32(batch.size)
    true_target = (np.float32(1) - smoothing) * one_over_N
    uniform_target = smoothing * one_over_N / np.float32(sizes.classes)
    for n in range(image_range[0], image_range[1], images):
        end = min(n + images, image_range[1])
        for i in range(n, end):
            put(columns, labels + i - n, np.float32(at(y, at(order, batch.begin + i))))
        for block in range(n, end, 8):
            for h in range(0, hidden_lanes, 8):
                place = h * images + block - n
                transpose_eight(A1, block * hidden_lanes + h, hidden_lanes, columns, place, images)

        softmax_of_columns(W2, b2, columns, logits, sizes.hidden, sizes.classes, class_lanes, one_over_N, zero_group)
        label = load(columns, labels, zero_group)
        for c in range(sizes.classes):
            target = true_target * is_equal(label, np.float32(c)) + uniform_target
            store(columns, logits + c * images, load(columns, logits + c * images, zero_group) - target)
        for c in range(sizes.classes, class_lanes):
            store(columns, logits + c * images, zero_group)

        for h in range(0, sizes.hidden, 4):
            four = outer_four(W2, h * class_lanes, class_lanes, load(columns, logits, zero_group))
            for c in range(1, sizes.classes):
                dlogit = load(columns, logits + c * images, zero_group)
                four += outer_four(W2, h * class_lanes + c, class_lanes, dlogit)
            store(columns, h * images, four * is_positive(load(columns, h * images, four)))
        for block in range(n, end, 8):
            for h in range(0, hidden_lanes, 8):
                place = h * images + block - n
                transpose_eight(columns, place, images, dZ1, block * hidden_lanes + h, hidden_lanes)
            for c in range(0, class_lanes, 8):
                place = logits + c * images + block - n
                transpose_eight(columns, place, images, dlogits, block * class_lanes + c, class_lanes)


@device_function
def sum_gradients(
    grads: PaddedParameters, buffers: Buffers, batch: Batch, units: tuple[int, int], zero_classes: Any, zero_rows: Any
) -> None:
    """Compute ``dW2 = A1^T dlogits`` and ``db1 = sum_n dZ1`` for some hidden units, and ``db2 = sum_n dlogits``.

    Parameters
    ----------
    grads : PaddedParameters
        The gradients, of which W2, b1 and b2 are written.
    buffers : Buffers
        ``A1``, ``dZ1`` and ``dlogits`` are read.
    batch : Batch
        The batch.
    units : tuple of int
        Start and end of this thread's hidden units, multiples of eight. The thread that starts at 0 computes ``db2``.
    zero_classes, zero_rows : Lanes
        Zeros, as wide as one row of W2, and as the rows whose sums are in registers at the same time: four or eight.
    """
    A1, dZ1, dlogits, dW2 = buffers.A1, buffers.dZ1, buffers.dlogits, grads.W2
    hidden_lanes, class_lanes = len(grads.b1), len(grads.b2)
    for h in range(units[0], units[1], width(zero_rows) // width(zero_classes)):
        rows = zero_rows
        for n in range(batch.size):
            rows += outer_rows(A1, n * hidden_lanes + h, load(dlogits, n * class_lanes, zero_classes), zero_rows)
        store(dW2, h * class_lanes, rows)
    zeros8 = zeros(8)
    for h in range(units[0], units[1], 8):
        db1 = zeros8
        for n in range(batch.size):
            db1 += load(dZ1, n * hidden_lanes + h, zeros8)
        store(grads.b1, h, db1)
    if units[0] == 0:
        db2 = zero_classes
        for n in range(batch.size):
            db2 += load(dlogits, n * class_lanes, zero_classes)
        store(grads.b2, 0, db2)
