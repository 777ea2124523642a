"""The entry points of the fused backends. They choose a kernel, convert the parameters to its layout, and call it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from nnkernels.jit import JIT_ENABLED
from nnkernels.kernels import numba_kernels
from nnkernels.kernels.contract import SGD, OptimizerState, UpdateRule, decay_factors, step_sizes
from nnkernels.kernels.fused.buffers import MAX_BLOCKS, TrainingSizes, training_buffers
from nnkernels.kernels.fused.evaluation import PackedEvaluation
from nnkernels.kernels.fused.first_layers import PackedImages, first_layer_of
from nnkernels.kernels.fused.nonzero import MAX_INPUTS, pack_nonzero
from nnkernels.kernels.fused.partitions import thread_partitions
from nnkernels.kernels.fused.paths import TILES, training_path
from nnkernels.kernels.fused.prediction import Convert, Predict, compiled_predictor
from nnkernels.kernels.fused.tile_images import grid_of, pack_tiles
from nnkernels.kernels.fused.training import training_kernel
from nnkernels.parameters import Parameters
from nnkernels.team import run_together

__all__ = ["evaluator", "pack_images", "path_of", "predictor", "train_inplace"]

MAX_CLASSES = 64  # the kernels unroll over the lanes of the classes
# Fraction of nonzero pixels from which on the dense kernels are faster, because an entry of a list takes twice as long
# as a pixel of a row.
MAX_SPARSE_DENSITY = 0.5
SAMPLE_IMAGES = 1000  # number of images from which this fraction is estimated
# Minimum number of images per thread and batch. Threads wait at two barriers per batch, and with fewer images they wait
# longer than they work.
MIN_IMAGES_PER_THREAD = 64


def pack_images(X: npt.NDArray[Any]) -> PackedImages:
    """Convert images to the layout on which :func:`train_inplace` is fastest.

    Parameters
    ----------
    X : ndarray, shape (N, D)
        Images.

    Returns
    -------
    images : TileImages, NonzeroImages or ndarray
        Records of blocks for uint8 images of at most 64 blocks, if this is the path to take on this CPU (see
        ``paths.training_path``). Otherwise, lists of nonzero pixels if fewer than half of the pixels are nonzero. ``X``
        itself if more are, if ``X`` is neither uint8 nor float32, if it has no image or more than 65,536 pixels per
        image, or if Numba's compiler is disabled.
    """
    sample = X[:SAMPLE_IMAGES]
    if not JIT_ENABLED or X.dtype not in (np.uint8, np.float32) or X.shape[1] > MAX_INPUTS or sample.size == 0:
        return X
    fits_tiles = X.dtype == np.uint8 and grid_of(X.shape[1]).blocks <= MAX_BLOCKS
    if fits_tiles and training_path() == TILES:
        return pack_tiles(X)
    return pack_nonzero(X) if np.count_nonzero(sample) < MAX_SPARSE_DENSITY * sample.size else X


def path_of(images: PackedImages) -> str:
    """Return the path by which images are trained on.

    Parameters
    ----------
    images : TileImages, NonzeroImages or ndarray
        The images, as :func:`pack_images` returns them.

    Returns
    -------
    path : {"lists", "tiles", "dense"}
        Name of the first layer that reads them.
    """
    return first_layer_of(images).name


def train_inplace(
    params: Parameters,
    state: OptimizerState,
    X: PackedImages,
    y: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    learning_rates: npt.NDArray[np.float32],
    batch_size: int,
    scale: float,
    rule: UpdateRule,
) -> None:
    """Train on consecutive batches in one call, like ``numba_kernels.train_inplace``.

    The training uses up to ``numba.get_num_threads()`` threads, each with at least 64 images of a batch. The result is
    bit-identical for any number of threads.

    ``numba_kernels`` trains instead if a parameter is not finite at the start, the parameters are not float32, there
    are more than 64 classes, weight decay leaves nothing of a parameter, or Numba's compiler is disabled. A zero pixel
    times an infinite weight is NaN, but the fused kernels would skip it. An infinite pixel makes all probabilities of
    its image NaN, even if the arithmetic of other backends would give finite ones.

    Parameters
    ----------
    params : Parameters
        Weights and biases, updated in place.
    state : OptimizerState
        State of the optimizer, updated in place.
    X : TileImages, NonzeroImages, or ndarray of uint8 or float, shape (n_images, D)
        Images. Their form determines the first layer (see :func:`pack_images` and ``first_layers``).
    y : ndarray of int64, shape (n_images,)
        Labels.
    order : ndarray of int64, shape (M,)
        Indices of the images.
    learning_rates : ndarray of float32, shape (ceil(M / batch_size),)
        Learning rate of each batch.
    batch_size : int
        Number of images per batch.
    scale : float
        Factor from stored values to features.
    rule : UpdateRule
        The optimizer.
    """
    decays = decay_factors(rule, learning_rates)
    first_layer = first_layer_of(X)
    # Biases beyond the last hidden unit are -inf, and must remain so.
    if not _is_supported(params) or not (decays > 0).all():
        rows = first_layer.unpack(X, params.W1.shape[0])
        numba_kernels.train_inplace(params, state, rows, y, order, learning_rates, batch_size, scale, rule)
        return
    # The kernels load vectors without checking strides.
    order = np.ascontiguousarray(order)
    if isinstance(X, np.ndarray):
        X = np.ascontiguousarray(X, X.dtype if X.dtype == np.uint8 else np.float32)
    threads = max(1, min(numba.get_num_threads(), batch_size // MIN_IMAGES_PER_THREAD))
    layout = first_layer.layout(params)
    batch_size = min(batch_size, max(len(order), 1))
    has_moments = rule.code != SGD
    plain_sgd = not has_moments and rule.weight_decay == 0
    (model, grads, *moments), buffers = training_buffers(
        layout, batch_size, threads, 4 if has_moments else 2, first_layer.name
    )
    layout.pack(params, model, -np.inf)
    first, second = moments if has_moments else (grads, grads)  # SGD uses neither
    if has_moments:
        layout.pack(state.first, first)
        layout.pack(state.second, second)
    run_together(
        training_kernel(first_layer, layout.panel, layout.class_lanes, plain_sgd),
        threads,
        model,
        grads,
        first.flat,
        second.flat,
        buffers,
        X,
        y,
        order,
        np.ascontiguousarray(step_sizes(rule, learning_rates, int(state.step[0]))),
        decays,
        thread_partitions(layout, threads),
        TrainingSizes(layout.inputs, layout.hidden, layout.classes, layout.panels, layout.rows, batch_size),
        np.float32(scale),
        rule,
    )
    layout.unpack(model, params)
    if has_moments:
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
    if not _is_supported(params) or params.W1.shape[0] >= MAX_INPUTS:
        return lambda X: numba_kernels.forward(params, as_features(X)).probs
    return compiled_predictor(params, pixel_scale, as_features)


def evaluator(
    images: PackedImages, y: npt.NDArray[np.integer[Any]], scale: float
) -> Callable[[Parameters], tuple[float, int] | None]:
    """Return a function that evaluates parameters on the given images.

    It uses up to ``numba.get_num_threads()`` threads. The result is bit-identical for any number of threads.

    Parameters
    ----------
    images : TileImages, NonzeroImages, or ndarray of uint8 or float, shape (N, D)
        The images, as :func:`pack_images` returns them.
    y : ndarray of integers, shape (N,)
        Labels.
    scale : float
        Factor from stored values to features.

    Returns
    -------
    evaluate : callable
        ``evaluate(params) -> (loss, errors)``. None instead if the parameters are not supported (see
        :func:`train_inplace`), or if images are an array that is neither uint8 nor float32.
    """
    if isinstance(images, np.ndarray):
        if images.dtype not in (np.uint8, np.float32):
            return lambda _params: None
        images = np.ascontiguousarray(images).view()
        images.flags.writeable = False  # so that Numba compiles only once
    labels = np.array(y, np.int64)  # a copy, which is writable: again, Numba compiles only once
    packed = PackedEvaluation(first_layer_of(images), images, labels, scale)
    return lambda params: packed(params) if _is_supported(params) else None


def _is_supported(params: Parameters) -> bool:
    # Vector types exist in compiled code only, so these kernels cannot run as plain Python (NUMBA_DISABLE_JIT).
    if not JIT_ENABLED or params.W1.dtype != np.float32 or len(params.b2) > MAX_CLASSES:
        return False
    return all(np.isfinite(array).all() for array in params)
