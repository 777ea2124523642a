"""How does the time scale with batch size, hidden width, number of images, and number of threads?"""

from __future__ import annotations

import time
from math import ceil

import numpy as np
import numpy.typing as npt
from asv_runner.benchmarks.mark import SkipNotImplemented

from nnkernels import contenders
from nnkernels.contenders import Contender
from nnkernels.data import LabelledImages
from nnkernels.measure.correctness import gate
from nnkernels.measure.timing.threads import thread_count
from nnkernels.parameters import initial_parameters
from nnkernels.recipes import Recipe, benchmark_recipe
from nnkernels.training import batch_order

from ._common import CONTENDERS, DATASETS, OPTIONS, THREADS, dataset, trainable_or_skip

BATCH_SIZES = (1, 8, 32, 128, 512, 2048)
HIDDEN = (20, 128, 512)
IMAGES = (1_000, 10_000, 60_000)
SAMPLES = OPTIONS.samples or 5

MIN_IMAGES = 2_000
SAMPLE_SECONDS = 0.05
# Each call of Keras' `fit` has an overhead of about 0.1 s that belongs to a whole epoch. So its samples are longer:
# half a second or an epoch, and at least 2,000 images (several seconds at batch size 1).
WHOLE_EPOCHS_SAMPLE_SECONDS = 0.5


class _Scaling:
    version = "1"
    timeout = 300
    unit = "seconds"


class BatchSize(_Scaling):
    """Batch size, on one thread. Larger batches spread the overhead of a step over more images."""

    params = (CONTENDERS, BATCH_SIZES, DATASETS)
    param_names = ("contender", "batch_size", "dataset")

    def track_seconds_per_image(self, contender: str, batch_size: int, dataset_name: str) -> dict[str, object]:
        """Return the seconds per image of training."""
        return _seconds_per_image(contender, dataset_name, benchmark_recipe(batch_size=batch_size), "1")


class HiddenWidth(_Scaling):
    """Units of the hidden layer, at batch size 128 on one thread. The arithmetic is proportional to them."""

    params = (CONTENDERS, HIDDEN, DATASETS)
    param_names = ("contender", "hidden", "dataset")

    def track_seconds_per_image(self, contender: str, hidden: int, dataset_name: str) -> dict[str, object]:
        """Return the seconds per image of training."""
        return _seconds_per_image(
            contender, dataset_name, benchmark_recipe(batch_size=128).with_changes(hidden=hidden), "1"
        )


class Images(_Scaling):
    """Images per epoch, at batch size 128 on one thread. More images exceed the caches, but spread a fixed cost."""

    params = (CONTENDERS, IMAGES, DATASETS)
    param_names = ("contender", "images", "dataset")

    def track_seconds_per_image(self, contender: str, images: int, dataset_name: str) -> dict[str, object]:
        """Return the seconds per image of training for whole epochs, on the first images of the data set."""
        return _seconds_per_image(contender, dataset_name, benchmark_recipe(batch_size=128), "1", images)


class Threads(_Scaling):
    """One thread or all, at batch size 1,024, which gives the threads enough work."""

    params = (CONTENDERS, THREADS, DATASETS)
    param_names = ("contender", "threads", "dataset")

    def track_seconds_per_image(self, contender: str, threads: str, dataset_name: str) -> dict[str, object]:
        """Return the seconds per image of training."""
        return _seconds_per_image(contender, dataset_name, benchmark_recipe(batch_size=1024), threads)


def _seconds_per_image(
    name: str, dataset_name: str, recipe: Recipe, threads: str, epoch_images: int | None = None
) -> dict[str, object]:
    data = dataset(dataset_name)
    if epoch_images is not None and len(data.X_train) < epoch_images:
        raise SkipNotImplemented(f"{dataset_name} has {len(data.X_train)} training images, fewer than {epoch_images}")
    contender = contenders.create(trainable_or_skip(name))
    contender.use_threads(thread_count(threads))
    gate.require(name, contender, data, recipe)
    part = LabelledImages(data.X_train[:epoch_images], data.y_train[:epoch_images], data.classes)
    contender.prepare(initial_parameters(0, part.X.shape[1], recipe.hidden, data.classes), part, recipe)
    order = batch_order(0, 0, len(part.X))
    if epoch_images is None:
        order = _whole_batches(contender, recipe, order)
    _seconds(contender, recipe, order)  # compiles or traces everything that the gate did not use
    calls = ceil(_enough_seconds(contender) / _seconds(contender, recipe, order))
    seconds = [_seconds(contender, recipe, order, calls) for _ in range(SAMPLES)]
    contender.close()
    return {"samples": [value / (calls * len(order)) for value in seconds], "number": 1}


def _whole_batches(contender: Contender, recipe: Recipe, order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return enough whole batches of an epoch for a sample, or all of them."""
    max_batches = max(1, len(order) // recipe.batch_size)
    batches = min(ceil(MIN_IMAGES / recipe.batch_size), max_batches)
    _seconds(contender, recipe, order[: batches * recipe.batch_size])
    while batches < max_batches and _seconds(contender, recipe, order[: batches * recipe.batch_size]) < _enough_seconds(
        contender
    ):
        batches = min(2 * batches, max_batches)
    return order[: batches * recipe.batch_size]


def _enough_seconds(contender: Contender) -> float:
    return WHOLE_EPOCHS_SAMPLE_SECONDS if contender.whole_epochs_only else SAMPLE_SECONDS


def _seconds(contender: Contender, recipe: Recipe, order: npt.NDArray[np.int64], calls: int = 1) -> float:
    learning_rates = recipe.learning_rates(0, len(order))
    started = time.perf_counter()
    for _ in range(calls):
        contender.advance(order, learning_rates)
    return time.perf_counter() - started
