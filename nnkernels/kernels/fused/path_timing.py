"""The timing of the paths of training, for CPUs on which nobody has measured them."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.kernels.contract import initial_state, update_rule
from nnkernels.kernels.fused import entries
from nnkernels.kernels.fused.nonzero import pack_nonzero
from nnkernels.kernels.fused.paths import LISTS, TILES
from nnkernels.kernels.fused.tile_images import pack_tiles
from nnkernels.parameters import initial_parameters
from nnkernels.recipes.optimizer import Optimizer

TURNS = 6  # the first one compiles
IMAGES, SIDE, BLOCKS, INKED_BLOCKS = 960, 28, 49, 18  # as in digits


def faster_path() -> str:
    """Return the path that trains faster on this CPU: both train by turns, with plain gradient descent.

    Returns
    -------
    path : {"lists", "tiles"}
        The path whose fastest turn was faster, for a hidden layer of 20 units and batches of 32 images that have as
        many nonzero pixels and blocks as digits.
    """
    X, order, rule = synthetic_digits(), np.arange(IMAGES), update_rule(Optimizer("sgd"))
    rates = np.full(IMAGES // 32, 0.1, np.float32)
    images: dict[str, Any] = {LISTS: pack_nonzero(X), TILES: pack_tiles(X)}
    seconds: dict[str, list[float]] = {path: [] for path in images}
    for _turn in range(TURNS):
        for path, packed in images.items():
            params = initial_parameters(0)
            state = initial_state(params)
            started = time.perf_counter()
            entries.train_inplace(params, state, packed, order % 10, order, rates, 32, 1 / 255, rule)
            seconds[path].append(time.perf_counter() - started)
    return min(seconds, key=lambda path: min(seconds[path]))


def synthetic_digits() -> npt.NDArray[np.uint8]:
    """Return random images in which half of the pixels of some blocks are nonzero.

    Returns
    -------
    X : ndarray of uint8, shape (960, 784)
        The images.
    """
    rng = np.random.default_rng(0)
    inked = rng.permuted(np.tile(np.arange(BLOCKS) < INKED_BLOCKS, (IMAGES, 1)), axis=1).reshape(-1, 7, 7)
    pixels = rng.integers(1, 256, (IMAGES, SIDE, SIDE), np.uint8) * rng.integers(0, 2, (IMAGES, SIDE, SIDE), np.uint8)
    X: npt.NDArray[np.uint8] = (pixels * np.kron(inked, np.ones((4, 4), np.uint8))).reshape(IMAGES, -1)
    return X
