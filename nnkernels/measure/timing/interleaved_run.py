"""An interleaved run: contenders in one process, each past the gate, timed in turns on the same scenarios."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nnkernels import contenders
from nnkernels.contenders import Contender
from nnkernels.data import Dataset
from nnkernels.errors import one_line
from nnkernels.measure.correctness import gate
from nnkernels.measure.correctness.compiled import require_compiled
from nnkernels.measure.timing.distinct import prediction_owner
from nnkernels.measure.timing.interleaving import SecondsByRound, Task, alternate, log_ratios
from nnkernels.measure.timing.scenarios import Scenario
from nnkernels.measure.timing.tasks import SEED, predict_task, prepare_task, train_task
from nnkernels.measure.timing.threads import SETTINGS, thread_count
from nnkernels.measure.timing.time_to_accuracy import SEEDS, Trainings
from nnkernels.parameters import initial_parameters
from nnkernels.process_settings import kept_threads
from nnkernels.recipes import Recipe

# In every process, so that what is in another can be compared with them.
REFERENCES = ("numpy", "numba", "fused")


@dataclass(frozen=True)
class InterleavedRun:
    """What one process measured.

    Attributes
    ----------
    framework_threads : str
        ``1`` or ``all``: the setting of the contenders whose threads are fixed for the life of a process.
    seconds : dict
        ``seconds[scenario][contender + "@" + threads]``, in the scenario's unit. Only the scenarios that this
        process did.
    failures : dict
        Why a contender has no time: by its name, or by ``name: scenario`` where it failed at one scenario.
    """

    framework_threads: str
    dataset: str
    seconds: dict[str, SecondsByRound]
    failures: dict[str, str]

    def failure(self, contender: str, scenario: str) -> str:
        """Return why a contender has no time at a scenario; empty if it did not fail there."""
        return self.failures.get(contender) or self.failures.get(_at_scenario(contender, scenario), "")

    def took_part(self, contender: str, scenario: str) -> bool:
        """Return whether a contender has a time at a scenario, at this setting."""
        return f"{contender}@{self.framework_threads}" in self.seconds.get(scenario, {})

    def relative_time(self, scenario: str, contender: str, against: str) -> float:
        """Return the median paired ratio of the seconds of ``contender`` and ``against``, both at this setting."""
        of_scenario = self.seconds[scenario]
        setting = self.framework_threads
        ratios = log_ratios(of_scenario[f"{contender}@{setting}"], of_scenario[f"{against}@{setting}"])
        return float(np.exp(np.median(ratios)))


def contenders_in_process(names: Sequence[str], process: str) -> list[str]:
    """Return those of the contenders that are measured in such a process: its own, beside the references.

    Empty if none of them asks for the process, by its :class:`~nnkernels.contenders.Entry`.
    """
    own = [name for name in names if contenders.entry(name).process == process]
    if not own or process == "":
        return own
    return [name for name in names if name in REFERENCES] + own


@kept_threads()
def run_interleaved(
    names: Sequence[str],
    dataset: Dataset,
    scenarios: Sequence[Scenario],
    framework_threads: str,
    rounds: int,
    seeds: int = SEEDS,
    keep: Callable[[InterleavedRun], object] = lambda _measured: None,
) -> InterleavedRun:
    """Let every contender pass the gate by the recipe of each scenario, on each number of threads that it is timed on.

    Then time them in turns.

    Neighbouring scenarios of the same recipe share gate and preparation. A contender that fails is left out, with the
    reason; the others go on. A backend that predicts by another's function has no times of its own for predictions
    where that one takes part. Afterwards BLAS and Numba have their threads of before.

    Parameters
    ----------
    rounds : int
        Of each scenario but the trainings to an accuracy.
    seeds : int
        Of those.
    keep : callable
        Is given what is measured so far, after each scenario.

    Raises
    ------
    ConfigurationError
        If Numba is told not to compile the kernels of one of them.
    """
    scenarios = [scenario for scenario in scenarios if scenario.is_asked_of(dataset.name)]
    measured = InterleavedRun(framework_threads, dataset.name, {}, {})
    created = _created(names, scenarios, measured)
    require_compiled()
    for recipe, group in itertools.groupby(scenarios, lambda scenario: scenario.recipe):
        of_recipe = list(group)
        ready = _ready(created, dataset, recipe, of_recipe, measured)
        for scenario in of_recipe:
            able = {
                name: contender
                for name, contender in ready.items()
                if _suits(scenario, name, contender)
                and not measured.failure(name, scenario.name)
                and not _timed_as_another(scenario, name, ready)
            }
            if scenario.kind == "time to accuracy":
                alone = [other for other in scenarios if other.kind == "training alone" and other.recipe == recipe]
                _time_to_accuracy([scenario, *alone], able, dataset, seeds, measured)
            elif scenario.kind != "training alone":
                _time_segments(scenario, able, dataset, rounds, measured)
            keep(measured)
    for contender in created.values():
        contender.close()
    return measured


def _created(names: Sequence[str], scenarios: Sequence[Scenario], measured: InterleavedRun) -> dict[str, Contender]:
    created: dict[str, Contender] = {}
    for name in names:
        try:
            trains = contenders.entry(name).trains
            if not any(scenario.suits(trains, whole_epochs_only=False) for scenario in scenarios):
                continue  # and its framework is not imported
            created[name] = contenders.create(name)
            created[name].use_threads(thread_count(measured.framework_threads))
        except Exception as error:  # whatever goes wrong in a contender is that contender's failure
            measured.failures[name] = one_line(error)
            created.pop(name, None)
    return created


def _ready(
    created: dict[str, Contender], dataset: Dataset, recipe: Recipe, group: Sequence[Scenario], measured: InterleavedRun
) -> dict[str, Contender]:
    """Return those that take part in any scenario of a group, past the gate and prepared by their recipe."""
    ready: dict[str, Contender] = {}
    for name, contender in created.items():
        taking_part = [scenario for scenario in group if _suits(scenario, name, contender)]
        if not taking_part:
            continue
        try:
            for setting in _settings(contender, measured.framework_threads):
                contender.use_threads(thread_count(setting))
                gate.require(name, contender, dataset, recipe)
            start = initial_parameters(SEED, dataset.X_train.shape[1], recipe.hidden)
            contender.prepare(start, dataset.training, recipe)
            ready[name] = contender
        except Exception as error:
            measured.failures.update({_at_scenario(name, scenario.name): one_line(error) for scenario in taking_part})
    return ready


def _time_segments(
    scenario: Scenario, able: dict[str, Contender], dataset: Dataset, rounds: int, measured: InterleavedRun
) -> None:
    make = {"train": train_task, "predict": predict_task, "prepare": prepare_task}[scenario.kind]
    labelled = _labelled(able, measured.framework_threads)
    tasks = {label: make(scenario, contender, dataset, threads) for label, (contender, threads) in labelled.items()}
    measured.seconds[scenario.name] = _in_turns(scenario, tasks, rounds, measured)


def _time_to_accuracy(
    group: Sequence[Scenario], able: dict[str, Contender], dataset: Dataset, seeds: int, measured: InterleavedRun
) -> None:
    """Time the first scenario of a group of one recipe; the others are the same trainings without the preparation."""
    scenario, *alone = group
    labelled = _labelled(able, measured.framework_threads)
    trainings = {label: Trainings(scenario, contender, dataset) for label, (contender, _) in labelled.items()}
    tasks = {label: trainings[label].task(threads) for label, (_, threads) in labelled.items()}
    # The trainings keep a clock of their own, which stands still between the epochs; that of the turns is left.
    timed = _in_turns(scenario, tasks, seeds, measured)
    measured.seconds[scenario.name] = {label: trainings[label].both for label in timed}
    for training in alone:
        measured.seconds[training.name] = {label: trainings[label].training for label in timed}


def _in_turns(scenario: Scenario, tasks: dict[str, Task], rounds: int, measured: InterleavedRun) -> SecondsByRound:
    """Return the seconds of those who did not fail; a contender that fails at a setting is out with all."""
    lost: dict[str, Exception] = {}
    for label, task in tasks.items():
        try:
            task.before()
            task.warm_up()
        except Exception as error:
            lost[label] = error
    seconds = alternate(tasks, rounds, lost)
    for label, reason in lost.items():
        measured.failures[_at_scenario(label.split("@")[0], scenario.name)] = one_line(reason)
    return {
        label: of_task for label, of_task in seconds.items() if not measured.failure(label.split("@")[0], scenario.name)
    }


def _suits(scenario: Scenario, name: str, contender: Contender) -> bool:
    return scenario.suits(contenders.entry(name).trains, contender.whole_epochs_only)


def _timed_as_another(scenario: Scenario, name: str, ready: Mapping[str, Contender]) -> bool:
    """Return whether another contender of the run predicts by the same function: its time is this one's."""
    owner = prediction_owner(name) if scenario.kind == "predict" else name
    return owner != name and owner in ready


def _labelled(able: dict[str, Contender], framework_threads: str) -> dict[str, tuple[Contender, int]]:
    """Return who is timed under which label, on how many threads."""
    return {
        f"{name}@{setting}": (contender, thread_count(setting))
        for name, contender in able.items()
        for setting in _settings(contender, framework_threads)
    }


def _settings(contender: Contender, framework_threads: str) -> Sequence[str]:
    """Return the numbers of threads on which a contender passes the gate, and is timed."""
    # Who can change threads at any time is measured at both settings beside each setting of those who cannot,
    # so that a ratio against the other's faster setting is a ratio within one process too.
    return SETTINGS if contender.threads_can_change else [framework_threads]


def _at_scenario(contender: str, scenario: str) -> str:
    return f"{contender}: {scenario}"
