"""The fused kernels' own copy of the parameters: flat arrays in the order in which the kernels walk through them."""

from __future__ import annotations

import threading
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from nnkernels.kernels.simd import CACHE_LINE, lanes_for
from nnkernels.parameters import FloatArray, Parameters

FLOATS_A_LINE = CACHE_LINE // 4


class Model(NamedTuple):
    """Parameters, gradients or moments, float32, in one piece of memory that starts a cache line.

    The hidden layer is cut into panels of P lanes, the classes take C' lanes. Lanes beyond the network's units hold
    zeros; those of ``b2`` hold -inf, whose exponential is 0, and none of them ever changes.

    Attributes
    ----------
    flat : ndarray, shape (size,)
        The four others, one after the other.
    W1 : ndarray, shape (panels * D * P,)
        Panel by panel, a row of P lanes a pixel.
    b1 : ndarray, shape (panels * P,)
    W2 : ndarray, shape (panels * P * C',)
        A row of C' lanes a hidden unit.
    b2 : ndarray, shape (C',)
    """

    flat: FloatArray
    W1: FloatArray
    b1: FloatArray
    W2: FloatArray
    b2: FloatArray


class Layout:
    """How a network of these widths lies in a :class:`Model`."""

    def __init__(self, inputs: int, hidden: int, classes: int, most_panel_lanes: int) -> None:
        self.inputs, self.hidden, self.classes = inputs, hidden, classes
        self.panels = -(-hidden // most_panel_lanes)
        self.panel_lanes = lanes_for(-(-hidden // self.panels))
        self.hidden_lanes = self.panels * self.panel_lanes
        self.class_lanes = lanes_for(classes)

    @staticmethod
    def of(params: Parameters, most_panel_lanes: int) -> Layout:
        """Return the layout of given parameters."""
        inputs, hidden = params.W1.shape
        return _layout(inputs, hidden, len(params.b2), most_panel_lanes)

    @property
    def ends(self) -> list[int]:
        """Return where W1, b1, W2 and b2 end in a model's memory; each is whole vectors."""
        hidden, classes = self.hidden_lanes, self.class_lanes
        return list(accumulate((hidden * self.inputs, hidden, hidden * classes, classes)))

    def model(self, memory: FloatArray) -> Model:
        """Return the model that lies in this memory, as long as :attr:`ends` says."""
        return Model(memory, *(memory[start:end] for start, end in pairwise((0, *self.ends))))

    def pack(self, params: Parameters, model: Model, b2_padding: float = 0.0) -> None:
        """Copy parameters into a model of zeros."""
        for units, panel in self._panels(model):
            panel[:, : units.stop - units.start] = params.W1[:, units]
        model.b1[: self.hidden] = params.b1
        model.W2.reshape(self.hidden_lanes, self.class_lanes)[: self.hidden, : self.classes] = params.W2
        model.b2[: self.classes] = params.b2
        model.b2[self.classes :] = b2_padding

    def unpack(self, model: Model, params: Parameters) -> None:
        """Copy a model into parameters."""
        for units, panel in self._panels(model):
            params.W1[:, units] = panel[:, : units.stop - units.start]
        params.b1[:] = model.b1[: self.hidden]
        params.W2[:] = model.W2.reshape(self.hidden_lanes, self.class_lanes)[: self.hidden, : self.classes]
        params.b2[:] = model.b2[: self.classes]

    def _panels(self, model: Model) -> list[tuple[slice, FloatArray]]:
        panels = model.W1.reshape(self.panels, self.inputs, self.panel_lanes)
        starts = [p * self.panel_lanes for p in range(self.panels)]
        return [
            (slice(start, min(start + self.panel_lanes, self.hidden)), panel)
            for start, panel in zip(starts, panels, strict=True)
            if start < self.hidden
        ]


@lru_cache
def _layout(inputs: int, hidden: int, classes: int, most_panel_lanes: int) -> Layout:
    return Layout(inputs, hidden, classes, most_panel_lanes)


class Buffers(NamedTuple):
    """What a stretch of training needs beside parameters and data; allocated once.

    Attributes
    ----------
    A1, dZ1 : ndarray, shape (images * hidden lanes,)
        For the images of a batch, rounded up to a multiple of eight.
    dlogits : ndarray, shape (images * class lanes,)
    columns : ndarray, shape (threads, 8 * (hidden lanes + class lanes))
        Hidden units and classes of eight images, transposed; a row a thread.
    features : ndarray, shape (images * row,)
        For the dense layer: the batch as floats, a row an image, rounded up to whole vectors. Else empty.
    """

    A1: FloatArray
    dZ1: FloatArray
    dlogits: FloatArray
    columns: FloatArray
    features: FloatArray


def training_memory(
    layout: Layout, batch_size: int, threads: int, dense: bool, models: int
) -> tuple[list[Model], Buffers]:
    """Return so many models and a workspace, all zeros, in memory that the next call on this thread is given again.

    Fresh memory would cost a short stretch more than its arithmetic: the system hands it over page by page.
    """
    images = lanes_for(batch_size)
    columns = 8 * (layout.hidden_lanes + layout.class_lanes)
    lengths = [
        *[layout.ends[-1]] * models,
        images * layout.hidden_lanes,
        images * layout.hidden_lanes,
        images * layout.class_lanes,
        threads * columns,
        images * lanes_for(layout.inputs) if dense else 0,
    ]
    # Each starts a cache line, so that no vector lies across two.
    ends = list(accumulate(-(-length // FLOATS_A_LINE) * FLOATS_A_LINE for length in lengths))
    kept: FloatArray | None = getattr(_of_this_thread, "memory", None)
    if kept is None or len(kept) < ends[-1]:
        kept = _of_this_thread.memory = aligned_zeros(ends[-1])
    kept[: ends[-1]] = 0
    arrays = [kept[start : start + length] for start, length in zip((0, *ends), lengths, strict=False)]
    A1, dZ1, dlogits, all_columns, features = arrays[models:]
    space = Buffers(A1, dZ1, dlogits, all_columns.reshape(threads, columns), features)
    return [layout.model(memory) for memory in arrays[:models]], space


class TrainingSizes(NamedTuple):
    """The sizes that are no compile-time constants."""

    inputs: int
    hidden: int
    classes: int
    batch_size: int


class Batch(NamedTuple):
    """Where a batch lies in the order, and how many images it has."""

    begin: int
    size: int


_of_this_thread = threading.local()


def aligned_zeros(length: int) -> FloatArray:
    """Return float32 zeros from a cache line on: no vector of eight lies across two."""
    memory = np.zeros(length + FLOATS_A_LINE, np.float32)
    start = -memory.__array_interface__["data"][0] // 4 % FLOATS_A_LINE
    return memory[start : start + length]
