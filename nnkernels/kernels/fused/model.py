"""The fused kernels' own copy of the parameters: flat arrays in the order in which the kernels walk through them."""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import numpy as np

from nnkernels.kernels.simd import lanes_for
from nnkernels.parameters import FloatArray, Parameters

CACHE_LINE = 64


class Model(NamedTuple):
    """Parameters, gradients or moments, float32.

    The hidden layer is cut into panels of P lanes, the classes take C' lanes. Lanes beyond the network's units hold
    zeros; those of ``b2`` hold -inf, whose exponential is 0, and none of them ever changes.

    Attributes
    ----------
    W1 : ndarray, shape (panels * D * P,)
        Panel by panel, a row of P lanes a pixel.
    b1 : ndarray, shape (panels * P,)
    W2 : ndarray, shape (panels * P * C',)
        A row of C' lanes a hidden unit.
    b2 : ndarray, shape (C',)
    """

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

    @classmethod
    def of(cls, params: Parameters, most_panel_lanes: int) -> Layout:
        """Return the layout of given parameters."""
        inputs, hidden = params.W1.shape
        return cls(inputs, hidden, len(params.b2), most_panel_lanes)

    def new(self, b2_padding: float = 0.0) -> Model:
        """Return a model of zeros."""
        lengths = (
            self.hidden_lanes * self.inputs,
            self.hidden_lanes,
            self.hidden_lanes * self.class_lanes,
            self.class_lanes,
        )
        model = Model(*aligned_zeros(*lengths))
        model.b2[self.classes :] = b2_padding
        return model

    def packed(self, params: Parameters, b2_padding: float = 0.0) -> Model:
        """Return a copy of the parameters as a model."""
        model = self.new(b2_padding)
        for units, panel in self._panels(model):
            panel[:, : units.stop - units.start] = params.W1[:, units]
        model.b1[: self.hidden] = params.b1
        model.W2.reshape(self.hidden_lanes, self.class_lanes)[: self.hidden, : self.classes] = params.W2
        model.b2[: self.classes] = params.b2
        return model

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


class Workspace(NamedTuple):
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


def new_workspace(layout: Layout, batch_size: int, threads: int, dense: bool) -> Workspace:
    """Return a workspace of zeros."""
    images = lanes_for(batch_size)
    columns = 8 * (layout.hidden_lanes + layout.class_lanes)
    A1, dZ1, dlogits, all_columns, features = aligned_zeros(
        images * layout.hidden_lanes,
        images * layout.hidden_lanes,
        images * layout.class_lanes,
        threads * columns,
        images * lanes_for(layout.inputs) if dense else 0,
    )
    return Workspace(A1, dZ1, dlogits, all_columns.reshape(threads, columns), features)


class Sizes(NamedTuple):
    """The sizes that are no compile-time constants."""

    inputs: int
    hidden: int
    classes: int
    batch_size: int


class Batch(NamedTuple):
    """Where a batch lies in the order, and how many images it has."""

    begin: int
    size: int


def aligned_zeros(*lengths: int) -> list[FloatArray]:
    """Return float32 zeros of these lengths, each from a cache line on: no vector of eight lies across two.

    All lie in one piece of memory.
    """
    line = CACHE_LINE // 4
    ends = list(accumulate(-(-length // line) * line for length in lengths))
    memory = np.zeros(ends[-1] + line, np.float32)
    first = -memory.__array_interface__["data"][0] // 4 % line
    starts = [first, *(first + end for end in ends)]
    return [memory[start : start + length] for start, length in zip(starts, lengths, strict=False)]
