"""Memory for training with the fused kernels, which successive calls reuse, and the sizes of a batch."""

from __future__ import annotations

import threading
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.kernels.fused.layout import Layout, PaddedParameters
from nnkernels.kernels.simd import CACHE_LINE, VECTOR, lanes_for
from nnkernels.parameters import FloatArray

FLOATS_PER_LINE = CACHE_LINE // 4
BLOCK_PIXELS = 16  # pixels of a block of an image in tiles
TILE_GROUP = 16  # images of a group in the output layer, with tiles; otherwise eight
MAX_BLOCKS = 64  # bits of the mask of an image in tiles
_thread_local = threading.local()


class Buffers(NamedTuple):
    """Buffers for the intermediate results of a batch, float32. All batches of a call use the same ones.

    The number of images is that of a batch, rounded up to a multiple of eight.

    Attributes
    ----------
    A1, dZ1 : ndarray, shape (n_images * hidden_lanes,)
        Activations of the hidden layer, and gradients before ReLU.
    dlogits : ndarray, shape (n_images * class_lanes,)
        Gradients of the logits.
    columns : ndarray, shape (n_threads, group * (hidden_lanes + class_lanes + 1))
        Hidden units, classes and labels of a group of images, transposed, for each thread.
    features : ndarray, shape (n_images * row_length,)
        The batch as floats for the dense layer, where a row is rounded up to whole vectors. Otherwise empty.
    list_images : ndarray of int32, shape (MAX_BLOCKS * capacity,)
        For the tile layer, a list for each block: in which images of the batch it is inked. Otherwise empty.
    list_pixels : ndarray of uint8, shape (MAX_BLOCKS * capacity * 16,)
        The block's pixels in each of these images.
    counts : ndarray of int64, shape (n_images / 8 * MAX_BLOCKS,)
        Lengths of the parts of the lists, which start at multiples of eight images. Empty with the lists.
    part_ends : ndarray of int64, shape (n_images / 8,)
        For each part of the lists, where the next one starts, in groups of eight images. Empty with the lists.
    """

    A1: FloatArray
    dZ1: FloatArray
    dlogits: FloatArray
    columns: FloatArray
    features: FloatArray
    list_images: npt.NDArray[np.int32]
    list_pixels: npt.NDArray[np.uint8]
    counts: npt.NDArray[np.int64]
    part_ends: npt.NDArray[np.int64]


def training_buffers(
    layout: Layout, batch_size: int, threads: int, models: int, path: str
) -> tuple[list[PaddedParameters], Buffers]:
    """Return the memory for a training call: some models and the buffers, all zero.

    The memory is reused by the next call on the same thread. The page faults of fresh memory would take longer than the
    arithmetic of a few batches.

    Parameters
    ----------
    layout : Layout
        Layout of the network.
    batch_size : int
        Number of images per batch.
    threads : int
        Number of threads.
    models : int
        Number of models: parameters, gradients, and moments if the optimizer has any.
    path : {"lists", "tiles", "dense"}
        The first layer: the dense one needs the batch as floats, and the one in tiles needs lists.

    Returns
    -------
    models : list of PaddedParameters
        The models.
    buffers : Buffers
        The buffers.
    """
    images = lanes_for(batch_size)
    columns = (TILE_GROUP if path == "tiles" else VECTOR) * (layout.hidden_lanes + layout.class_lanes + 1)
    # Not a power of two, with which all lists would start in the same set of the cache.
    entries = MAX_BLOCKS * (images + VECTOR) if path == "tiles" else 0
    groups = images // VECTOR if path == "tiles" else 0
    lengths = [
        *[layout.ends[-1]] * models,
        images * layout.hidden_lanes,
        images * layout.hidden_lanes,
        images * layout.class_lanes,
        threads * columns,
        images * lanes_for(layout.inputs) if path == "dense" else 0,
        entries,
        BLOCK_PIXELS // 4 * entries,
        2 * MAX_BLOCKS * groups,
        2 * groups,
    ]
    # Each array is aligned to a cache line, so that no vector crosses two lines.
    ends = list(accumulate(-(-length // FLOATS_PER_LINE) * FLOATS_PER_LINE for length in lengths))
    scratch: FloatArray | None = getattr(_thread_local, "memory", None)
    if scratch is None or len(scratch) < ends[-1]:
        scratch = _thread_local.memory = aligned_zeros(ends[-1])
    scratch[: ends[-1]] = 0
    arrays = [scratch[start : start + length] for start, length in zip((0, *ends), lengths, strict=False)]
    A1, dZ1, dlogits, all_columns, features, list_images, list_pixels, counts, part_ends = arrays[models:]
    lists = list_images.view(np.int32), list_pixels.view(np.uint8), counts.view(np.int64), part_ends.view(np.int64)
    buffers = Buffers(A1, dZ1, dlogits, all_columns.reshape(threads, columns), features, *lists)
    return [layout.view(memory) for memory in arrays[:models]], buffers


class TrainingSizes(NamedTuple):
    """Sizes that are not compile-time constants.

    Attributes
    ----------
    inputs, hidden, classes : int
        Widths of the network, without padding.
    panels, rows : int
        Panels of the hidden layer, and rows of each in W1.
    batch_size : int
        Number of images per batch.
    """

    inputs: int
    hidden: int
    classes: int
    panels: int
    rows: int
    batch_size: int


class Batch(NamedTuple):
    """The position of a batch in the image order.

    Attributes
    ----------
    begin : int
        Index of its first image in ``order``.
    size : int
        Number of images.
    """

    begin: int
    size: int


def aligned_zeros(length: int) -> FloatArray:
    """Return zeros that are aligned to a cache line, so that no vector of eight floats crosses two lines.

    Parameters
    ----------
    length : int
        Number of elements.

    Returns
    -------
    zeros : ndarray of float32, shape (length,)
        The zeros.
    """
    memory = np.zeros(length + FLOATS_PER_LINE, np.float32)
    start = -memory.__array_interface__["data"][0] // 4 % FLOATS_PER_LINE
    return memory[start : start + length]
