"""Measuring of an interleaved run: contenders in one process, each checked by the gate, timed in turns."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from nnkernels import contenders
from nnkernels.contenders import Contender
from nnkernels.data import Dataset
from nnkernels.errors import one_line
from nnkernels.measure.correctness import gate
from nnkernels.measure.correctness.compiled import require_compiled
from nnkernels.measure.timing.interleaved_run import InterleavedRun, failure_key
from nnkernels.measure.timing.interleaving import SecondsByRound, Task, alternate
from nnkernels.measure.timing.participants import by_label, settings, suits, timed_as_another
from nnkernels.measure.timing.scenarios import Scenario
from nnkernels.measure.timing.tasks import SEED, predict_task, prepare_task, train_task
from nnkernels.measure.timing.threads import thread_count
from nnkernels.measure.timing.time_to_accuracy import SEEDS, Trainings
from nnkernels.parameters import initial_parameters
from nnkernels.process_settings import preserved_thread_counts
from nnkernels.recipes import Recipe

# The reference contenders. They are measured in every process, so that contenders of different processes can be
# compared with the same ones.
REFERENCES = ("numpy", "numba", "fused")


def contenders_in_process(names: Sequence[str], process: str) -> list[str]:
    """Return the contenders of a separate process: those that require it, and the reference contenders.

    Parameters
    ----------
    names : sequence of str
        Contenders of the run.
    process : str
        Name of the process, as in :class:`~nnkernels.contenders.Entry`; empty for the default process, in which the
        contenders without a process of their own are measured.

    Returns
    -------
    names : list of str
        Empty if no contender requires the process.
    """
    own = [name for name in names if contenders.entry(name).process == process]
    if not own or process == "":
        return own
    return [name for name in names if name in REFERENCES] + own


@preserved_thread_counts()
def run_interleaved(
    names: Sequence[str],
    dataset: Dataset,
    scenarios: Sequence[Scenario],
    framework_threads: str,
    rounds: int,
    seeds: int = SEEDS,
    save: Callable[[InterleavedRun], object] = lambda _measured: None,
    seed: int | None = None,
) -> InterleavedRun:
    """Check each contender with the gate, then time all of them in turns on the same scenarios.

    The gate uses the recipe of each scenario and every thread setting at which the contender is timed. Consecutive
    scenarios with the same recipe share the gate's check and the preparation. A contender that fails is excluded with
    the error as its reason, and the others continue. If a backend shares its prediction function with another backend
    of the run, only the other one is timed. Afterwards, the numbers of threads of BLAS and Numba are restored.

    Parameters
    ----------
    names : sequence of str
        Names of the contenders.
    dataset : Dataset
        Training and test images.
    scenarios : sequence of Scenario
        What to time. Scenarios that do not apply to the data set are skipped.
    framework_threads : str
        ``1`` or ``all``: the thread setting of contenders that cannot change it.
    rounds : int
        Number of rounds of each scenario, except for training to an accuracy.
    seeds : int
        Number of training runs to an accuracy.
    save : callable
        ``save(measured)``; called with the results so far after each scenario.
    seed : int, optional
        Seed of the scenarios' random orders. By default, each process has different orders.

    Returns
    -------
    measured : InterleavedRun
        Times, failures, and conditions.

    Raises
    ------
    ConfigurationError
        If a contender needs Numba and Numba's compiler is disabled.
    """
    scenarios = [scenario for scenario in scenarios if scenario.applies_to(dataset.name)]
    measured = InterleavedRun(framework_threads, dataset.name, {}, {})
    orders = np.random.default_rng(seed)
    created = _create_all(names, scenarios, measured)
    require_compiled()
    for recipe, group in itertools.groupby(scenarios, lambda scenario: scenario.recipe):
        scenarios_of_recipe = list(group)
        ready = _check_and_prepare(created, dataset, recipe, scenarios_of_recipe, measured)
        for scenario in scenarios_of_recipe:
            participants = {
                name: contender
                for name, contender in ready.items()
                if suits(scenario, name, contender)
                and not measured.failure(name, scenario.name)
                and not timed_as_another(scenario, name, ready)
            }
            if scenario.kind == "time to accuracy":
                alone = [other for other in scenarios if other.kind == "training alone" and other.recipe == recipe]
                _time_to_accuracy([scenario, *alone], participants, dataset, seeds, measured, orders)
            elif scenario.kind != "training alone":
                _time_segments(scenario, participants, dataset, rounds, measured, orders)
            save(measured)
    for contender in created.values():
        contender.close()
    return measured


def _create_all(names: Sequence[str], scenarios: Sequence[Scenario], measured: InterleavedRun) -> dict[str, Contender]:
    created: dict[str, Contender] = {}
    for name in names:
        try:
            trains = contenders.entry(name).trains
            if not any(scenario.suits(trains, whole_epochs_only=False) for scenario in scenarios):
                continue  # without importing its framework
            created[name] = contenders.create(name)
            created[name].use_threads(thread_count(measured.framework_threads))
        except Exception as error:  # any exception counts as this contender's failure
            measured.failures[name] = one_line(error)
            created.pop(name, None)
    return created


def _check_and_prepare(
    created: dict[str, Contender], dataset: Dataset, recipe: Recipe, group: Sequence[Scenario], measured: InterleavedRun
) -> dict[str, Contender]:
    """Return the contenders of any scenario in a group, after the gate's check and prepared with the group's recipe."""
    ready: dict[str, Contender] = {}
    for name, contender in created.items():
        taking_part = [scenario for scenario in group if suits(scenario, name, contender)]
        if not taking_part:
            continue
        try:
            for setting in settings(contender, measured.framework_threads):
                contender.use_threads(thread_count(setting))
                gate.require(name, contender, dataset, recipe)
            start = initial_parameters(SEED, dataset.X_train.shape[1], recipe.hidden, dataset.classes)
            contender.prepare(start, dataset.training, recipe)
            ready[name] = contender
        except Exception as error:
            measured.failures.update({failure_key(name, scenario.name): one_line(error) for scenario in taking_part})
    return ready


def _time_segments(
    scenario: Scenario,
    participants: dict[str, Contender],
    dataset: Dataset,
    rounds: int,
    measured: InterleavedRun,
    orders: np.random.Generator,
) -> None:
    make = {"train": train_task, "predict": predict_task, "prepare": prepare_task}[scenario.kind]
    settings = by_label(participants, measured.framework_threads)
    tasks = {label: make(scenario, contender, dataset, threads) for label, (contender, threads) in settings.items()}
    measured.seconds[scenario.name] = _in_turns(scenario, tasks, rounds, measured, orders)


def _time_to_accuracy(
    group: Sequence[Scenario],
    participants: dict[str, Contender],
    dataset: Dataset,
    seeds: int,
    measured: InterleavedRun,
    orders: np.random.Generator,
) -> None:
    """Time the first scenario of a group; the others are the same training runs without the preparation."""
    scenario, *alone = group
    settings = by_label(participants, measured.framework_threads)
    trainings = {label: Trainings(scenario, contender, dataset) for label, (contender, _) in settings.items()}
    tasks = {label: trainings[label].task(threads) for label, (_, threads) in settings.items()}
    # `Trainings` measures the time itself, without the evaluation after each epoch. The times of the turns are unused.
    timed = _in_turns(scenario, tasks, seeds, measured, orders)
    measured.seconds[scenario.name] = {label: trainings[label].total for label in timed}
    for training in alone:
        measured.seconds[training.name] = {label: trainings[label].training for label in timed}
        measured.turns[training.name] = scenario.name


def _in_turns(
    scenario: Scenario, tasks: dict[str, Task], rounds: int, measured: InterleavedRun, orders: np.random.Generator
) -> SecondsByRound:
    """Time the tasks in turns, and record the turns.

    Returns
    -------
    seconds : dict
        Times of contenders that did not fail. A failure at one thread setting excludes a contender at all settings.
    """
    errors: dict[str, Exception] = {}
    for label, task in tasks.items():
        try:
            task.before()
            task.warm_up()
        except Exception as error:
            errors[label] = error
    seconds, measured.turns[scenario.name] = alternate(tasks, rounds, errors, int(orders.integers(2**32)))
    for label, reason in errors.items():
        measured.failures[failure_key(label.split("@")[0], scenario.name)] = one_line(reason)
    return {
        label: task_seconds
        for label, task_seconds in seconds.items()
        if not measured.failure(label.split("@")[0], scenario.name)
    }
