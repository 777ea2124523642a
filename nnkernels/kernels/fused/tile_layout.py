"""The memory layout of a network whose first layer is computed in tiles."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from nnkernels.kernels.fused.buffers import BLOCK_PIXELS
from nnkernels.kernels.fused.layout import Layout
from nnkernels.kernels.fused.tile_images import pixels_of_blocks
from nnkernels.kernels.fused.tile_layer import MAX_PANEL_UNITS
from nnkernels.kernels.simd import lanes_for
from nnkernels.parameters import FloatArray, Parameters

UNITS_PER_FOLD = 4  # the sums of the units are folded in groups of this size
WIDE_PANEL = 16  # units of each panel if there are several: 24 are slower, because more of them are padding


class TileLayout(Layout):
    """A layout whose W1 has one row per block of pixels and panel, with 16 weights for each hidden unit of the panel.

    Parameters
    ----------
    inputs, hidden, classes : int
        Widths of the network.

    Attributes
    ----------
    panel_units : int
        Hidden units of a panel, a multiple of four.
    """

    row_group = 1

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__(inputs, hidden, classes, MAX_PANEL_UNITS)
        units = -(-hidden // UNITS_PER_FOLD) * UNITS_PER_FOLD
        if units > MAX_PANEL_UNITS:
            units = WIDE_PANEL
        self.panel_units, self.panels = units, -(-hidden // units)
        self.rows, self.row_floats = len(pixels_of_blocks(inputs)), BLOCK_PIXELS * units
        self.hidden_lanes = lanes_for(self.panels * units)
        self._places = self._places_of_weights()

    @property
    def panel(self) -> int:
        """The size of a panel by which kernels are specialised."""
        return self.panel_units

    def _places_of_weights(self) -> npt.NDArray[np.intp]:
        """Return where each weight of W1 (D, H) is in the memory."""
        places = np.empty((self.inputs + 1, self.hidden), np.intp)  # with pixels that do not exist
        unit = np.arange(self.hidden)
        panel, within = np.divmod(unit, self.panel_units)
        block, lane = np.indices((self.rows, BLOCK_PIXELS))
        start = (panel * self.rows + block[..., np.newaxis]) * self.row_floats
        places[pixels_of_blocks(self.inputs)] = start + within * BLOCK_PIXELS + lane[..., np.newaxis]
        return places[: self.inputs].ravel()

    def _pack_first_weights(self, W1: FloatArray, memory: FloatArray) -> None:
        memory[self._places] = W1.ravel()

    def _unpack_first_weights(self, memory: FloatArray, W1: FloatArray) -> None:
        W1[...] = memory[self._places].reshape(W1.shape)


def tile_layout(params: Parameters) -> TileLayout:
    """Return the layout of a network with the shapes of these parameters.

    Parameters
    ----------
    params : Parameters
        The parameters.

    Returns
    -------
    layout : TileLayout
        The layout, cached.
    """
    return _layout(*params.W1.shape, len(params.b2))


@lru_cache
def _layout(inputs: int, hidden: int, classes: int) -> TileLayout:
    return TileLayout(inputs, hidden, classes)
