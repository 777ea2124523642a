"""The entry points of the fused backends. They choose a kernel, convert the parameters to its layout, and call it."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from nnkernels.jit import JIT_ENABLED
from nnkernels.kernels import numba_kernels
from nnkernels.kernels.contract import SGD, OptimizerState, UpdateRule, step_sizes
from nnkernels.kernels.fused import dense_layer, nonzero_layer
from nnkernels.kernels.fused.model import Layout, TrainingSizes, training_memory
from nnkernels.kernels.fused.nonzero import MAX_INPUTS, NonzeroImages, pack_nonzero, unpack_nonzero
from nnkernels.kernels.fused.partitions import thread_partitions
from nnkernels.kernels.fused.prediction import Convert, Predict, compiled_predictor
from nnkernels.kernels.fused.training import training_kernel
from nnkernels.kernels.team import run_together
from nnkernels.parameters import Parameters

__all__ = ["pack_images", "predictor", "train_inplace"]

MOST_CLASSES = 64  # the kernels unroll over the lanes of the classes
# Fraction of nonzero pixels from which on the dense kernels are faster, because an entry of a list takes twice as long
# as a pixel of a row.
SPARSE_BELOW = 0.5
SAMPLE = 1000  # number of images from which this fraction is estimated
# Minimum number of images per thread and batch. Threads wait at two barriers per batch, and with fewer images they wait
# longer than they work.
IMAGES_A_THREAD = 64


def pack_images(X: npt.NDArray[Any]) -> npt.NDArray[Any] | NonzeroImages:
    """Convert images to the layout on which :func:`train_inplace` is fastest.

    Parameters
    ----------
    X : ndarray, shape (N, D)
        Images.

    Returns
    -------
    images : NonzeroImages or ndarray
        Lists of nonzero pixels if fewer than half of the pixels are nonzero. ``X`` itself if more are, if ``X`` is
        neither uint8 nor float32, if it has no image or more than 65,536 pixels per image, or if Numba's compiler is
        disabled.
    """
    sample = X[:SAMPLE]
    if not JIT_ENABLED or X.dtype not in (np.uint8, np.float32) or X.shape[1] > MAX_INPUTS or sample.size == 0:
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
    """Train on consecutive batches in one call. See ``numba_kernels.train_inplace`` for the parameters.

    The training uses up to ``numba.get_num_threads()`` threads, each with at least 64 images of a batch. The result is
    bit-identical for any number of threads.

    ``numba_kernels`` trains instead if a parameter is not finite at the start, the parameters are not float32, there
    are more than 64 classes, or Numba's compiler is disabled. A zero pixel times an infinite weight is NaN, but the
    fused kernels would skip it. An infinite pixel makes all probabilities of its image NaN, even if the arithmetic of
    other backends would give finite ones.

    Parameters
    ----------
    params, state, y, order, learning_rates, batch_size, scale, rule
        See ``numba_kernels.train_inplace``.
    X : NonzeroImages, or ndarray of uint8 or float, shape (n_images, D)
        Images. An array trains with the dense first layer, lists with the sparse one (see :func:`pack_images`).
    """
    if not _suits(params):
        if isinstance(X, NonzeroImages):
            X = unpack_nonzero(X, params.W1.shape[0])
        numba_kernels.train_inplace(params, state, X, y, order, learning_rates, batch_size, scale, rule)
        return
    dense = not isinstance(X, NonzeroImages)
    # The kernels load vectors without checking strides.
    order = np.ascontiguousarray(order)
    if not isinstance(X, NonzeroImages):
        X = np.ascontiguousarray(X, X.dtype if X.dtype == np.uint8 else np.float32)
    threads = max(1, min(numba.get_num_threads(), batch_size // IMAGES_A_THREAD))
    layout = Layout.of(params, (dense_layer if dense else nonzero_layer).MOST_PANEL_LANES)
    batch_size = min(batch_size, max(len(order), 1))
    plain = rule.code == SGD
    (model, grads, *moments), space = training_memory(layout, batch_size, threads, dense, 2 if plain else 4)
    layout.pack(params, model, -np.inf)
    first, second = (grads, grads) if plain else moments  # plain SGD uses neither
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
        thread_partitions(layout, threads),
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
    """Return a function that predicts with the given parameters. See ``prediction.compiled_predictor``.

    If the fused kernels do not support the parameters (see :func:`train_inplace`), the function calls
    ``numba_kernels.forward`` instead, and later changes to the parameters affect it.

    Parameters
    ----------
    params : Parameters
        The parameters.
    pixel_scale : float
        Factor from uint8 pixels to features.
    as_features : callable
        Converts images to contiguous float32 features (N, D), or raises an exception if they are invalid.

    Returns
    -------
    predict : callable
        ``predict(X) -> probs``, from images (N, D) to probabilities (N, C).
    """
    if not _suits(params) or params.W1.shape[0] >= MAX_INPUTS:
        return lambda X: numba_kernels.forward(params, as_features(X)).probs
    return compiled_predictor(params, pixel_scale, as_features)


def _suits(params: Parameters) -> bool:
    # Vector types exist in compiled code only, so these kernels cannot run as plain Python (NUMBA_DISABLE_JIT).
    if not JIT_ENABLED or params.W1.dtype != np.float32 or len(params.b2) > MOST_CLASSES:
        return False
    return all(np.isfinite(array).all() for array in params)
