"""Paired ratios of a run: which thread setting of a contender is its faster, and how many times as fast who is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.measure.timing.interleaving import SecondsByRound, log_ratios
from nnkernels.measure.timing.threads import SETTINGS
from nnkernels.statistics import Estimate, Floats, of_processes, student

BASELINE = "numpy"
YARDSTICK = (BASELINE, "1")  # in every process, so that settings and forms measured in different ones can be ranked


@dataclass(frozen=True)
class PairedRatio:
    """How many times as fast a contender is as another, both timed in turns in the same processes.

    Attributes
    ----------
    estimate : Estimate
    threads : str
        The thread setting of the other.
    is_faster : bool
        Whether that is the other's faster setting. It is not where only the other setting shared a process.
    """

    estimate: Estimate
    threads: str
    is_faster: bool


class PairedRatios:
    """The paired ratios of the interleaved runs of one or several runs; each is computed once.

    The intervals of one run are over its processes. Those of several are over the runs' means, each of which is the
    mean over the run's processes: they hold what differs from hour to hour.

    Parameters
    ----------
    *runs : list of InterleavedRun
        Of each run, one a process. They may hold different scenarios and different contenders: a ratio is taken from
        the processes that hold both contenders, and there is none where no process does.

    Attributes
    ----------
    interleaved : list of InterleavedRun
        Of all runs.
    """

    def __init__(self, *runs: list[InterleavedRun]) -> None:
        self.interleaved = [measured for run in runs for measured in run]
        self._runs = [[_undisturbed(measured) for measured in run] for run in runs]
        self._ratios: dict[tuple[str, str, str], Estimate | None] = {}

    def scenarios(self) -> list[str]:
        """Return the names of the scenarios that were measured, in the order in which they were."""
        return list(dict.fromkeys(scenario for measured in self.interleaved for scenario in measured.seconds))

    def labels(self, scenario: str) -> list[tuple[str, str]]:
        """Return who was timed at a scenario: contenders with their thread settings."""
        processes = [process.get(scenario, {}) for run in self._runs for process in run]
        return [_parts(label) for label in dict.fromkeys(label for seconds in processes for label in seconds)]

    def contenders(self, scenario: str) -> list[str]:
        """Return the names of the contenders that were timed at a scenario."""
        return list(dict.fromkeys(name for name, _threads in self.labels(scenario)))

    def seconds(self, scenario: str, name: str, threads: str) -> Estimate | None:
        """Return the seconds of a contender at a setting, or None if it was not timed there."""
        return _estimate(self.log_seconds(scenario, name, threads))

    def log_seconds(self, scenario: str, name: str, threads: str) -> list[Floats]:
        """Return the logarithms of the seconds of a contender at a setting: for each run, one a process."""
        label = f"{name}@{threads}"
        return self._of_runs(scenario, {label}, lambda seconds: np.log(np.asarray(seconds[label], np.float64)))

    def at(self, scenario: str, ours: tuple[str, str], theirs: tuple[str, str]) -> Estimate | None:
        """Return how many times as fast the first is as the second, each a contender with its thread setting.

        None if the two were never in one process.
        """
        label, other = "@".join(ours), "@".join(theirs)
        key = (scenario, label, other)
        if key not in self._ratios:
            of_runs = self._of_runs(scenario, {label, other}, lambda found: log_ratios(found[other], found[label]))
            self._ratios[key] = _estimate(of_runs)
        return self._ratios[key]

    def faster_setting(self, scenario: str, name: str) -> str | None:
        """Return the thread setting at which a contender is faster; None if it was not timed at all.

        That is the setting with the greater paired ratio to NumPy on one thread. The two settings of a framework are
        never in one process, and seconds of different processes differ by more than the settings do. Without NumPy,
        the smaller median of seconds decides.
        """
        settings = [setting for setting in SETTINGS if (name, setting) in self.labels(scenario)]
        ratios = {setting: self.at(scenario, (name, setting), YARDSTICK) for setting in settings}
        found = {setting: ratio.value for setting, ratio in ratios.items() if ratio}
        if settings and len(found) < len(settings):
            seconds = {setting: self.seconds(scenario, name, setting) for setting in settings}
            found = {setting: 1 / estimate.value for setting, estimate in seconds.items() if estimate}
        return max(found, key=lambda setting: found[setting], default=None)

    def against(self, scenario: str, ours: tuple[str, str], other: str) -> PairedRatio | None:
        """Return how many times as fast a contender at its setting is as another at the other's faster setting.

        Where that setting shared no process with ours, the other's other setting stands in, and the answer says so.
        None if no setting did, and for a contender against itself at a setting that shared no process.
        """
        faster = self.faster_setting(scenario, other)
        settings = SETTINGS if ours[0] != other else (faster,)
        for setting in sorted(filter(None, settings), key=lambda setting: setting != faster):
            estimate = self.at(scenario, ours, (other, setting))
            if estimate:
                return PairedRatio(estimate, setting, setting == faster)
        return None

    def _of_runs(
        self, scenario: str, labels: set[str], values: Callable[[SecondsByRound], npt.NDArray[np.float64]]
    ) -> list[Floats]:
        """Return, for each run, a value of each process that holds these labels."""
        return [
            of_processes(values(process[scenario]) for process in run if labels <= process.get(scenario, {}).keys())
            for run in self._runs
        ]


def _undisturbed(measured: InterleavedRun) -> dict[str, SecondsByRound]:
    """Return what a process measured undisturbed, without those of whom nothing is left."""
    scenarios = {scenario: measured.undisturbed(scenario) for scenario in measured.seconds}
    return {
        scenario: {label: values for label, values in seconds.items() if np.isfinite(values).any()}
        for scenario, seconds in scenarios.items()
    }


def _estimate(of_runs: list[Floats]) -> Estimate | None:
    """Return the mean over the processes of one run, or over the means of several."""
    means = [of_run.mean() for of_run in of_runs if len(of_run)]
    if not means:
        return None
    return student(of_runs[0] if len(of_runs) == 1 else means).exp()


def _parts(label: str) -> tuple[str, str]:
    name, _at, threads = label.rpartition("@")
    return name, threads
