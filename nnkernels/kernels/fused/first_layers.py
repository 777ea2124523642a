"""The ways to compute the first layer. Each has its own form of the images and its own layout of W1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.kernels.fused import dense_layer, nonzero_layer, tile_layer
from nnkernels.kernels.fused.buffers import TILE_GROUP
from nnkernels.kernels.fused.layout import Layout
from nnkernels.kernels.fused.nonzero import NonzeroImages, unpack_nonzero
from nnkernels.kernels.fused.tile_images import TileImages, unpack_tiles
from nnkernels.kernels.fused.tile_layout import tile_layout
from nnkernels.kernels.simd import TILE_VECTOR, VECTOR, zero_tile, zeros
from nnkernels.parameters import Parameters


@dataclass(frozen=True)
class FirstLayer:
    """A way to compute the first layer.

    Attributes
    ----------
    name : str
        Name of the path.
    functions : module
        The device functions ``first_layer``, ``sgd_update`` and ``moment_update``.
    layout : callable
        ``layout(params)`` returns the memory layout of a network with the shapes of these parameters.
    zero_panel : callable
        The intrinsic that makes the zeros of a panel, from the layout's ``panel``.
    image_group : int
        Images of a group in the output layer, as the argument of ``zero_panel``.
    unpack : callable
        ``unpack(images, inputs)`` converts images in the layer's form to rows of pixels.
    """

    name: str
    functions: ModuleType
    layout: Callable[[Parameters], Layout]
    zero_panel: Callable[..., Any]
    image_group: int
    unpack: Callable[[Any, int], npt.NDArray[Any]]


def _in_rows(functions: ModuleType) -> Callable[[Parameters], Layout]:
    return partial(Layout.of, max_panel_lanes=functions.MAX_PANEL_LANES)


FIRST_LAYERS = {
    layer.name: layer
    for layer in (
        FirstLayer("lists", nonzero_layer, _in_rows(nonzero_layer), zeros, VECTOR, unpack_nonzero),
        FirstLayer(
            "tiles",
            tile_layer,
            tile_layout,
            zero_tile,
            TILE_GROUP // TILE_VECTOR,
            lambda images, _inputs: unpack_tiles(images),
        ),
        FirstLayer("dense", dense_layer, _in_rows(dense_layer), zeros, VECTOR, lambda X, _inputs: X),
    )
}

PackedImages = NonzeroImages | TileImages | npt.NDArray[Any]


def first_layer_of(images: PackedImages) -> FirstLayer:
    """Return the first layer that reads images in the given form.

    Parameters
    ----------
    images : NonzeroImages, TileImages or ndarray
        The images.

    Returns
    -------
    layer : FirstLayer
        Lists for lists of nonzero pixels, tiles for records of blocks, and dense for rows of pixels.
    """
    if isinstance(images, np.ndarray):
        return FIRST_LAYERS["dense"]
    return FIRST_LAYERS["lists" if isinstance(images, NonzeroImages) else "tiles"]
