"""Paired epochs: ours and Keras' ``fit`` train by turns in one process, with the transforms in both clocks."""

from __future__ import annotations

import itertools

import numpy as np

from nnkernels import contenders
from nnkernels.accuracy.design import FIT, OURS
from nnkernels.contenders import Contender
from nnkernels.data import Dataset, LabelledImages
from nnkernels.errors import MeasurementError, NNKernelsError
from nnkernels.measure.correctness import gate
from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.measure.timing.interleaving import Task, alternate, log_ratios
from nnkernels.parameters import initial_parameters
from nnkernels.process_settings import preserved_thread_counts
from nnkernels.recipes import Recipe
from nnkernels.statistics import Estimate, process_means, student
from nnkernels.sweep.worker import images_in_worker
from nnkernels.training import batch_order, distortion, recipe_images

SCENARIO = "epoch with transforms"
THREADS = 1
LABELS = OURS_LABEL, FIT_LABEL = f"{OURS}@{THREADS}", f"{FIT}@{THREADS}"  # as in any interleaved run


def time_epochs_in_worker(recipe: Recipe, turns: int, seed: int) -> InterleavedRun:
    """Time paired epochs in a process that has the images of a sweep.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    turns : int
        Number of epochs of each contender.
    seed : int
        Seed of the training, and of the order of the contenders in each turn.

    Returns
    -------
    measured : InterleavedRun
        The times, with the conditions of each turn.

    Raises
    ------
    MeasurementError
        If a contender cannot be timed, for example because the gate rejects it.
    """
    try:
        return time_epochs(images_in_worker(), recipe, turns, seed)
    except NNKernelsError as error:  # some of them cannot be pickled
        raise MeasurementError(f"paired epochs of {recipe.name}: {error}") from None


@preserved_thread_counts()
def time_epochs(dataset: Dataset, recipe: Recipe, turns: int, seed: int) -> InterleavedRun:
    """Check both contenders with the gate, then time epochs of them by turns, on one thread each.

    Parameters
    ----------
    dataset : Dataset
        The data.
    recipe : Recipe
        The recipe.
    turns : int
        Number of epochs of each contender, after one that is not timed.
    seed : int
        Seed of the training, and of the order of the contenders in each turn.

    Returns
    -------
    measured : InterleavedRun
        The times, with the conditions of each turn.

    Raises
    ------
    GateError
        If a contender differs from the float64 oracle.
    """
    import numba

    tasks: dict[str, Task] = {}
    created = {name: contenders.create(name) for name in (OURS, FIT)}
    for label, (name, contender) in zip(LABELS, created.items(), strict=True):
        contender.use_threads(THREADS)
        numba.set_num_threads(THREADS)  # of the transforms, whatever the contender computes with
        gate.require(name, contender, dataset, recipe)
        tasks[label] = _Epochs(contender, dataset.training, recipe, seed).task()
    for task in tasks.values():
        task.before()
        task.warm_up()
    seconds, conditions = alternate(tasks, turns, seed=seed)
    for contender in created.values():
        contender.close()
    return InterleavedRun(str(THREADS), dataset.name, {SCENARIO: seconds}, {}, {SCENARIO: conditions})


def speed_up(measured: list[InterleavedRun]) -> Estimate:
    """Return how many times as fast as Keras' ``fit`` ours trains an epoch.

    Parameters
    ----------
    measured : list of InterleavedRun
        The paired epochs, one entry per process. At least one.

    Returns
    -------
    ratio : Estimate
        The geometric mean of the paired ratios, with the interval over the processes.
    """
    ratios = []
    for one in measured:
        seconds = one.undisturbed(SCENARIO)
        ratios.append(log_ratios(seconds[FIT_LABEL], seconds[OURS_LABEL]))
    return student(process_means(ratios)).exp()


def seconds_per_epoch(measured: list[InterleavedRun]) -> Estimate:
    """Return the time of an epoch of ours with its transforms, on one thread, with nothing else running.

    Parameters
    ----------
    measured : list of InterleavedRun
        The paired epochs, one entry per process. At least one.

    Returns
    -------
    seconds : Estimate
        The geometric mean, with the interval over the processes.
    """
    logs = [np.log(one.undisturbed(SCENARIO)[OURS_LABEL]) for one in measured]
    return student(process_means(logs)).exp()


class _Epochs:
    """Consecutive epochs of a training, each with the transforms that fall to it."""

    def __init__(self, contender: Contender, data: LabelledImages, recipe: Recipe, seed: int) -> None:
        self.contender, self.recipe, self.seed, self.images = contender, recipe, seed, len(data.X)
        seen = recipe_images(recipe, data)
        contender.prepare(initial_parameters(seed, data.X.shape[1], recipe.hidden, data.classes), seen, recipe)
        self.distort = distortion(contender, seen, recipe, seed) if recipe.augmentation else None
        # Images are deskewed once for all epochs, so each epoch bears its share of that.
        count = -(-self.images // recipe.epochs) if recipe.deskew else 0
        self.share = LabelledImages(data.X[:count], data.y[:count], data.classes)
        self.numbers = itertools.count()

    def task(self) -> Task:
        return Task(self.train, units=1, before=self.draw, warm_up=self.train)

    def draw(self) -> None:
        self.contender.use_threads(THREADS)
        self.number = next(self.numbers)
        self.order = batch_order(self.seed, self.number, self.images)
        self.learning_rates = self.recipe.learning_rates(self.number, self.images)

    def train(self) -> None:
        if len(self.share.X):
            recipe_images(self.recipe, self.share)
        if self.distort:
            self.distort(self.number)
        self.contender.advance(self.order, self.learning_rates)
