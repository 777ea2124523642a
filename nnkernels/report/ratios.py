"""Paired ratios of a run: which thread setting of a contender is its faster, and how many times as fast who is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.measure.timing.interleaving import SecondsByRound, log_ratios
from nnkernels.measure.timing.threads import SETTINGS
from nnkernels.statistics import Estimate, median_over_processes

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
    """The paired ratios of the interleaved runs of a run; each is computed once.

    Parameters
    ----------
    interleaved : list of InterleavedRun
        One a process. They may hold different scenarios and different contenders: a ratio pools the processes that hold
        both contenders, and there is none where no process does.
    """

    def __init__(self, interleaved: list[InterleavedRun]) -> None:
        self.interleaved = interleaved
        self._ratios: dict[tuple[str, str, str], Estimate | None] = {}

    def scenarios(self) -> list[str]:
        """Return the names of the scenarios that were measured, in the order in which they were."""
        return list(dict.fromkeys(scenario for measured in self.interleaved for scenario in measured.seconds))

    def labels(self, scenario: str) -> list[tuple[str, str]]:
        """Return who was timed at a scenario: contenders with their thread settings."""
        labels = dict.fromkeys(label for of_scenario in self._of_scenario(scenario) for label in of_scenario)
        return [_parts(label) for label in labels]

    def contenders(self, scenario: str) -> list[str]:
        """Return the names of the contenders that were timed at a scenario."""
        return list(dict.fromkeys(name for name, _threads in self.labels(scenario)))

    def seconds(self, scenario: str, name: str, threads: str) -> Estimate | None:
        """Return the seconds of a contender at a setting, or None if it was not timed there."""
        label = f"{name}@{threads}"
        processes = [
            np.log(np.ravel(np.asarray(of_scenario[label], np.float64)))
            for of_scenario in self._of_scenario(scenario)
            if label in of_scenario
        ]
        return median_over_processes(processes).exp() if processes else None

    def at(self, scenario: str, ours: tuple[str, str], theirs: tuple[str, str]) -> Estimate | None:
        """Return how many times as fast the first is as the second, each a contender with its thread setting.

        None if the two were never in one process.
        """
        label, other = "@".join(ours), "@".join(theirs)
        key = (scenario, label, other)
        if key not in self._ratios:
            processes = [
                log_ratios(of_scenario[other], of_scenario[label])
                for of_scenario in self._of_scenario(scenario)
                if label in of_scenario and other in of_scenario
            ]
            self._ratios[key] = median_over_processes(processes).exp() if processes else None
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

    def _of_scenario(self, scenario: str) -> Iterable[SecondsByRound]:
        return [measured.seconds[scenario] for measured in self.interleaved if scenario in measured.seconds]


def _parts(label: str) -> tuple[str, str]:
    name, _at, threads = label.rpartition("@")
    return name, threads
