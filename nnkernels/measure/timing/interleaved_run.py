"""The panel: contenders in one process, each past the gate, timed in turns on the same work."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
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
from nnkernels.measure.timing.scenarios import Work
from nnkernels.measure.timing.tasks import SEED, predict_task, prepare_task, train_task
from nnkernels.measure.timing.threads import thread_count
from nnkernels.measure.timing.time_to_accuracy import SEEDS, Trainings
from nnkernels.parameters import initial_parameters
from nnkernels.process_settings import kept_threads
from nnkernels.recipes import Recipe

REFERENCES = ("numpy", "numba", "fused")  # in every panel, so that what is in another can be compared with them


@dataclass(frozen=True)
class Panel:
    """What one process measured.

    Attributes
    ----------
    framework_threads : str
        ``1`` or ``all``: the setting of the contenders whose threads are fixed for the life of a process.
    seconds : dict
        ``seconds[work][contender + "@" + threads]``, in the work's unit. Only the works that this process did.
    failures : dict
        Why a contender has no time: by its name, or by ``name: work`` where it failed at one work.
    """

    framework_threads: str
    dataset: str
    seconds: dict[str, SecondsByRound]
    failures: dict[str, str]

    def failure(self, contender: str, work: str) -> str:
        """Return why a contender has no time at a work; empty if it did not fail there."""
        return self.failures.get(contender) or self.failures.get(_at_work(contender, work), "")

    def took_part(self, contender: str, work: str) -> bool:
        """Return whether a contender has a time at a work, at this setting."""
        return f"{contender}@{self.framework_threads}" in self.seconds.get(work, {})

    def relative_time(self, work: str, contender: str, against: str) -> float:
        """Return the median paired ratio of the seconds of ``contender`` and ``against``, both at this setting."""
        of_work = self.seconds[work]
        setting = self.framework_threads
        ratios = log_ratios(of_work[f"{contender}@{setting}"], of_work[f"{against}@{setting}"])
        return float(np.exp(np.median(ratios)))


def panel_members(names: Sequence[str], process: str) -> list[str]:
    """Return those of the contenders that are measured in such a process: its own, beside the references.

    Empty if none of them asks for the process, by its :class:`~nnkernels.contenders.Entry`.
    """
    own = [name for name in names if contenders.entry(name).process == process]
    if not own or process == "":
        return own
    return [name for name in names if name in REFERENCES] + own


@kept_threads()
def run_panel(
    names: Sequence[str],
    dataset: Dataset,
    works: Sequence[Work],
    framework_threads: str,
    rounds: int,
    seeds: int = SEEDS,
) -> Panel:
    """Let every contender pass the gate by the recipe of each work, then time them in turns.

    Neighbouring works of the same recipe share gate and preparation. A contender that fails is left out, with the
    reason; the others go on. A backend that predicts by another's function has no times of its own for predictions
    where that one is in the panel. Afterwards BLAS and Numba have their threads of before.

    Parameters
    ----------
    rounds : int
        Of each work but the trainings to an accuracy.
    seeds : int
        Of those.

    Raises
    ------
    ConfigurationError
        If Numba is told not to compile the kernels of one of them.
    """
    works = [work for work in works if work.is_asked_of(dataset.name)]
    panel = Panel(framework_threads, dataset.name, {}, {})
    created = _created(names, works, panel)
    require_compiled()
    for recipe, group in itertools.groupby(works, lambda work: work.recipe):
        of_recipe = list(group)
        ready = _ready(created, dataset, recipe, of_recipe, panel)
        for work in of_recipe:
            able = {
                name: contender
                for name, contender in ready.items()
                if _suits(work, name, contender)
                and not panel.failure(name, work.name)
                and not _timed_as_another(work, name, ready)
            }
            if work.kind == "time to accuracy":
                _time_to_accuracy(work, works, able, dataset, seeds, panel)
            elif work.kind != "training alone":
                _time_segments(work, able, dataset, rounds, panel)
    for contender in created.values():
        contender.close()
    return panel


def _created(names: Sequence[str], works: Sequence[Work], panel: Panel) -> dict[str, Contender]:
    created: dict[str, Contender] = {}
    for name in names:
        try:
            trains = contenders.entry(name).trains
            if not any(work.suits(trains, whole_epochs_only=False) for work in works):
                continue  # and its framework is not imported
            created[name] = contenders.create(name)
            created[name].use_threads(thread_count(panel.framework_threads))
        except Exception as error:  # whatever goes wrong in a contender is that contender's failure
            panel.failures[name] = one_line(error)
            created.pop(name, None)
    return created


def _ready(
    created: dict[str, Contender], dataset: Dataset, recipe: Recipe, works: Sequence[Work], panel: Panel
) -> dict[str, Contender]:
    """Return those that take part in any of the works, past the gate and prepared by their recipe."""
    ready: dict[str, Contender] = {}
    for name, contender in created.items():
        taking_part = [work for work in works if _suits(work, name, contender)]
        if not taking_part:
            continue
        try:
            contender.use_threads(thread_count(panel.framework_threads))
            gate.require(name, contender, dataset, recipe)
            start = initial_parameters(SEED, dataset.X_train.shape[1], recipe.hidden)
            contender.prepare(start, dataset.training, recipe)
            ready[name] = contender
        except Exception as error:
            panel.failures.update({_at_work(name, work.name): one_line(error) for work in taking_part})
    return ready


def _time_segments(work: Work, able: dict[str, Contender], dataset: Dataset, rounds: int, panel: Panel) -> None:
    make = {"train": train_task, "predict": predict_task, "prepare": prepare_task}[work.kind]
    tasks = {
        f"{name}@{setting}": make(work, contender, dataset, thread_count(setting))
        for name, contender in able.items()
        for setting in _settings(contender, panel.framework_threads)
    }
    panel.seconds[work.name] = _in_turns(work, tasks, rounds, panel)


def _time_to_accuracy(
    work: Work, works: Sequence[Work], able: dict[str, Contender], dataset: Dataset, seeds: int, panel: Panel
) -> None:
    trainings = {
        f"{name}@{setting}": Trainings(work, contender, dataset)
        for name, contender in able.items()
        for setting in _settings(contender, panel.framework_threads)
    }
    tasks = {label: trainings[label].task(thread_count(label.split("@")[1])) for label in trainings}
    # The trainings keep a clock of their own, which stands still between the epochs; that of the turns is left.
    timed = _in_turns(work, tasks, seeds, panel)
    panel.seconds[work.name] = {label: trainings[label].both for label in timed}
    for alone in works:
        if alone.kind == "training alone" and alone.recipe == work.recipe:
            panel.seconds[alone.name] = {label: trainings[label].training for label in timed}


def _in_turns(work: Work, tasks: dict[str, Task], rounds: int, panel: Panel) -> SecondsByRound:
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
        panel.failures[_at_work(label.split("@")[0], work.name)] = one_line(reason)
    return {label: of_task for label, of_task in seconds.items() if not panel.failure(label.split("@")[0], work.name)}


def _suits(work: Work, name: str, contender: Contender) -> bool:
    return work.suits(contenders.entry(name).trains, contender.whole_epochs_only)


def _timed_as_another(work: Work, name: str, ready: Mapping[str, Contender]) -> bool:
    """Return whether another contender of the panel predicts by the same function: its time is this one's."""
    owner = prediction_owner(name) if work.kind == "predict" else name
    return owner != name and owner in ready


def _settings(contender: Contender, framework_threads: str) -> tuple[str, ...]:
    # Who can change threads at any time is measured at both settings beside each setting of those who cannot,
    # so that a ratio against the other's faster setting is a ratio within one process too.
    return ("1", "all") if contender.threads_can_change else (framework_threads,)


def _at_work(contender: str, work: str) -> str:
    return f"{contender}: {work}"
