"""Stretches of training and calls of predict, as tasks that take turns."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import numpy as np

from nnkernels.contenders import Contender
from nnkernels.data import Dataset
from nnkernels.measure.paired import Task
from nnkernels.measure.works import Work
from nnkernels.training import batch_order

SEED = 0
WARM_UP_BATCHES = 10


def train_task(work: Work, contender: Contender, dataset: Dataset, threads: int) -> Task:
    """Return segments of an epoch, each of as many full batches; they go through the epoch and begin again."""
    recipe, images = work.recipe, len(dataset.X_train)
    order = batch_order(SEED, 0, images)
    segments = 1 if contender.whole_epochs_only else work.segments
    batches = max(1, int(images // recipe.batch_size * work.epoch_share) // segments)
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


def predict_task(work: Work, contender: Contender, dataset: Dataset, threads: int) -> Task:
    """Return calls of the contender's own inference, from uint8 pixels."""
    X = ten_thousand_images(dataset)[: work.images]
    segments, calls = (1, min(2, work.calls)) if contender.whole_epochs_only else (work.segments, work.calls)

    def run() -> None:
        for _ in range(calls):
            contender.predict(X)

    return Task(run, calls, segments, partial(contender.use_threads, threads), partial(contender.predict, X))


def ten_thousand_images(dataset: Dataset) -> Any:
    """Return 10,000 of the data set's images, repeated from the start where there are fewer."""
    images = np.concatenate([dataset.X_test, dataset.X_train])[:10_000]
    return np.ascontiguousarray(np.resize(images, (10_000, images.shape[1])))
