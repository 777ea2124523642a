"""The one training loop: it drives any contender, epoch by epoch, and keeps the history."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels import kernels
from nnkernels.contenders import Contender
from nnkernels.data import LabelledImages
from nnkernels.errors import DataError
from nnkernels.history import EpochRecord, History
from nnkernels.kernels import Activations, Backend
from nnkernels.parameters import FloatArray, Parameters, initial_parameters, native
from nnkernels.recipes import Recipe
from nnkernels.transforms import as_features

EVALUATION_BATCH = 2048  # images at a time: their features stay in the cache

# Called after every evaluated epoch; whatever is true ends the training there.
Callback = Callable[[History, Contender], object]


def batch_order(seed: int, epoch: int, images: int) -> npt.NDArray[np.int64]:
    """Return the permutation of the images in an epoch (counted from 0): the same for every contender."""
    return np.random.default_rng((seed, epoch)).permutation(images)


def evaluate(
    params: Parameters, X: npt.NDArray[Any], y: npt.NDArray[np.integer[Any]], backend: Backend | None = None
) -> tuple[float, float]:
    """Return the mean cross-entropy (nats) and the error rate of parameters on images.

    Parameters
    ----------
    params : Parameters
    X : array-like, shape (N, D)
        Integers are pixels, floats are features; see :func:`nnkernels.transforms.as_images`.
    y : ndarray of integers, shape (N,)
    backend : Backend, optional
        Whose forward pass and loss judge. The reference kernels unless it is given, so that a difference between
        contenders lies in the training alone; another network's mathematics must be judged by its own.

    Raises
    ------
    DataError
        If there is no image to judge by.
    """
    if len(X) == 0:
        raise DataError("there are no images to evaluate on")
    judge = backend or kernels.load("numpy")
    y = np.ascontiguousarray(y, y.dtype.newbyteorder("="))
    total_loss, wrong = 0.0, 0
    for part, activations in _forward_in_parts(judge, params, X):
        logits = activations.logits
        total_loss += float(judge.loss(logits, y[part])) * len(logits)  # somebody's own may be of NumPy's float32
        wrong += int(np.count_nonzero(logits.argmax(axis=1) != y[part]))
    return total_loss / len(X), wrong / len(X)


def probabilities(backend: Backend, params: Parameters, X: npt.NDArray[Any]) -> FloatArray:
    """Return the probabilities (N, C) that a backend's forward pass gives images (N, D).

    Memory beyond the result is that of :data:`EVALUATION_BATCH` images.
    """
    probs = np.empty((len(X), len(params.b2)), params.W1.dtype)
    for part, activations in _forward_in_parts(backend, params, X):
        probs[part] = activations.probs
    return probs


def _forward_in_parts(backend: Backend, params: Parameters, X: npt.NDArray[Any]) -> Iterator[tuple[slice, Activations]]:
    params = native(params)
    for start in range(0, len(X), EVALUATION_BATCH):
        part = slice(start, start + EVALUATION_BATCH)
        yield part, backend.forward(params, as_features(X[part], params.W1.dtype))


def train(
    contender: Contender,
    data: LabelledImages,
    recipe: Recipe,
    *,
    seed: int = 0,
    start: Parameters | None = None,
    validation: LabelledImages | None = None,
    callbacks: Iterable[Callback] = (),
    evaluate_every: int = 1,
    judge: Backend | None = None,
) -> History:
    """Train a contender by a recipe, from the parameters and in the batch order that ``seed`` gives.

    Parameters
    ----------
    contender : Contender
        Prepared here; left open, so that its parameters can be had.
    data : LabelledImages
        What is learnt: ``dataset.training``.
    recipe : Recipe
    seed : int
    start : Parameters, optional
        The initial parameters; else they are drawn by ``seed``, for ten classes.
    validation : LabelledImages, optional
        Images held out, evaluated beside ``data``. To choose hyper-parameters, take those of
        ``dataset.validation_split()``: the test images are for the report alone.
    callbacks : iterable of callables
        Each is called with the history so far and the contender after every evaluated epoch, and ends the training
        by returning something true.
    evaluate_every : int
        Epochs from one evaluation to the next; the last epoch is always evaluated, and 0 evaluates no other.
    judge : Backend, optional
        See :func:`evaluate`.

    Returns
    -------
    History

    Raises
    ------
    DataError
        If there is no image to learn from.
    """
    if start is None:
        start = initial_parameters(seed, data.X.shape[1], recipe.hidden)
    contender.prepare(start, data, recipe)
    history = History(recipe, seed, len(data.X))
    return go_on(
        contender,
        data,
        history,
        validation=validation,
        callbacks=callbacks,
        evaluate_every=evaluate_every,
        judge=judge,
    )


def go_on(
    contender: Contender,
    data: LabelledImages,
    history: History,
    *,
    validation: LabelledImages | None = None,
    callbacks: Iterable[Callback] = (),
    evaluate_every: int = 1,
    judge: Backend | None = None,
) -> History:
    """Train a prepared contender from where ``history`` ends to the end of its recipe; the history grows in place.

    Order and learning rates of an epoch depend on nothing but recipe, seed and the epoch's number, so a training that
    goes on from a checkpoint is the training that was never interrupted. See :func:`train` for the other arguments.

    Raises
    ------
    DataError
        If there is no image to learn from, or another number than the history was on.
    """
    recipe, images = history.recipe, len(data.X)
    if images == 0:
        raise DataError("there are no training images")
    if images != history.images:
        raise DataError(f"the training to go on with was on {history.images} images; these are {images}")
    callbacks = tuple(callbacks)
    seconds = 0.0
    for epoch in range(history.epochs_done, recipe.epochs):
        order, learning_rates = batch_order(history.seed, epoch, images), recipe.learning_rates(epoch, images)
        started = time.perf_counter()
        contender.advance(order, learning_rates)
        seconds += time.perf_counter() - started
        done = epoch + 1
        if done == recipe.epochs or (evaluate_every and done % evaluate_every == 0):
            params = contender.parameters()
            learnt = evaluate(params, data.X, data.y, judge)
            held_out = evaluate(params, validation.X, validation.y, judge) if validation is not None else ()
            history.epochs.append(EpochRecord(done, seconds, *learnt, *held_out))
            seconds = 0.0
            answers = [callback(history, contender) for callback in callbacks]  # each is called, whoever ends it
            if any(answers):
                break
    return history
