"""An interleaved run: contenders in one process, each past the gate, timed in turns on the same scenarios."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from nnkernels import contenders
from nnkernels.contenders import Contender
from nnkernels.data import Dataset
from nnkernels.errors import one_line
from nnkernels.measure.correctness import gate
from nnkernels.measure.correctness.compiled import require_compiled
from nnkernels.measure.timing.interleaving import SecondsByRound, Task, alternate, log_ratios
from nnkernels.measure.timing.participants import by_label, settings, suits, timed_as_another
from nnkernels.measure.timing.scenarios import Scenario
from nnkernels.measure.timing.tasks import SEED, predict_task, prepare_task, train_task
from nnkernels.measure.timing.threads import thread_count
from nnkernels.measure.timing.time_to_accuracy import SEEDS, Trainings
from nnkernels.measure.timing.turns import Judgement, Turns, judge
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
        process did. Those of disturbed turns are among them.
    failures : dict
        Why a contender has no time: by its name, or by ``name: scenario`` where it failed at one scenario.
    turns : dict
        ``turns[scenario]``: the order and the conditions of its turns, or the name of the scenario whose turns its
        seconds are of. Older records have none.
    """

    framework_threads: str
    dataset: str
    seconds: dict[str, SecondsByRound]
    failures: dict[str, str]
    turns: dict[str, Turns | str] = field(default_factory=dict)

    def failure(self, contender: str, scenario: str) -> str:
        """Return why a contender has no time at a scenario; empty if it did not fail there."""
        return self.failures.get(contender) or self.failures.get(_at_scenario(contender, scenario), "")

    def took_part(self, contender: str, scenario: str) -> bool:
        """Return whether a contender has a time at a scenario, at this setting."""
        return f"{contender}@{self.framework_threads}" in self.seconds.get(scenario, {})

    def judged(self, scenario: str) -> Judgement | None:
        """Return which turns of a scenario are disturbed and which of them left out; None without their conditions."""
        turns = self.turns.get(scenario)
        if isinstance(turns, str):
            return self.judged(turns)
        return judge(turns, self.seconds[scenario]) if turns else None

    def undisturbed(self, scenario: str) -> SecondsByRound:
        """Return the seconds of a scenario with NaN in the turns that are left out, for all contenders alike.

        Everybody keeps at least one number. :mod:`~nnkernels.measure.timing.turns` has the rule.
        """
        judged, of_scenario = self.judged(scenario), self.seconds[scenario]
        if judged is None:
            return of_scenario
        return {
            label: [
                [np.nan if out else value for out, value in zip(left_out, round_, strict=False)]
                for left_out, round_ in zip(judged.left_out, rounds, strict=True)
            ]
            for label, rounds in of_scenario.items()
        }

    def relative_time(self, scenario: str, contender: str, against: str) -> float:
        """Return the median paired ratio of the seconds of ``contender`` and ``against``, both at this setting."""
        of_scenario = self.undisturbed(scenario)
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
    seed: int | None = None,
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
    seed : int, optional
        From which the seed of each scenario's orders is drawn. Without it, each process has orders of its own.

    Raises
    ------
    ConfigurationError
        If Numba is told not to compile the kernels of one of them.
    """
    scenarios = [scenario for scenario in scenarios if scenario.is_asked_of(dataset.name)]
    measured = InterleavedRun(framework_threads, dataset.name, {}, {})
    orders = np.random.default_rng(seed)
    created = _created(names, scenarios, measured)
    require_compiled()
    for recipe, group in itertools.groupby(scenarios, lambda scenario: scenario.recipe):
        of_recipe = list(group)
        ready = _ready(created, dataset, recipe, of_recipe, measured)
        for scenario in of_recipe:
            able = {
                name: contender
                for name, contender in ready.items()
                if suits(scenario, name, contender)
                and not measured.failure(name, scenario.name)
                and not timed_as_another(scenario, name, ready)
            }
            if scenario.kind == "time to accuracy":
                alone = [other for other in scenarios if other.kind == "training alone" and other.recipe == recipe]
                _time_to_accuracy([scenario, *alone], able, dataset, seeds, measured, orders)
            elif scenario.kind != "training alone":
                _time_segments(scenario, able, dataset, rounds, measured, orders)
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
        taking_part = [scenario for scenario in group if suits(scenario, name, contender)]
        if not taking_part:
            continue
        try:
            for setting in settings(contender, measured.framework_threads):
                contender.use_threads(thread_count(setting))
                gate.require(name, contender, dataset, recipe)
            start = initial_parameters(SEED, dataset.X_train.shape[1], recipe.hidden)
            contender.prepare(start, dataset.training, recipe)
            ready[name] = contender
        except Exception as error:
            measured.failures.update({_at_scenario(name, scenario.name): one_line(error) for scenario in taking_part})
    return ready


def _time_segments(
    scenario: Scenario,
    able: dict[str, Contender],
    dataset: Dataset,
    rounds: int,
    measured: InterleavedRun,
    orders: np.random.Generator,
) -> None:
    make = {"train": train_task, "predict": predict_task, "prepare": prepare_task}[scenario.kind]
    settings = by_label(able, measured.framework_threads)
    tasks = {label: make(scenario, contender, dataset, threads) for label, (contender, threads) in settings.items()}
    measured.seconds[scenario.name] = _in_turns(scenario, tasks, rounds, measured, orders)


def _time_to_accuracy(
    group: Sequence[Scenario],
    able: dict[str, Contender],
    dataset: Dataset,
    seeds: int,
    measured: InterleavedRun,
    orders: np.random.Generator,
) -> None:
    """Time the first scenario of a group of one recipe; the others are the same trainings without the preparation."""
    scenario, *alone = group
    settings = by_label(able, measured.framework_threads)
    trainings = {label: Trainings(scenario, contender, dataset) for label, (contender, _) in settings.items()}
    tasks = {label: trainings[label].task(threads) for label, (_, threads) in settings.items()}
    # The trainings keep a clock of their own, which stands still between the epochs; that of the turns is left.
    timed = _in_turns(scenario, tasks, seeds, measured, orders)
    measured.seconds[scenario.name] = {label: trainings[label].both for label in timed}
    for training in alone:
        measured.seconds[training.name] = {label: trainings[label].training for label in timed}
        measured.turns[training.name] = scenario.name


def _in_turns(
    scenario: Scenario, tasks: dict[str, Task], rounds: int, measured: InterleavedRun, orders: np.random.Generator
) -> SecondsByRound:
    """Return the seconds of those who did not fail; a contender that fails at a setting is out with all.

    The turns are kept.
    """
    lost: dict[str, Exception] = {}
    for label, task in tasks.items():
        try:
            task.before()
            task.warm_up()
        except Exception as error:
            lost[label] = error
    seconds, measured.turns[scenario.name] = alternate(tasks, rounds, lost, int(orders.integers(2**32)))
    for label, reason in lost.items():
        measured.failures[_at_scenario(label.split("@")[0], scenario.name)] = one_line(reason)
    return {
        label: of_task for label, of_task in seconds.items() if not measured.failure(label.split("@")[0], scenario.name)
    }


def _at_scenario(contender: str, scenario: str) -> str:
    return f"{contender}: {scenario}"
