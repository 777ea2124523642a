"""The forward and backward pass of the first layer in tiles: sixteen pixels of a block for up to 24 hidden units.

W1 is stored block by block: for each hidden unit, one vector of the weights of the block's 16 pixels. A vector register
is a row of a tile; the 32 registers of AVX-512 contain the sums of up to 24 units and the operands.

Forward, an image has one sum of 16 lanes for each unit, and each lane adds the products of its pixels::

    sums[h] += x[block] * W1[block, h]                    for each inked block of the image
    A1[n, h] = relu(scale * total(sums[h]) + b1[h])       once per image

Backward, a block's gradient grows in registers over all images of the batch in which it is inked, so that its weights
are read and written once per batch, not once per image::

    gradient[h] += x[image] * dZ1[image, h]               for each image in the block's list
    W1[block, h] -= learning_rate * scale * gradient[h]   once per batch

The forward pass makes these lists, and copies the pixels into them, so that the update reads them one after another.
It and the update visit images in the order of the batch, for any number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.jit import device_function, inlined
from nnkernels.kernels.contract import UpdateRule
from nnkernels.kernels.fused.buffers import BLOCK_PIXELS, MAX_BLOCKS, Batch, Buffers, TrainingSizes
from nnkernels.kernels.fused.layout import PaddedParameters
from nnkernels.kernels.fused.partitions import WEIGHT_ROWS
from nnkernels.kernels.fused.tile_images import RECORD_UNIT, TileImages
from nnkernels.kernels.fused.update import moment_step
from nnkernels.kernels.simd import (
    TILE_VECTOR,
    add_to,
    at,
    copy_sixteen,
    load,
    load_repeated,
    load_spread,
    lowest_bit,
    mask_at,
    prefetch,
    put,
    relu,
    store,
    tile_totals,
    width,
    zero_tile,
)
from nnkernels.parameters import FloatArray

MAX_PANEL_UNITS = 24  # sums of a panel: with them, eight of the 32 registers of AVX-512 are left for operands
PREFETCH_DISTANCE = 4  # in images


@device_function
def first_layer(
    model: PaddedParameters,
    buffers: Buffers,
    images: TileImages,
    y: npt.NDArray[Any],
    order: npt.NDArray[np.int64],
    batch: Batch,
    image_range: tuple[int, int],
    sizes: TrainingSizes,
    scale: np.float32,
    zero_panel: Any,
) -> None:
    """Compute ``A1 = relu(scale X W1 + b1)``, with the parameters of ``nonzero_layer.first_layer``.

    ``images`` are records of blocks, and ``zero_panel`` is a tile. The lists of the blocks are written too, unless
    ``buffers`` has none.
    """
    W1, b1, A1, records, starts = model.W1, model.b1, buffers.A1, images.records, images.starts
    hidden_lanes, tile = len(b1), width(zero_panel)
    units = tile // TILE_VECTOR
    has_lists = len(buffers.list_images) > 0 and image_range[0] < image_range[1]
    if has_lists:
        _begin_lists(buffers, image_range)
    for p in range(sizes.panels):
        panel_start = p * sizes.rows * tile
        for n in range(image_range[0], image_range[1]):
            # The record of a later image, and the start and label of an even later one. Most records have 5 lines.
            ahead = batch.begin + n + PREFETCH_DISTANCE
            if p == 0 and ahead + 2 * PREFETCH_DISTANCE < len(order):
                prefetch(records, np.intp(at(starts, at(order, ahead))) * RECORD_UNIT, 6)
                prefetch(starts, at(order, ahead + 2 * PREFETCH_DISTANCE), 1)
                prefetch(y, at(order, ahead + 2 * PREFETCH_DISTANCE), 1)
            position = np.intp(at(starts, at(order, batch.begin + n))) * RECORD_UNIT
            mask = mask_at(records, position)
            if p == 0 and has_lists:
                sums = _sums_with_lists(buffers, W1, records, position, mask, n, image_range[0], zero_panel)
            else:
                sums = _sums(W1, panel_start, records, position, mask, zero_panel)
            totals = tile_totals(sums)
            store(A1, n * hidden_lanes + p * units, relu(scale * totals + load(b1, p * units, totals)))


@inlined
def _begin_lists(buffers: Buffers, image_range: tuple[int, int]) -> None:
    """Begin a thread's part of each list, which starts at its first image, since its images are consecutive."""
    group = image_range[0] // 8
    put(buffers.part_ends, group, (image_range[1] + 7) // 8)
    for block in range(MAX_BLOCKS):
        put(buffers.counts, group * MAX_BLOCKS + block, 0)


@inlined
def _sums(
    W1: FloatArray,
    panel_start: int,
    records: npt.NDArray[np.uint8],
    position: np.intp,
    mask: np.uint64,
    zero_panel: Any,
) -> Any:
    """Return the sums of an image: for each unit of a panel, the products with the pixels of the inked blocks."""
    sums = zero_panel
    while mask != 0:
        block = lowest_bit(mask)
        mask &= mask - np.uint64(1)
        position += RECORD_UNIT
        sums += load_repeated(records, position, zero_panel) * load(
            W1, panel_start + block * width(zero_panel), zero_panel
        )
    return sums


@inlined
def _sums_with_lists(
    buffers: Buffers,
    W1: FloatArray,
    records: npt.NDArray[np.uint8],
    position: np.intp,
    mask: np.uint64,
    n: int,
    first: int,
    zero_panel: Any,
) -> Any:
    """Compute the sums of the first panel, as in :func:`_sums`, and append image n to the lists of its inked blocks.

    The thread's part of each list starts at image ``first``. One loop does both, because multiply-adds leave time for
    the lists, and the end of each loop costs a misprediction. Whether lists are written is decided outside: inside, it
    takes registers that the sums need.

    Returns
    -------
    sums : Lanes
        The sums.
    """
    list_images, list_pixels, counts = buffers.list_images, buffers.list_pixels, buffers.counts
    capacity, own_counts = len(list_images) // MAX_BLOCKS, first // 8 * MAX_BLOCKS
    sums = zero_panel
    while mask != 0:
        block = lowest_bit(mask)
        mask &= mask - np.uint64(1)
        position += RECORD_UNIT
        count = at(counts, own_counts + block)
        put(counts, own_counts + block, count + 1)
        entry = block * capacity + first + count
        put(list_images, entry, np.int32(n))
        copy_sixteen(list_pixels, entry * BLOCK_PIXELS, records, position)
        sums += load_repeated(records, position, zero_panel) * load(W1, block * width(zero_panel), zero_panel)
    return sums


@device_function
def sgd_update(
    model: PaddedParameters,
    buffers: Buffers,
    images: TileImages,
    order: npt.NDArray[np.int64],
    batch: Batch,
    ranges: npt.NDArray[np.int64],
    threads: int,
    sizes: TrainingSizes,
    scale: np.float32,
    step: np.float32,
    zero_panel: Any,
) -> None:
    """Update a range of blocks by plain gradient descent.

    Parameters
    ----------
    model : PaddedParameters
        The parameters, of which W1 is updated in place.
    buffers : Buffers
        ``dZ1`` and the lists are read.
    images : TileImages
        The training images; not used, since the lists contain pixels.
    order : ndarray of int64, shape (M,)
        Indices of the images; not used either.
    batch : Batch
        The batch.
    ranges : ndarray of int64, shape (n_panels + 5, 2)
        This thread's part of the weights (see ``partitions.thread_partitions``).
    threads : int
        Number of threads; not used.
    sizes : TrainingSizes
        Widths of the network.
    scale : float32
        Factor from pixels to features.
    step : float32
        Learning rate.
    zero_panel : Lanes
        A tile of zeros, as large as a panel.
    """
    tile, factor = width(zero_panel), -step * scale
    for p in range(sizes.panels):
        for block in range(ranges[WEIGHT_ROWS, 0], ranges[WEIGHT_ROWS, 1]):
            images_of_block, gradient = _gradient(buffers, batch, block, p, len(model.b1), zero_panel)
            if images_of_block:
                add_to(model.W1, (p * sizes.rows + block) * tile, factor * gradient)


@device_function
def moment_update(
    model: PaddedParameters,
    grads: PaddedParameters,
    first: npt.NDArray[np.float32],
    second: npt.NDArray[np.float32],
    buffers: Buffers,
    images: TileImages,
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
    """Update a range of blocks by any optimizer.

    Parameters
    ----------
    model : PaddedParameters
        The parameters, of which W1 is updated in place.
    grads : PaddedParameters
        The memory of the gradients, where each thread uses one block at a time.
    first, second : ndarray of float32, shape (size,)
        Moments, updated in place (see ``update.moment_step``).
    buffers : Buffers
        ``dZ1`` and the lists are read.
    images : TileImages
        The training images; not used, since the lists contain pixels.
    order : ndarray of int64, shape (M,)
        Indices of the images; not used either.
    batch : Batch
        The batch.
    ranges : ndarray of int64, shape (n_panels + 5, 2)
        This thread's part of the weights (see ``partitions.thread_partitions``).
    threads : int
        Number of threads; not used.
    sizes : TrainingSizes
        Widths of the network.
    scale : float32
        Factor from pixels to features.
    step : float32
        Step size, which for Adam includes the bias correction.
    decay : float32
        Factor of the parameters before the step.
    rule : UpdateRule
        The optimizer.
    zero_panel : Lanes
        A tile of zeros, as large as a panel.
    """
    tile = width(zero_panel)
    own_gradient = ranges[WEIGHT_ROWS, 0] * tile
    for p in range(sizes.panels):
        for block in range(ranges[WEIGHT_ROWS, 0], ranges[WEIGHT_ROWS, 1]):
            start = (p * sizes.rows + block) * tile
            _, gradient = _gradient(buffers, batch, block, p, len(model.b1), zero_panel)
            # The gradient of one block at a time, in memory that stays in L1.
            store(grads.W1, own_gradient, scale * gradient)
            end = start + tile
            moment_step(model.flat, grads.W1, first, second, start, end, own_gradient, step, decay, rule, zero_tile(1))


@inlined
def _gradient(buffers: Buffers, batch: Batch, block: int, panel: int, hidden_lanes: int, zero_panel: Any) -> Any:
    """Return the number of images in which a block is inked, and the sum of their outer products with ``dZ1``."""
    list_images, list_pixels, dZ1 = buffers.list_images, buffers.list_pixels, buffers.dZ1
    counts, part_ends = buffers.counts, buffers.part_ends
    list_start = block * (len(list_images) // MAX_BLOCKS)
    units = panel * (width(zero_panel) // TILE_VECTOR)
    gradient, images_of_block = zero_panel, 0
    group = 0
    while 8 * group < batch.size:  # the parts of the threads, one after another
        count = at(counts, group * MAX_BLOCKS + block)
        images_of_block += count
        for k in range(list_start + 8 * group, list_start + 8 * group + count):
            dZ = load_spread(dZ1, np.intp(at(list_images, k)) * hidden_lanes + units, zero_panel)
            gradient += load_repeated(list_pixels, k * BLOCK_PIXELS, zero_panel) * dZ
        group = at(part_ends, group)
    return images_of_block, gradient
