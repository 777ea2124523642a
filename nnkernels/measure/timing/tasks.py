"""The timed tasks: training on parts of an epoch, calls of predict, and preparations."""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import numpy.typing as npt

from nnkernels.contenders import Contender
from nnkernels.data import Dataset, LabelledImages
from nnkernels.measure.timing.image_order import balanced_order
from nnkernels.measure.timing.interleaving import Task
from nnkernels.measure.timing.scenarios import Scenario
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.recipes import Recipe
from nnkernels.training import batch_order

SEED = 0
WARM_UP_BATCHES = 10
DIFFERENT_IMAGES = 1_000  # in calls with one image
NO_IMAGES = np.empty(0, np.int64)


def train_task(scenario: Scenario, contender: Contender, dataset: Dataset, threads: int) -> Task:
    """Return a task that trains on parts of an epoch. They cycle through the epoch, in whole batches.

    The order of the images is the same in each epoch, because drawing a new order would be timed. A segment has
    thousands of images, more than a branch predictor can remember.

    Parameters
    ----------
    scenario : Scenario
        A scenario of the kind ``train``.
    contender : Contender
        A prepared contender.
    dataset : Dataset
        Training images.
    threads : int
        Number of threads, set before each segment.

    Returns
    -------
    task : Task
        Its unit is an epoch.
    """
    recipe, images = scenario.recipe, len(dataset.X_train)
    order = batch_order(SEED, 0, images)
    segments = 1 if contender.whole_epochs_only else scenario.segments
    batches = max(1, int(images // recipe.batch_size * scenario.epoch_share) // segments)
    length = images if contender.whole_epochs_only else min(batches * recipe.batch_size, images)
    segment_orders = [order[start : start + length] for start in range(0, images - length + 1, length)]
    turns = itertools.cycle(segment_orders)

    def run() -> None:
        segment_order = next(turns)
        contender.advance(segment_order, recipe.learning_rates(0, len(segment_order)))

    def warm_up() -> None:
        # Contenders that compile for a given number of batches do so here. A whole epoch would take Keras' `fit`
        # seconds.
        part = order[: WARM_UP_BATCHES * recipe.batch_size] if contender.whole_epochs_only else segment_orders[0]
        contender.advance(part, recipe.learning_rates(0, len(part)))

    return Task(run, length / images, segments, partial(contender.use_threads, threads), warm_up)


def predict_task(scenario: Scenario, contender: Contender, dataset: Dataset, threads: int) -> Task:
    """Return a task that predicts from uint8 pixels with the contender's own inference.

    Calls with one image cycle through :func:`one_image_calls`, and each segment continues where the previous one ended.
    Contenders with the same number of calls see the same images. The others see different ones, of the same mean number
    of nonzero pixels.

    Parameters
    ----------
    scenario : Scenario
        A scenario of the kind ``predict``.
    contender : Contender
        A prepared contender.
    dataset : Dataset
        The source of the images.
    threads : int
        Number of threads, set before each segment.

    Returns
    -------
    task : Task
        Its unit is a call.
    """
    segments, calls = scenario.segments, scenario.calls
    if contender.whole_epochs_only:
        segments, calls = 1, min(2, calls)
    inputs = one_image_calls(dataset) if scenario.images == 1 else [ten_thousand_images(dataset)[: scenario.images]]
    turns = itertools.cycle(inputs)

    def run() -> None:
        for X in itertools.islice(turns, calls):
            contender.predict(X)

    return Task(run, calls, segments, partial(contender.use_threads, threads), partial(contender.predict, inputs[0]))


def prepare_task(scenario: Scenario, contender: Contender, dataset: Dataset, threads: int) -> Task:
    """Return a task that prepares a contender again, after an earlier preparation in this process.

    Imports and compilation that happen once per process are excluded. Frameworks prepare once per round, because
    building and compiling a model can take seconds.

    Parameters
    ----------
    scenario : Scenario
        A scenario of the kind ``prepare``.
    contender : Contender
        A contender that has been prepared before.
    dataset : Dataset
        Training images.
    threads : int
        Number of threads, set before each segment.

    Returns
    -------
    task : Task
        Its unit is a preparation.
    """
    data = dataset.training
    start = initial_parameters(SEED, data.X.shape[1], scenario.recipe.hidden, data.classes)

    def run() -> None:
        prepare(contender, start, data, scenario.recipe)

    segments = scenario.segments if contender.threads_can_change else 1
    return Task(run, 1, segments, partial(contender.use_threads, threads))


def prepare(contender: Contender, start: Parameters, data: LabelledImages, recipe: Recipe) -> None:
    """Prepare a contender for its first batch.

    An empty call of ``advance`` follows the contender's ``prepare``, for contenders that trace or compile at the first
    call. (Keras' ``fit`` cannot be called without images, so its tracing is part of its first epoch.)

    Parameters
    ----------
    contender : Contender
        The contender.
    start : Parameters
        Initial parameters.
    data : LabelledImages
        Training images.
    recipe : Recipe
        Training recipe.
    """
    contender.prepare(start, data, recipe)
    contender.advance(NO_IMAGES, recipe.learning_rates(0, 0))


def one_image_calls(dataset: Dataset) -> list[npt.NDArray[np.uint8]]:
    """Return the inputs of calls with one image: up to 1,000 different test images in a seeded, balanced order.

    Any even number of consecutive images that starts at an even position has the mean number of nonzero pixels within
    2 %. See :func:`~nnkernels.measure.timing.image_order.balanced_order` for the images that are left out, and for data
    sets without such an order.

    Parameters
    ----------
    dataset : Dataset
        The source of the test images.

    Returns
    -------
    calls : list of ndarray of uint8, shape (1, D)
        Contiguous arrays, one per call.
    """
    order = balanced_order(np.count_nonzero(dataset.X_test, axis=1), DIFFERENT_IMAGES, SEED)
    X = np.ascontiguousarray(dataset.X_test[order])
    return [X[i : i + 1] for i in range(len(X))]


def ten_thousand_images(dataset: Dataset) -> npt.NDArray[np.uint8]:
    """Return 10,000 images: test images, then training images, repeated if there are fewer.

    The repetition makes no contender faster: a branch predictor cannot learn thousands of images, and no contender
    caches results. In mnist-5k, which has 5,000 images, each occurs twice.

    Parameters
    ----------
    dataset : Dataset
        The source of the images.

    Returns
    -------
    X : ndarray of uint8, shape (10000, D)
        Contiguous pixels.
    """
    images = np.concatenate([dataset.X_test, dataset.X_train])[:10_000]
    return np.ascontiguousarray(np.resize(images, (10_000, images.shape[1])))
