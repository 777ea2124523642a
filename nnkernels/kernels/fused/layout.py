"""The memory layout of the fused kernels: padded parameters, and buffers for training."""

from __future__ import annotations

import threading
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.kernels.simd import CACHE_LINE, VECTOR, lanes_for
from nnkernels.parameters import FloatArray, Parameters

FLOATS_PER_LINE = CACHE_LINE // 4
BLOCK_PIXELS = 16  # pixels of a block of an image in tiles
TILE_GROUP = 32  # images of a group in the output layer, with tiles; otherwise eight
MAX_BLOCKS = 64  # bits of the mask of an image in tiles


class PaddedParameters(NamedTuple):
    """Parameters, gradients or moments, padded to whole vectors, in one contiguous float32 array.

    The hidden layer is split into panels of P lanes, and the classes take C' lanes. Padding is 0 and does not change
    during training. Only the padding of the parameter ``b2`` is -inf, so that the additional classes have the
    probability exp(-inf) = 0. The memory is aligned to a cache line.

    Attributes
    ----------
    flat : ndarray, shape (size,)
        The memory of the other attributes, in their order.
    W1 : ndarray, shape (n_panels * rows * row_floats,)
        Panel by panel; in each, one row of P lanes per pixel. :class:`~nnkernels.kernels.fused.tile_layout.TileLayout`
        has a row per block of pixels instead.
    b1 : ndarray, shape (n_panels * P,)
        Biases of the hidden layer.
    W2 : ndarray, shape (n_panels * P * C',)
        One row of C' lanes per hidden unit.
    b2 : ndarray, shape (C',)
        Biases of the output layer.
    """

    flat: FloatArray
    W1: FloatArray
    b1: FloatArray
    W2: FloatArray
    b2: FloatArray


class Layout:
    """The memory layout of a network in a :class:`PaddedParameters`.

    Parameters
    ----------
    inputs, hidden, classes : int
        Widths of the network.
    max_panel_lanes : int
        Maximum number of lanes of a panel, a multiple of eight.

    Attributes
    ----------
    panels, panel_lanes : int
        Number of panels of the hidden layer, and lanes of each.
    rows, row_floats : int
        Number of rows of a panel of W1, one per pixel, and floats of each.
    row_group : int
        Threads divide the rows in groups of this size.
    hidden_lanes, class_lanes : int
        Widths of the hidden and of the output layer with padding.
    """

    row_group = VECTOR

    def __init__(self, inputs: int, hidden: int, classes: int, max_panel_lanes: int) -> None:
        self.inputs, self.hidden, self.classes = inputs, hidden, classes
        self.panels = -(-hidden // max_panel_lanes)
        self.panel_lanes = lanes_for(-(-hidden // self.panels))
        self.rows, self.row_floats = inputs, self.panel_lanes
        self.hidden_lanes = self.panels * self.panel_lanes
        self.class_lanes = lanes_for(classes)

    @staticmethod
    def of(params: Parameters, max_panel_lanes: int) -> Layout:
        """Return the layout of a network with the shapes of these parameters.

        Parameters
        ----------
        params : Parameters
            The parameters.
        max_panel_lanes : int
            Maximum number of lanes of a panel, a multiple of eight.

        Returns
        -------
        layout : Layout
            The layout, cached.
        """
        inputs, hidden = params.W1.shape
        return _layout(inputs, hidden, len(params.b2), max_panel_lanes)

    @property
    def panel(self) -> int:
        """The size of a panel by which kernels are specialised."""
        return self.panel_lanes

    @property
    def ends(self) -> list[int]:
        """The ends of W1, b1, W2 and b2 in the memory of a model, all of them multiples of eight."""
        hidden, classes = self.hidden_lanes, self.class_lanes
        return list(accumulate((self.panels * self.rows * self.row_floats, hidden, hidden * classes, classes)))

    def view(self, memory: FloatArray) -> PaddedParameters:
        """Return a model that uses the given memory.

        Parameters
        ----------
        memory : ndarray of float32, shape (size,)
            The memory, with as many elements as the last of :attr:`ends`.

        Returns
        -------
        model : PaddedParameters
            Views of the memory.
        """
        return PaddedParameters(memory, *(memory[start:end] for start, end in pairwise((0, *self.ends))))

    def pack(self, params: Parameters, model: PaddedParameters, b2_padding: float = 0.0) -> None:
        """Copy parameters into a model.

        Parameters
        ----------
        params : Parameters
            Parameters or moments.
        model : PaddedParameters
            The destination, all zero before the call.
        b2_padding : float
            Padding of ``b2``: -inf for parameters, 0 for moments.
        """
        self._pack_first_weights(params.W1, model.W1)
        model.b1[: self.hidden] = params.b1
        model.W2.reshape(self.hidden_lanes, self.class_lanes)[: self.hidden, : self.classes] = params.W2
        model.b2[: self.classes] = params.b2
        model.b2[self.classes :] = b2_padding

    def unpack(self, model: PaddedParameters, params: Parameters) -> None:
        """Copy a model into parameters.

        Parameters
        ----------
        model : PaddedParameters
            The source.
        params : Parameters
            The destination, written in place.
        """
        self._unpack_first_weights(model.W1, params.W1)
        params.b1[:] = model.b1[: self.hidden]
        params.W2[:] = model.W2.reshape(self.hidden_lanes, self.class_lanes)[: self.hidden, : self.classes]
        params.b2[:] = model.b2[: self.classes]

    def _pack_first_weights(self, W1: FloatArray, memory: FloatArray) -> None:
        for units, panel in self._panels(memory):
            panel[:, : units.stop - units.start] = W1[:, units]

    def _unpack_first_weights(self, memory: FloatArray, W1: FloatArray) -> None:
        for units, panel in self._panels(memory):
            W1[:, units] = panel[:, : units.stop - units.start]

    def _panels(self, memory: FloatArray) -> list[tuple[slice, FloatArray]]:
        panels = memory.reshape(self.panels, self.inputs, self.panel_lanes)
        starts = [p * self.panel_lanes for p in range(self.panels)]
        return [
            (slice(start, min(start + self.panel_lanes, self.hidden)), panel)
            for start, panel in zip(starts, panels, strict=True)
            if start < self.hidden
        ]


@lru_cache
def _layout(inputs: int, hidden: int, classes: int, max_panel_lanes: int) -> Layout:
    return Layout(inputs, hidden, classes, max_panel_lanes)


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


_thread_local = threading.local()


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
