"""Times of the steps from naive to fast: each is checked by the gate, and all are timed in turns in one process."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial

import numpy as np

from nnkernels import steps
from nnkernels.contenders import Contender
from nnkernels.data import Dataset
from nnkernels.errors import one_line
from nnkernels.measure.correctness import gate
from nnkernels.measure.correctness.compiled import require_compiled
from nnkernels.measure.correctness.gate_result import GateResult
from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.measure.timing.interleaving import Task, alternate
from nnkernels.measure.timing.tasks import SEED
from nnkernels.measure.timing.threads import thread_count
from nnkernels.parameters import initial_parameters
from nnkernels.process_settings import preserved_thread_counts
from nnkernels.recipes import SGD
from nnkernels.steps import Step
from nnkernels.training import batch_order

# Name of the steps' scenario in records. Its unit is seconds per epoch.
STEPS_EPOCH = "epoch, step by step"
SEGMENTS = 6  # per round


def label(step: Step) -> str:
    """Return the label of a step in records.

    Parameters
    ----------
    step : Step
        The step.

    Returns
    -------
    label : str
        Its name and thread setting, joined by ``@``.
    """
    return f"{step.name}@{step.threads}"


def check_step(step: Step, contender: Contender, dataset: Dataset) -> GateResult:
    """Check a step with the gate of all contenders. A slow step is checked on fewer images.

    Parameters
    ----------
    step : Step
        The step; ``gate_images`` is the number of images.
    contender : Contender
        The step as a contender. Its previous state is lost.
    dataset : Dataset
        The source of the images.

    Returns
    -------
    result : GateResult
        Differences from the float64 oracle.

    Raises
    ------
    GateError
        If the parameters differ from the oracle's by more than the tolerance.
    """
    n = step.gate_images
    few = Dataset(dataset.X_train[:n], dataset.y_train[:n], dataset.X_test, dataset.y_test, classes=dataset.classes)
    return gate.require(step.name, contender, few, SGD)


@preserved_thread_counts()
def time_steps(
    dataset: Dataset, rounds: int, chosen: Sequence[Step] = steps.STEPS, seed: int | None = None
) -> InterleavedRun:
    """Time an epoch of each step, in turns of short sequences of batches.

    A slow step trains on fewer images per segment, as its ``timed_images`` says. Its time is divided by the fraction of
    an epoch, because the time of a batch does not depend on the number of batches. As for contenders, the conversion of
    the images is excluded and fetching them is included.

    A step that fails is excluded with the error as its reason, and the others continue. This also applies to steps that
    need Numba if its compiler is disabled.

    Parameters
    ----------
    dataset : Dataset
        Training and test images.
    rounds : int
        Number of rounds.
    chosen : sequence of Step
        The steps to time.
    seed : int, optional
        Seed of the random orders of the turns.

    Returns
    -------
    measured : InterleavedRun
        Seconds per epoch, failures, and conditions.
    """
    tasks: dict[str, Task] = {}
    failures: dict[str, str] = {}
    for step in chosen:
        try:
            contender = steps.create(step.name)
            require_compiled()
            contender.use_threads(thread_count(step.threads))
            check_step(step, contender, dataset)
            contender.prepare(initial_parameters(SEED, classes=dataset.classes), dataset.training, SGD)
            tasks[label(step)] = _task(step, contender, dataset)
        except Exception as error:
            failures[step.name] = one_line(error)
    errors: dict[str, Exception] = {}
    turn_seed = int(np.random.default_rng(seed).integers(2**32))
    seconds, turns = alternate(tasks, rounds, errors, turn_seed)
    failures.update({name.split("@")[0]: one_line(error) for name, error in errors.items()})
    return InterleavedRun("1", dataset.name, {STEPS_EPOCH: seconds}, failures, {STEPS_EPOCH: turns})


def _task(step: Step, contender: Contender, dataset: Dataset) -> Task:
    """Return a task whose segments are sequences of whole batches. They cycle through the epoch."""
    images, size = len(dataset.X_train), SGD.batch_size
    length = min(max(step.timed_images // size, 1) * size, images)
    order = batch_order(SEED, 0, images)
    turns = itertools.cycle([order[start : start + length] for start in range(0, images - length + 1, length)])

    def run() -> None:
        segment_order = next(turns)
        contender.advance(segment_order, SGD.learning_rates(0, len(segment_order)))

    return Task(run, length / images, SEGMENTS, partial(contender.use_threads, thread_count(step.threads)))
