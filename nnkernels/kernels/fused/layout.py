"""The memory layout of a network in the fused kernels: parameters that are padded to whole vectors."""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple

from nnkernels.kernels.simd import VECTOR, lanes_for
from nnkernels.parameters import FloatArray, Parameters


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
