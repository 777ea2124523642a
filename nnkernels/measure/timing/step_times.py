"""The steps from naive to fast, each past the gate, timed in turns in one process."""

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
from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.measure.timing.interleaving import Task, alternate
from nnkernels.measure.timing.tasks import SEED
from nnkernels.measure.timing.threads import thread_count
from nnkernels.parameters import initial_parameters
from nnkernels.process_settings import kept_threads
from nnkernels.recipes import SGD
from nnkernels.steps import Step
from nnkernels.training import batch_order

# The scenario of the steps in records, its unit seconds per epoch.
STEPS_EPOCH = "epoch, step by step"
SEGMENTS = 6  # a round; each step trains on as many stretches


def label(step: Step) -> str:
    """Return the label of a step in records: its name with its thread setting."""
    return f"{step.name}@{step.threads}"


def check_step(step: Step, contender: Contender, dataset: Dataset) -> gate.GateResult:
    """Let a step pass the gate of all contenders, on as many images as the step has for it.

    Raises
    ------
    GateError
        If its parameters depart from the float64 oracle's by more than the tolerance.
    """
    n = step.gate_images
    few = Dataset(dataset.X_train[:n], dataset.y_train[:n], dataset.X_test, dataset.y_test)
    return gate.require(step.name, contender, few, SGD)


@kept_threads()
def time_steps(
    dataset: Dataset, rounds: int, chosen: Sequence[Step] = steps.STEPS, seed: int | None = None
) -> InterleavedRun:
    """Time an epoch of each step, in turns of short stretches of batches.

    A stretch of a slow step has fewer images, as ``timed_images`` says, and its seconds are divided by its share of an
    epoch: what a step does for a batch does not depend on how many batches there are. The conversion of the images is
    outside the clock, as it is for contenders, and fetching them is inside.

    A step that fails is left out, with the reason; the others go on.

    Parameters
    ----------
    dataset : Dataset
    rounds : int
    chosen : sequence of Step
    seed : int, optional
        From which the seed of the turns' orders is drawn.

    Raises
    ------
    ConfigurationError
        If Numba is told not to compile.
    """
    tasks: dict[str, Task] = {}
    failures: dict[str, str] = {}
    for step in chosen:
        try:
            contender = steps.create(step.name)
            require_compiled()
            contender.use_threads(thread_count(step.threads))
            check_step(step, contender, dataset)
            contender.prepare(initial_parameters(SEED), dataset.training, SGD)
            tasks[label(step)] = _task(step, contender, dataset)
        except Exception as error:
            failures[step.name] = one_line(error)
    lost: dict[str, Exception] = {}
    of_turns = int(np.random.default_rng(seed).integers(2**32))
    seconds, turns = alternate(tasks, rounds, lost, of_turns)
    failures.update({name.split("@")[0]: one_line(error) for name, error in lost.items()})
    return InterleavedRun("1", dataset.name, {STEPS_EPOCH: seconds}, failures, {STEPS_EPOCH: turns})


def _task(step: Step, contender: Contender, dataset: Dataset) -> Task:
    """Return stretches of whole batches; they go through the epoch and begin again."""
    images, size = len(dataset.X_train), SGD.batch_size
    length = min(max(step.timed_images // size, 1) * size, images)
    order = batch_order(SEED, 0, images)
    turns = itertools.cycle([order[start : start + length] for start in range(0, images - length + 1, length)])

    def run() -> None:
        stretch = next(turns)
        contender.advance(stretch, SGD.learning_rates(0, len(stretch)))

    return Task(run, length / images, SEGMENTS, partial(contender.use_threads, thread_count(step.threads)))
