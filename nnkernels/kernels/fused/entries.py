"""The entries of the fused backends: they choose a path, lay the parameters out, and call the compiled kernels."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from nnkernels.jit import COMPILES
from nnkernels.kernels import numba_kernels
from nnkernels.kernels.contract import SGD, OptimizerState, UpdateRule, step_sizes
from nnkernels.kernels.fused import dense_layer, nonzero_layer
from nnkernels.kernels.fused.model import Layout, TrainingSizes, training_memory
from nnkernels.kernels.fused.nonzero import MAX_INPUTS, NonzeroImages, pack_nonzero, unpack_nonzero
from nnkernels.kernels.fused.prediction import Convert, Predict, compiled_predictor
from nnkernels.kernels.fused.shares import shares_of_threads
from nnkernels.kernels.fused.training import training_kernel
from nnkernels.kernels.team import run_together
from nnkernels.parameters import Parameters

__all__ = ["pack_images", "predictor", "train_inplace"]

MOST_CLASSES = 64  # their lanes are unrolled into code
# Where lists of nonzero pixels stop paying: an entry of a list costs as much as this share of all pixels in a row.
SPARSE_BELOW = 0.5
SAMPLE = 1000  # images by which that is decided
# Threads meet twice a batch: with less between two meetings they wait for each other longer than they work.
IMAGES_A_THREAD = 64


def pack_images(X: npt.NDArray[Any]) -> npt.NDArray[Any] | NonzeroImages:
    """Return images (N, D), uint8 or float32, in the form that :func:`train_inplace` is fastest on.

    Lists of nonzero pixels where fewer than half of the pixels are nonzero, else, and where Numba is told not to
    compile, ``X`` itself.
    """
    sample = X[:SAMPLE]
    if not COMPILES or X.dtype not in (np.uint8, np.float32) or X.shape[1] > MAX_INPUTS or sample.size == 0:
        return X
    return pack_nonzero(X) if np.count_nonzero(sample) < SPARSE_BELOW * sample.size else X


def train_inplace(
    params: Parameters,
    state: OptimizerState,
    X: npt.NDArray[Any] | NonzeroImages,
    y: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    learning_rates: npt.NDArray[np.float32],
    batch_size: int,
    scale: float,
    rule: UpdateRule,
) -> None:
    """Train on a stretch of batches in one call; see ``numba_kernels.train_inplace``.

    On as many threads as ``numba.get_num_threads()`` says, but one for each 64 images of a batch at most; with the same
    result to the last bit for any number.

    Where a parameter is not finite at the start, the parameters are not float32, there are more than 64 classes, or
    Numba is told not to compile, ``numba_kernels`` trains in its place: a zero pixel times an infinite weight is NaN
    there, and nothing here. An infinite pixel makes NaN of its image, also where the others' arithmetic would still
    find a probability.

    Parameters
    ----------
    X : ndarray of uint8 or float, shape (images, D), or NonzeroImages
        As they are, every pixel is multiplied; see :func:`pack_images`.
    """
    if not _suits(params):
        if isinstance(X, NonzeroImages):
            X = unpack_nonzero(X, params.W1.shape[0])
        numba_kernels.train_inplace(params, state, X, y, order, learning_rates, batch_size, scale, rule)
        return
    dense = not isinstance(X, NonzeroImages)
    # Vectors are loaded from wherever a row begins on, as if everything were contiguous.
    order = np.ascontiguousarray(order)
    if not isinstance(X, NonzeroImages):
        X = np.ascontiguousarray(X, X.dtype if X.dtype == np.uint8 else np.float32)
    threads = max(1, min(numba.get_num_threads(), batch_size // IMAGES_A_THREAD))
    layout = Layout.of(params, (dense_layer if dense else nonzero_layer).MOST_PANEL_LANES)
    batch_size = min(batch_size, max(len(order), 1))
    plain = rule.code == SGD
    (model, grads, *moments), space = training_memory(layout, batch_size, threads, dense, 2 if plain else 4)
    layout.pack(params, model, -np.inf)
    first, second = (grads, grads) if plain else moments  # plain SGD looks at neither
    if not plain:
        layout.pack(state.first, first)
        layout.pack(state.second, second)
    run_together(
        training_kernel(layout.panel_lanes, layout.class_lanes, dense, plain),
        threads,
        model,
        grads,
        first.flat,
        second.flat,
        space,
        X,
        y,
        order,
        np.ascontiguousarray(step_sizes(rule, learning_rates, int(state.step[0]))),
        shares_of_threads(layout, threads),
        TrainingSizes(layout.inputs, layout.hidden, layout.classes, batch_size),
        np.float32(scale),
        rule,
    )
    layout.unpack(model, params)
    if not plain:
        layout.unpack(first, state.first)
        layout.unpack(second, state.second)
    state.step[0] += len(learning_rates)


def predictor(params: Parameters, pixel_scale: float, as_features: Convert) -> Predict:
    """Return a function from images (N, D) to probabilities (N, C); see ``prediction.compiled_predictor``.

    Where the parameters do not suit it (see :func:`train_inplace`), it is the composed forward pass.
    """
    if not _suits(params) or params.W1.shape[0] >= MAX_INPUTS:
        return lambda X: numba_kernels.forward(params, as_features(X)).probs
    return compiled_predictor(params, pixel_scale, as_features)


def _suits(params: Parameters) -> bool:
    # Vectors are compiled code's alone: without a compiler (NUMBA_DISABLE_JIT) there is nothing to do with them.
    if not COMPILES or params.W1.dtype != np.float32 or len(params.b2) > MOST_CLASSES:
        return False
    return all(np.isfinite(array).all() for array in params)
