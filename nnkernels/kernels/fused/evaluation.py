"""The cross-entropy and the number of errors on packed images, in one pass, without storing probabilities."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from nnkernels.jit import device_function, ordered_kernel
from nnkernels.kernels import simd
from nnkernels.kernels.fused.buffers import Batch, Buffers, TrainingSizes, aligned_zeros
from nnkernels.kernels.fused.first_layers import FirstLayer
from nnkernels.kernels.fused.layout import PaddedParameters
from nnkernels.kernels.fused.output_layer import logits_of_columns
from nnkernels.kernels.simd import at, is_positive, load, maximum, store, transpose_eight, zeros
from nnkernels.parameters import FloatArray, Parameters
from nnkernels.team import run_partitioned

# Images whose hidden layer is computed before their output layer, and whose losses are added up together. The sums of
# the blocks are added in their order, so the result does not depend on the number of threads.
BLOCK_SIZE = 64
# Rows of the buffer of eight images after the classes: the highest logit, the number of classes that have it, and the
# sum of the exponentials of the others.
ROWS_OF_SUMS = 3
MIN_BLOCKS_PER_THREAD = 4  # with fewer, starting another thread takes longer than it saves


class PackedEvaluation:
    """Images and labels on which parameters are evaluated again and again.

    Parameters
    ----------
    layer : FirstLayer
        The first layer that reads these images.
    images : TileImages, NonzeroImages or ndarray
        The images, in the form that this layer reads.
    y : ndarray of int64, shape (N,)
        Labels.
    scale : float
        Factor from stored values to features.
    """

    def __init__(self, layer: FirstLayer, images: Any, y: npt.NDArray[np.int64], scale: float) -> None:
        self.layer, self.images, self.y, self.scale = layer, images, y, np.float32(scale)
        self.order = np.arange(len(y))  # layers read the images of a batch through an order

    def __call__(self, params: Parameters) -> tuple[float, int]:
        """Return the mean cross-entropy and the number of misclassified images.

        Parameters
        ----------
        params : Parameters
            Finite float32 parameters, with as many inputs as the images and a class for every label.

        Returns
        -------
        loss : float
            Mean cross-entropy in nats.
        errors : int
            Number of misclassified images.
        """
        layout = self.layer.layout(params)
        model = layout.view(aligned_zeros(layout.ends[-1]))
        layout.pack(params, model, -np.inf)
        blocks = -(-len(self.y) // BLOCK_SIZE)
        losses, errors = np.empty(blocks), np.empty(blocks, np.int64)
        run_partitioned(
            evaluation_kernel(self.layer, layout.panel, layout.class_lanes),
            max(1, min(numba.get_num_threads(), blocks // MIN_BLOCKS_PER_THREAD)),
            blocks,
            model,
            self.images,
            self.y,
            self.order,
            TrainingSizes(layout.inputs, layout.hidden, layout.classes, layout.panels, layout.rows, BLOCK_SIZE),
            self.scale,
            losses,
            errors,
        )
        return float(losses.sum()) / len(self.y), int(errors.sum())


@cache
def evaluation_kernel(layer: FirstLayer, panel: int, class_lanes: int) -> Callable[..., None]:
    """Return the evaluation kernel for one first layer and one width of vectors.

    Parameters
    ----------
    layer : FirstLayer
        The first layer.
    panel, class_lanes : int
        Size of a panel of the hidden layer, and lanes of the output layer. They are constants in the kernel.

    Returns
    -------
    kernel : callable
        The kernel, compiled at its first call. It writes the sum of the losses and the number of errors of each of the
        blocks ``start`` to ``end - 1``. :class:`PackedEvaluation` passes its arguments.
    """
    first_layer, zero_of_panel = layer.functions.first_layer, layer.zero_panel

    @ordered_kernel
    def evaluate(
        model: PaddedParameters,
        images: Any,
        y: npt.NDArray[np.int64],
        order: npt.NDArray[np.int64],
        sizes: TrainingSizes,
        scale: np.float32,
        losses: npt.NDArray[np.float64],
        errors: npt.NDArray[np.int64],
        start: int,
        end: int,
    ) -> None:
        zero_panel = zero_of_panel(panel)
        hidden_lanes, size, N = len(model.b1), sizes.batch_size, len(order)
        columns = np.zeros(8 * (hidden_lanes + class_lanes + ROWS_OF_SUMS), np.float32)
        rows = (min(size, N) + 7) // 8 * 8
        A1, none = np.zeros(rows * hidden_lanes, np.float32), np.zeros(0, np.float32)
        no_lists = np.zeros(0, np.int32), np.zeros(0, np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64)
        features = np.zeros(rows * ((sizes.inputs + 7) // 8 * 8), np.float32)
        buffers = Buffers(A1, none, none, columns.reshape(1, -1), features, *no_lists)
        for block in range(start, end):
            batch = Batch(block * size, min(size, N - block * size))
            image_range = (0, batch.size)
            first_layer(model, buffers, images, y, order, batch, image_range, sizes, scale, zero_panel)
            losses[block], errors[block] = loss_and_errors(model, A1, columns, y, batch, sizes)

    return evaluate


@device_function
def loss_and_errors(
    model: PaddedParameters,
    A1: FloatArray,
    columns: FloatArray,
    y: npt.NDArray[np.int64],
    batch: Batch,
    sizes: TrainingSizes,
) -> tuple[float, int]:
    """Compute the sum of the cross-entropies and the number of errors of a batch of consecutive images.

    As in ``numpy_kernels.loss``, ``loss = log(sum_c exp(logit_c - highest)) - (logit_y - highest)``. Logits and
    exponentials are float32, with eight images per vector. The exponential of the highest logit, 1, is added in float64
    to the sum of the others, which may be too small for float32 next to 1. Such a sum is from 1 to the number of
    classes. So those of eight images are multiplied, and one logarithm is taken of the product.

    Parameters
    ----------
    model : PaddedParameters
        The parameters.
    A1 : ndarray of float32, shape (n_images * hidden_lanes,)
        Activations of the hidden layer. ``n_images`` is a multiple of eight.
    columns : ndarray of float32, shape (8 * (hidden_lanes + class_lanes + ROWS_OF_SUMS),)
        A buffer for eight images.
    y : ndarray of int64, shape (N,)
        Labels of all images.
    batch : Batch
        The batch.
    sizes : TrainingSizes
        Widths of the network.

    Returns
    -------
    loss : float
        Sum of the cross-entropies.
    errors : int
        Number of images whose label is not ``argmax`` of the logits, with NumPy's rules: the first of equal logits, and
        the first NaN if there is one.
    """
    W2, b2 = model.W2, model.b2
    hidden_lanes, class_lanes = len(model.b1), len(b2)
    logits = 8 * hidden_lanes  # index in ``columns``, as are the next three
    highest_row = logits + 8 * class_lanes
    equals_row, others_row = highest_row + 8, highest_row + 16
    zeros8 = zeros(8)
    one = zeros8 + np.float32(1)
    loss, errors = 0.0, 0
    for n in range(0, batch.size, 8):
        for h in range(0, hidden_lanes, 8):
            transpose_eight(A1, n * hidden_lanes + h, hidden_lanes, columns, h * 8, 8)
        logits_of_columns(W2, b2, columns, logits, sizes.hidden, sizes.classes, class_lanes, zeros8)
        highest = zeros8 - np.float32(np.inf)
        for c in range(sizes.classes):
            highest = maximum(highest, load(columns, logits + c * 8, zeros8))
        equals, others = zeros8, zeros8
        for c in range(sizes.classes):
            gap = highest - load(columns, logits + c * 8, zeros8)
            is_lower = is_positive(gap)
            equals += one - is_lower
            others += is_lower * simd.exp_nonpositive(zeros8 - gap)
        store(columns, highest_row, highest)
        store(columns, equals_row, equals)
        store(columns, others_row, others)
        product = 1.0
        for i in range(min(8, batch.size - n)):
            label = at(y, batch.begin + n + i)
            logit, peak = at(columns, logits + label * 8 + i), at(columns, highest_row + i)
            exponentials = np.float64(at(columns, equals_row + i)) + np.float64(at(columns, others_row + i))
            loss += peak - logit
            product *= exponentials
            # If two logits are equal and highest, the sum is at least 2. If a logit is NaN, so is the sum.
            if not (logit == peak and exponentials < 2):
                errors += first_highest(columns, logits + i, sizes.classes) != label
        loss += np.log(product)
    return loss, errors


@device_function
def first_highest(columns: FloatArray, start: int, classes: int) -> int:
    """Return the class with the highest logit of one image, as ``numpy.argmax`` does.

    Parameters
    ----------
    columns : ndarray of float32
        Rows of eight images.
    start : int
        Index of the image's logit for the first class.
    classes : int
        Number of classes.

    Returns
    -------
    predicted : int
        The first NaN, or the first of the highest.
    """
    predicted, highest = 0, at(columns, start)
    for c in range(1, classes):
        logit = at(columns, start + c * 8)
        if not (np.isnan(highest) or logit <= highest):
            predicted, highest = c, logit
    return predicted
