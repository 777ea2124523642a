"""The training loop for all contenders."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from nnkernels.contenders import Contender, ReplacesImages, ReplacesParameters, SharesImages
from nnkernels.data import LabelledImages
from nnkernels.errors import ConfigurationError, DataError
from nnkernels.evaluation import Evaluator
from nnkernels.history import EpochRecord, History
from nnkernels.kept_parameters import as_parameters, keep_average, keep_best
from nnkernels.kernels import Backend
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.recipes import Recipe
from nnkernels.transforms import Augmentation, augment, deskew

# Called after every evaluated epoch. A true result stops the training.
Callback = Callable[[History, Contender], object]


def batch_order(seed: int, epoch: int, images: int) -> npt.NDArray[np.int64]:
    """Return the order of the training images in an epoch. It is the same for every contender.

    Parameters
    ----------
    seed : int
        Seed of the training.
    epoch : int
        The epoch, counted from 0.
    images : int
        The number of training images.

    Returns
    -------
    order : ndarray of int64, shape (images,)
        A permutation of the image indices.
    """
    return np.random.default_rng((seed, epoch)).permutation(images)


def recipe_images(recipe: Recipe, data: LabelledImages) -> LabelledImages:
    """Return images as the network of a recipe sees them, without augmentation.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    data : LabelledImages
        The images as they come from the data set. A recipe with deskewing needs uint8 pixels.

    Returns
    -------
    images : LabelledImages
        Deskewed images if the recipe deskews, otherwise ``data``.
    """
    if not recipe.deskew:
        return data
    return LabelledImages(deskew(data.X, normalize_size=recipe.normalize_size), data.y, data.classes)


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
    """Train a contender with a recipe, with the initial parameters and the batch order that ``seed`` determines.

    If the recipe has averaging or early stopping, the contender has the mean or the best parameters at the end.

    Parameters
    ----------
    contender : Contender
        The contender to train. It is prepared here, and not closed, so that its parameters remain available.
    data : LabelledImages
        The training images, such as ``dataset.training``.
    recipe : Recipe
        Optimizer, batch size, epochs, learning rates and width of the hidden layer.
    seed : int, default: 0
        Seed of the initial parameters and of the order of the images.
    start : Parameters, optional
        The initial parameters. By default they are drawn with ``seed``, for ``data.classes`` classes.
    validation : LabelledImages, optional
        Held-out images, evaluated together with ``data``. To choose hyperparameters, use those of
        ``dataset.validation_split()``, because the test images are reserved for the final report.
    callbacks : iterable of callables
        Each is called as ``callback(history, contender)`` after every evaluated epoch. If one returns a true value, the
        training stops.
    evaluate_every : int, default: 1
        The number of epochs between evaluations. The last epoch is always evaluated; 0 evaluates only that one.
    judge : Backend, optional
        The backend that evaluates. By default the evaluation kernel of ``fused`` judges every contender, see
        :class:`nnkernels.evaluation.Evaluator`.

    Returns
    -------
    history : History
        The records of the evaluated epochs.

    Raises
    ------
    DataError
        If there are no training images.
    ConfigurationError
        If the recipe has augmentation, and the contender cannot replace its images; likewise for averaging or early
        stopping and its parameters. If the recipe stops early, but there is no validation after every epoch.
    """
    data, validation = _as_seen(recipe, data, validation)
    if start is None:
        start = initial_parameters(seed, data.X.shape[1], recipe.hidden, data.classes)
    contender.prepare(start, data, recipe)
    history = History(recipe, seed, len(data.X))
    return _train(contender, data, history, validation, tuple(callbacks), evaluate_every, judge)


def continue_training(
    contender: Contender,
    data: LabelledImages,
    history: History,
    *,
    validation: LabelledImages | None = None,
    callbacks: Iterable[Callback] = (),
    evaluate_every: int = 1,
    judge: Backend | None = None,
) -> History:
    """Train a prepared contender from the end of ``history`` to the end of its recipe.

    The order of the images and the learning rates of an epoch depend only on the recipe, the seed and the number of the
    epoch. So a training run that resumes from a checkpoint takes the same steps as an uninterrupted one.

    Parameters
    ----------
    contender : Contender
        Prepared with the parameters and in the optimizer state at the end of ``history``, and with the images that
        :func:`recipe_images` returns. With averaging or early stopping, these are not the parameters that
        :func:`train` ends with, but those that its callbacks see.
    data : LabelledImages
        The training images.
    history : History
        The training so far. New records are appended in place.
    validation : LabelledImages, optional
        Held-out images, as in :func:`train`.
    callbacks : iterable of callables
        As in :func:`train`.
    evaluate_every : int, default: 1
        The number of epochs between evaluations, as in :func:`train`.
    judge : Backend, optional
        The backend that evaluates. By default the evaluation kernel of ``fused`` judges every contender, see
        :class:`nnkernels.evaluation.Evaluator`.

    Returns
    -------
    history : History
        The given history.

    Raises
    ------
    DataError
        If there are no training images, or if their number differs from ``history.images``.
    ConfigurationError
        As for :func:`train`.
    """
    data, validation = _as_seen(history.recipe, data, validation)
    return _train(contender, data, history, validation, tuple(callbacks), evaluate_every, judge)


def _as_seen(
    recipe: Recipe, data: LabelledImages, validation: LabelledImages | None
) -> tuple[LabelledImages, LabelledImages | None]:
    return recipe_images(recipe, data), None if validation is None else recipe_images(recipe, validation)


def _train(
    contender: Contender,
    data: LabelledImages,
    history: History,
    validation: LabelledImages | None,
    callbacks: tuple[Callback, ...],
    evaluate_every: int,
    judge: Backend | None,
) -> History:
    """Train a prepared contender on images as the network sees them, to the end of the recipe."""
    recipe, images = history.recipe, len(data.X)
    if images == 0:
        raise DataError("there are no training images")
    if images != history.images:
        raise DataError(f"the training to resume used {history.images} images, but data has {images}")
    _check_keeping(contender, recipe, validation, evaluate_every)
    # Distorted images are not those that are evaluated.
    packed = contender.packed if isinstance(contender, SharesImages) and not recipe.augmentation else None
    evaluate_training = Evaluator(data.X, data.y, judge, packed)
    evaluate_validation = Evaluator(validation.X, validation.y, judge) if validation is not None else None
    distort = distortion(contender, data, recipe, history.seed) if recipe.augmentation else None
    seconds = 0.0
    for epoch in range(history.epochs_done, history.epochs_done if history.finished else recipe.epochs):
        order, learning_rates = batch_order(history.seed, epoch, images), recipe.learning_rates(epoch, images)
        started = time.perf_counter()
        if distort:
            distort(epoch)
        contender.advance(order, learning_rates)
        seconds += time.perf_counter() - started
        done = epoch + 1
        if recipe.averaged_epochs:
            averaged = keep_average(history, done, contender.parameters())
        if done == recipe.epochs or (evaluate_every and done % evaluate_every == 0):
            params = averaged if recipe.averaged_epochs else contender.parameters()
            validation_metrics = evaluate_validation(params) if evaluate_validation else ()
            history.epochs.append(EpochRecord(done, seconds, *evaluate_training(params), *validation_metrics))
            seconds = 0.0
            if recipe.patience is not None:
                keep_best(history, params)
            # Call every callback, even if one of them stops the training.
            stop_requests = [callback(history, contender) for callback in callbacks]
            if any(stop_requests) or history.finished:
                break
    if history.kept is not None:
        assert isinstance(contender, ReplacesParameters)
        contender.replace_parameters(as_parameters(history.kept, contender.parameters()))
    return history


def _check_keeping(
    contender: Contender, recipe: Recipe, validation: LabelledImages | None, evaluate_every: int
) -> None:
    """Check that a training with averaging or early stopping is possible."""
    if recipe.patience is not None and (validation is None or evaluate_every != 1):
        raise ConfigurationError(
            f"the recipe {recipe.name!r} stops early, which needs validation images, evaluated after every epoch; pass "
            "validation and evaluate_every=1, or set patience to None"
        )
    if (recipe.averaged_epochs or recipe.patience is not None) and not isinstance(contender, ReplacesParameters):
        raise ConfigurationError(
            f"{type(contender).__name__} cannot replace its parameters, which the averaging or early stopping of the "
            f"recipe {recipe.name!r} needs; use another recipe or another contender"
        )


def distortion(contender: Contender, data: LabelledImages, recipe: Recipe, seed: int) -> Callable[[int], None]:
    """Return the function that gives a contender the distorted images of an epoch.

    Parameters
    ----------
    contender : Contender
        The contender, prepared with `data`.
    data : LabelledImages
        The training images, as :func:`recipe_images` returns them.
    recipe : Recipe
        A recipe with augmentation.
    seed : int
        Seed of the training.

    Returns
    -------
    distort : callable
        ``distort(epoch)``. The images depend only on the seed, the epoch and the recipe.

    Raises
    ------
    ConfigurationError
        If the contender cannot replace its images.
    """
    if not isinstance(contender, ReplacesImages):
        raise ConfigurationError(
            f"{type(contender).__name__} cannot replace its images, which the augmentation of the recipe "
            f"{recipe.name!r} needs; use another recipe or another contender"
        )
    distorted = np.empty_like(data.X)

    def distort(epoch: int) -> None:
        augment(data.X, recipe.augmentation or Augmentation(), seed=seed, epoch=epoch, out=distorted)
        contender.replace_images(distorted)

    return distort
