"""The forward and backward pass of the first layer on nonzero pixels: each entry uses one row of weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.jit import device_function
from nnkernels.kernels.fused.buffers import Batch, Buffers, TrainingSizes
from nnkernels.kernels.fused.layout import PaddedParameters
from nnkernels.kernels.fused.nonzero import NonzeroImages
from nnkernels.kernels.fused.row_updates import row_updates
from nnkernels.kernels.simd import (
    add_to,
    at,
    load,
    load_four,
    load_four_indices,
    pick,
    pick_index,
    prefetch,
    product,
    relu,
    store,
    width,
)
from nnkernels.parameters import FloatArray

# The sums of a panel stay in registers: at most eight vectors, so that half of AVX2's sixteen registers are left
# for operands.
MAX_PANEL_LANES = 64
MAX_FOUR_SUMS_LANES = 24  # maximum lanes of a panel for which four accumulators stay in registers
MAX_L2_BATCH_SIZE = 256  # maximum batch size at which lists and weights fit into L2 together
MULTIPLE_OF_FOUR = ~3  # mask that rounds an index down to a multiple of four
PREFETCH_DISTANCE = 8  # in images: long enough to hide the latency of memory, short enough to avoid early eviction


@device_function
def first_layer(
    model: PaddedParameters,
    buffers: Buffers,
    images: NonzeroImages,
    y: npt.NDArray[Any],
    order: npt.NDArray[np.int64],
    batch: Batch,
    image_range: tuple[int, int],
    sizes: TrainingSizes,
    scale: np.float32,
    zero_panel: Any,
) -> None:
    """Compute ``A1 = relu(scale X W1 + b1)``, panel by panel, so that the weights of a panel stay in the cache.

    Parameters
    ----------
    model : PaddedParameters
        The parameters.
    buffers : Buffers
        ``A1`` is written.
    images : NonzeroImages
        The training images.
    y : ndarray of int64, shape (n_images,)
        Labels, which are prefetched for the output layer.
    order : ndarray of int64, shape (M,)
        Indices of the images.
    batch : Batch
        The batch.
    image_range : tuple of int
        Start and end of this thread's images in the batch.
    sizes : TrainingSizes
        Widths of the network.
    scale : float32
        Factor from stored values to features.
    zero_panel : Lanes
        Zeros, as wide as a panel.
    """
    # Read before the loops, because each access to a tuple's attribute makes Numba update a reference count atomically.
    W1, b1, values, pixels, starts = model.W1, model.b1, images.values, images.pixels, images.starts
    A1, hidden_lanes, lanes = buffers.A1, len(b1), width(zero_panel)
    for p in range(0, hidden_lanes, lanes):
        panel_start = p * sizes.inputs
        for n in range(image_range[0], image_range[1]):
            # Prefetch the first 192 entries of a later image, which are enough for most digits. Also prefetch the start
            # and label of an even later image, whose own prefetch would otherwise have to wait for its start.
            ahead = batch.begin + n + PREFETCH_DISTANCE
            if p == 0 and ahead + PREFETCH_DISTANCE < len(order):
                start = at(starts, at(order, ahead))
                prefetch(values, start, 3)
                prefetch(pixels, start, 6)
                prefetch(starts, at(order, ahead + PREFETCH_DISTANCE), 1)
                prefetch(y, at(order, ahead + PREFETCH_DISTANCE), 1)
            row = at(order, batch.begin + n)
            # If there are enough registers, four accumulators hide the latency of an addition, which is four cycles.
            s0, s1, s2, s3 = zero_panel, zero_panel, zero_panel, zero_panel
            if lanes <= MAX_FOUR_SUMS_LANES:
                for k in range(at(starts, row), at(starts, row + 1), 4):
                    x, indices = load_four(values, k), load_four_indices(pixels, k)
                    s0 += pick(x, 0, zero_panel) * load(W1, panel_start + pick_index(indices, 0) * lanes, zero_panel)
                    s1 += pick(x, 1, zero_panel) * load(W1, panel_start + pick_index(indices, 1) * lanes, zero_panel)
                    s2 += pick(x, 2, zero_panel) * load(W1, panel_start + pick_index(indices, 2) * lanes, zero_panel)
                    s3 += pick(x, 3, zero_panel) * load(W1, panel_start + pick_index(indices, 3) * lanes, zero_panel)
                s0 = (s0 + s1) + (s2 + s3)
            else:
                for k in range(at(starts, row), at(starts, row + 1), 4):
                    x, indices = load_four(values, k), load_four_indices(pixels, k)
                    s0 += pick(x, 0, zero_panel) * load(W1, panel_start + pick_index(indices, 0) * lanes, zero_panel)
                    s0 += pick(x, 1, zero_panel) * load(W1, panel_start + pick_index(indices, 1) * lanes, zero_panel)
                    s0 += pick(x, 2, zero_panel) * load(W1, panel_start + pick_index(indices, 2) * lanes, zero_panel)
                    s0 += pick(x, 3, zero_panel) * load(W1, panel_start + pick_index(indices, 3) * lanes, zero_panel)
            store(A1, n * hidden_lanes + p, relu(scale * s0 + load(b1, p, zero_panel)))


@device_function
def add_outer_products(
    target: FloatArray,
    images: NonzeroImages,
    buffers: Buffers,
    hidden_lanes: int,
    order: npt.NDArray[np.int64],
    batch: Batch,
    pixel_range: tuple[int, int],
    sizes: TrainingSizes,
    factor: np.float32,
    zero_panel: Any,
) -> None:
    """Compute ``target += factor X^T dZ1`` for a range of pixels, entry by entry.

    Images are added in the order of the batch, for any number of threads.

    Parameters
    ----------
    target : ndarray of float32, shape (n_panels * D * P,)
        W1 of the parameters, or of the gradients; updated in place.
    images : NonzeroImages
        The training images.
    buffers : Buffers
        ``dZ1`` is read.
    hidden_lanes : int
        Width of the hidden layer with padding.
    order : ndarray of int64, shape (M,)
        Indices of the images.
    batch : Batch
        The batch.
    pixel_range : tuple of int
        Start and end of this thread's pixels.
    sizes : TrainingSizes
        Widths of the network.
    factor : float32
        Scale of the features, times the negative learning rate if ``target`` are parameters.
    zero_panel : Lanes
        Zeros, as wide as a panel.
    """
    values, pixels, starts = images.values, images.pixels, images.starts
    dZ1, counts_below_middle = buffers.dZ1, images.counts_below_middle
    lanes = width(zero_panel)
    for p in range(0, hidden_lanes, lanes):
        panel_start = p * sizes.inputs
        for n in range(batch.size):
            # In smaller batches, the lists are still in L2 after the forward pass.
            if batch.size > MAX_L2_BATCH_SIZE and n + PREFETCH_DISTANCE < batch.size:
                ahead = at(starts, at(order, batch.begin + n + PREFETCH_DISTANCE))
                prefetch(values, ahead, 3)
                prefetch(pixels, ahead, 6)
            row = at(order, batch.begin + n)
            start, end = at(starts, row), at(starts, row + 1)
            half = start + np.intp(at(counts_below_middle, row))
            if pixel_range[0] > 0:
                start = half if pixel_range[0] == images.middle else lower_bound(pixels, start, end, pixel_range[0])
            if pixel_range[1] < sizes.inputs:
                end = half if pixel_range[1] == images.middle else lower_bound(pixels, start, end, pixel_range[1])
            gradient = factor * load(dZ1, n * hidden_lanes + p, zero_panel)
            # The range of pixels may start and end within a group of four entries.
            aligned_start, aligned_end = (start + 3) & MULTIPLE_OF_FOUR, end & MULTIPLE_OF_FOUR
            if aligned_start > aligned_end:
                aligned_start = aligned_end = end
            for k in range(start, aligned_start):
                value = np.float32(at(values, k))
                add_to(target, panel_start + np.intp(at(pixels, k)) * lanes, product(value, gradient))
            for k in range(aligned_end, end):
                value = np.float32(at(values, k))
                add_to(target, panel_start + np.intp(at(pixels, k)) * lanes, product(value, gradient))
            for k in range(aligned_start, aligned_end, 4):
                x, indices = load_four(values, k), load_four_indices(pixels, k)
                add_to(target, panel_start + pick_index(indices, 0) * lanes, product(pick(x, 0, zero_panel), gradient))
                add_to(target, panel_start + pick_index(indices, 1) * lanes, product(pick(x, 1, zero_panel), gradient))
                add_to(target, panel_start + pick_index(indices, 2) * lanes, product(pick(x, 2, zero_panel), gradient))
                add_to(target, panel_start + pick_index(indices, 3) * lanes, product(pick(x, 3, zero_panel), gradient))


@device_function
def lower_bound(pixels: npt.NDArray[np.uint16], start: int, end: int, pixel: int) -> int:
    """Return the index of the first entry whose pixel is not less than ``pixel``, by bisection.

    Parameters
    ----------
    pixels : ndarray of uint16, shape (size,)
        Pixel indices, ascending from ``start`` to ``end``.
    start, end : int
        The range to search.
    pixel : int
        The value to search for.

    Returns
    -------
    index : int
        An index from ``start`` to ``end``.
    """
    # Branchless, because the CPU would mispredict a branch half of the time.
    length = end - start
    while length > 1:
        half = length // 2
        start += half * (at(pixels, start + half - 1) < pixel)
        length -= half
    return start + (length == 1 and at(pixels, start) < pixel)


sgd_update, moment_update = row_updates(add_outer_products)
