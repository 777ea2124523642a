"""The timing of the paths of training, for CPUs on which nobody has measured them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.kernels.contract import initial_state, update_rule
from nnkernels.kernels.fused.nonzero import pack_nonzero
from nnkernels.kernels.fused.paths import LISTS, TILES
from nnkernels.kernels.fused.tile_images import pack_tiles
from nnkernels.parameters import initial_parameters
from nnkernels.recipes import Optimizer

TURNS = 6  # the first one compiles


def faster_path(train_inplace: Callable[..., None], X: npt.NDArray[np.uint8]) -> str:
    """Return the path that trains faster on this CPU: both train by turns, with plain gradient descent.

    Parameters
    ----------
    train_inplace : callable
        The entry point that trains on images in either form.
    X : ndarray of uint8, shape (N, D)
        A few images.

    Returns
    -------
    path : {"lists", "tiles"}
        The path whose fastest turn was faster.
    """
    order, rule = np.arange(len(X)), update_rule(Optimizer("sgd"))
    rates = np.full(-(-len(X) // 32), 0.1, np.float32)
    images: dict[str, Any] = {LISTS: pack_nonzero(X), TILES: pack_tiles(X)}
    seconds: dict[str, list[float]] = {path: [] for path in images}
    for _turn in range(TURNS):
        for path, packed in images.items():
            params = initial_parameters(0, X.shape[1])
            state = initial_state(params)
            started = time.perf_counter()
            train_inplace(params, state, packed, order % 10, order, rates, 32, 1 / 255, rule)
            seconds[path].append(time.perf_counter() - started)
    return min(seconds, key=lambda path: min(seconds[path]))
