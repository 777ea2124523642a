"""The panel: all contenders in one process, each past the gate, timed in turns on the same work."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from nnkernels import contenders
from nnkernels.contenders import Contender
from nnkernels.data import Dataset
from nnkernels.errors import one_line
from nnkernels.measure import gate
from nnkernels.measure.paired import SecondsByRound, Task, alternate, log_ratios
from nnkernels.measure.threads import thread_count
from nnkernels.parameters import initial_parameters
from nnkernels.recipes import Recipe
from nnkernels.training import batch_order

WORKS = ("epoch", "one image", "10,000 images")
SEGMENTS_PER_EPOCH = 10
SEED = 0


@dataclass(frozen=True)
class Panel:
    """What one process measured.

    Attributes
    ----------
    framework_threads : str
        ``1`` or ``all``: the setting of the contenders whose threads are fixed for the life of a process.
    seconds : dict
        ``seconds[work][contender + "@" + threads]``, in seconds per epoch, or per call for predictions.
    failures : dict
        Why a contender has no time, by name.
    """

    framework_threads: str
    dataset: str
    seconds: dict[str, SecondsByRound]
    failures: dict[str, str]

    def relative_time(self, work: str, contender: str, against: str) -> float:
        """Return the median paired ratio of the seconds of ``contender`` and ``against``, both at this setting."""
        of_work = self.seconds[work]
        setting = self.framework_threads
        ratios = log_ratios(of_work[f"{contender}@{setting}"], of_work[f"{against}@{setting}"])
        return float(np.exp(np.median(ratios)))


def run_panel(names: Sequence[str], dataset: Dataset, recipe: Recipe, framework_threads: str, rounds: int) -> Panel:
    """Let every contender pass the gate, then time them in turns.

    A contender that fails is left out, with the reason; the others go on.
    """
    ready: dict[str, Contender] = {}
    failures: dict[str, str] = {}
    for name in names:
        try:
            ready[name] = _ready(name, dataset, recipe, framework_threads)
        except Exception as error:  # whatever goes wrong in a contender is that contender's failure
            failures[name] = one_line(error)
    makers = {"epoch": _epoch_tasks, "one image": _one_image_tasks, "10,000 images": _many_images_tasks}
    seconds = {}
    for work in WORKS:
        tasks: dict[str, Task] = {}
        for name, contender in ready.items():
            for setting in _settings(contender, framework_threads):
                tasks[f"{name}@{setting}"] = makers[work](contender, dataset, recipe, thread_count(setting))
        for task in tasks.values():
            task.before()
            task.warm_up()
        seconds[work] = alternate(tasks, rounds)
    for contender in ready.values():
        contender.close()
    return Panel(framework_threads, dataset.name, seconds, failures)


def _ready(name: str, dataset: Dataset, recipe: Recipe, framework_threads: str) -> Contender:
    contender = contenders.create(name)
    contender.use_threads(thread_count(framework_threads))
    gate.require(name, contender, dataset)
    contender.prepare(
        initial_parameters(SEED, dataset.X_train.shape[1], recipe.hidden),
        dataset.training,
        recipe,
    )
    return contender


def _settings(contender: Contender, framework_threads: str) -> tuple[str, ...]:
    # Who can change threads at any time is measured at both settings beside each setting of those who cannot,
    # so that a ratio against the other's faster setting is a ratio within one process too.
    return ("1", "all") if contender.threads_can_change else (framework_threads,)


def _epoch_tasks(contender: Contender, dataset: Dataset, recipe: Recipe, threads: int) -> Task:
    images = len(dataset.X_train)
    order = batch_order(SEED, 0, images)
    segments = 1 if contender.whole_epochs_only else SEGMENTS_PER_EPOCH
    # Whole batches only: the last segment takes what is left.
    bounds = np.linspace(0, recipe.batches(images), segments + 1).astype(int) * recipe.batch_size
    parts = itertools.cycle([order[a:b] for a, b in itertools.pairwise(bounds)])

    def run() -> None:
        part = next(parts)
        contender.advance(part, np.full(recipe.batches(len(part)), recipe.learning_rate, np.float32))

    def warm_up() -> None:
        few = order[: 10 * recipe.batch_size]
        contender.advance(few, np.full(recipe.batches(len(few)), recipe.learning_rate, np.float32))

    return Task(run, 1 / segments, segments, partial(contender.use_threads, threads), warm_up)


def _one_image_tasks(contender: Contender, dataset: Dataset, recipe: Recipe, threads: int) -> Task:
    return _predict_task(contender, dataset.X_test[:1], 2 if contender.whole_epochs_only else 200, threads)


def _many_images_tasks(contender: Contender, dataset: Dataset, recipe: Recipe, threads: int) -> Task:
    return _predict_task(contender, ten_thousand_images(dataset), 1, threads)


def ten_thousand_images(dataset: Dataset) -> Any:
    """Return 10,000 of the data set's images, repeated from the start where there are fewer."""
    images = np.concatenate([dataset.X_test, dataset.X_train])[:10_000]
    return np.ascontiguousarray(np.resize(images, (10_000, images.shape[1])))


def _predict_task(contender: Contender, X: Any, calls: int, threads: int) -> Task:
    def run() -> None:
        for _ in range(calls):
            contender.predict(X)

    segments = 1 if contender.whole_epochs_only else 3
    return Task(run, calls, segments, partial(contender.use_threads, threads), partial(contender.predict, X))
