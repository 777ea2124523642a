"""Stretches of training, calls of predict, and preparations, as tasks that take turns."""

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
DIFFERENT_IMAGES = 1_000  # of calls of one image
NO_IMAGES = np.empty(0, np.int64)


def train_task(scenario: Scenario, contender: Contender, dataset: Dataset, threads: int) -> Task:
    """Return segments of an epoch, each of as many full batches; they go through the epoch and begin again.

    The order is the same each time. A stretch has some thousand images: a branch predictor forgets their pixels
    before they come again, and drawing another order would be inside the clock.
    """
    recipe, images = scenario.recipe, len(dataset.X_train)
    order = batch_order(SEED, 0, images)
    segments = 1 if contender.whole_epochs_only else scenario.segments
    batches = max(1, int(images // recipe.batch_size * scenario.epoch_share) // segments)
    length = images if contender.whole_epochs_only else min(batches * recipe.batch_size, images)
    stretches = [order[start : start + length] for start in range(0, images - length + 1, length)]
    turns = itertools.cycle(stretches)

    def run() -> None:
        stretch = next(turns)
        contender.advance(stretch, recipe.learning_rates(0, len(stretch)))

    def warm_up() -> None:
        # Who compiles for a number of batches does it here; a whole epoch more would take Keras' `fit` seconds.
        part = order[: WARM_UP_BATCHES * recipe.batch_size] if contender.whole_epochs_only else stretches[0]
        contender.advance(part, recipe.learning_rates(0, len(part)))

    return Task(run, length / images, segments, partial(contender.use_threads, threads), warm_up)


def predict_task(scenario: Scenario, contender: Contender, dataset: Dataset, threads: int) -> Task:
    """Return calls of the contender's own inference, from uint8 pixels.

    Calls of one image go through :func:`one_image_calls` and begin again: each segment goes on where the last one
    ended. So contenders with the same number of calls see the same images, and those with fewer see others, which are
    as dense in the mean.
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
    """Return preparations of a contender that has been prepared in this process before.

    What is imported or compiled once a process is outside the clock. Frameworks do it once a round: building and
    compiling a model takes up to seconds.
    """
    start, data = initial_parameters(SEED, dataset.X_train.shape[1], scenario.recipe.hidden), dataset.training

    def run() -> None:
        prepare(contender, start, data, scenario.recipe)

    segments = scenario.segments if contender.threads_can_change else 1
    return Task(run, 1, segments, partial(contender.use_threads, threads))


def prepare(contender: Contender, start: Parameters, data: LabelledImages, recipe: Recipe) -> None:
    """Make a contender ready for its first batch.

    That is its ``prepare``, and an empty stretch after it, in which whoever traces or compiles at the first call does
    so. (Keras' ``fit`` cannot be called without images: what it traces is part of its first epoch.)
    """
    contender.prepare(start, data, recipe)
    contender.advance(NO_IMAGES, recipe.learning_rates(0, 0))


def one_image_calls(dataset: Dataset) -> list[npt.NDArray[np.uint8]]:
    """Return up to 1,000 different test images, each a contiguous array (1, D), in a seeded balanced order.

    Any even number of neighbours from an even place on has the test images' mean number of nonzero pixels within 2 %.
    :func:`~nnkernels.measure.timing.image_order.balanced_order` says which images that leaves out, and what becomes of
    data sets where no such order exists.
    """
    order = balanced_order(np.count_nonzero(dataset.X_test, axis=1), DIFFERENT_IMAGES, SEED)
    X = np.ascontiguousarray(dataset.X_test[order])
    return [X[i : i + 1] for i in range(len(X))]


def ten_thousand_images(dataset: Dataset) -> npt.NDArray[np.uint8]:
    """Return 10,000 of the data set's images, test images first, repeated from the start where there are fewer.

    Repeating changes no contender's work: thousands of images are more than a branch predictor learns, and no contender
    remembers an image. (mnist-5k has 5,000, so each comes twice.)
    """
    images = np.concatenate([dataset.X_test, dataset.X_train])[:10_000]
    return np.ascontiguousarray(np.resize(images, (10_000, images.shape[1])))
