"""Paired ratios of a run: how many times as fast one contender is as another, and each one's faster thread setting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.measure.timing.threads import SETTINGS
from nnkernels.report.process_ratios import ProcessRatios, process_ratios, undisturbed_seconds
from nnkernels.statistics import Estimate, Floats, student

BASELINE = "numpy"
YARDSTICK = (BASELINE, "1")  # timed in every process, so that settings and forms of different processes can be ranked


@dataclass(frozen=True)
class PairedRatio:
    """How many times as fast a contender is as another, both timed in turns in the same processes.

    Attributes
    ----------
    estimate : Estimate
        The ratio; above 1, the contender is faster than the other one.
    threads : str
        The thread setting of the other contender, ``1`` or ``all``.
    is_faster : bool
        Whether this is the other contender's faster setting. If only its slower setting shared a process, it is not.
    """

    estimate: Estimate
    threads: str
    is_faster: bool


class PairedRatios:
    """The paired ratios of one or several runs, computed from their interleaved runs. Each ratio is computed once.

    The intervals of a single run are over its processes. Those of several runs are over the runs' means, so that they
    include the variation from hour to hour. The mean of a run is over its processes.

    Parameters
    ----------
    *runs : list of InterleavedRun
        One list per run, with one entry per process. Processes may have different scenarios and contenders. A ratio is
        computed from the processes that timed both contenders; if there are none, there is no ratio.

    Attributes
    ----------
    interleaved : list of InterleavedRun
        The processes of all runs.
    """

    def __init__(self, *runs: list[InterleavedRun]) -> None:
        self.interleaved = [measured for run in runs for measured in run]
        self._runs = [[undisturbed_seconds(measured) for measured in run] for run in runs]
        self._labels: dict[str, list[tuple[str, str]]] = {}
        self._by_process: dict[str, list[list[ProcessRatios]]] = {}
        self._ratios: dict[tuple[str, str, str], Estimate | None] = {}
        self._faster: dict[tuple[str, str], str | None] = {}

    def scenarios(self) -> list[str]:
        """Return the names of the measured scenarios.

        Returns
        -------
        names : list of str
            In the order in which they were measured.
        """
        return list(dict.fromkeys(scenario for measured in self.interleaved for scenario in measured.seconds))

    def labels(self, scenario: str) -> list[tuple[str, str]]:
        """Return which contenders were timed at a scenario, and at which thread settings.

        Parameters
        ----------
        scenario : str
            The name of a scenario.

        Returns
        -------
        labels : list of (str, str)
            Name and thread setting (``1`` or ``all``) of each.
        """
        if scenario not in self._labels:
            processes = [process.get(scenario, {}) for run in self._runs for process in run]
            found = dict.fromkeys(label for seconds in processes for label in seconds)
            self._labels[scenario] = [_parts(label) for label in found]
        return list(self._labels[scenario])

    def contenders(self, scenario: str) -> list[str]:
        """Return the names of the contenders that were timed at a scenario.

        Parameters
        ----------
        scenario : str
            The name of a scenario.

        Returns
        -------
        names : list of str
            Each name once.
        """
        return list(dict.fromkeys(name for name, _threads in self.labels(scenario)))

    def seconds(self, scenario: str, name: str, threads: str) -> Estimate | None:
        """Return the time of a contender.

        Parameters
        ----------
        scenario : str
            The name of a scenario.
        name : str
            The name of a contender.
        threads : str
            The thread setting, ``1`` or ``all``.

        Returns
        -------
        seconds : Estimate or None
            In the unit of the scenario. None if the contender was not timed at this setting.
        """
        return _estimate(self.log_seconds(scenario, name, threads))

    def log_seconds(self, scenario: str, name: str, threads: str) -> list[Floats]:
        """Return the logarithms of the times of a contender.

        Parameters
        ----------
        scenario : str
            The name of a scenario.
        name : str
            The name of a contender.
        threads : str
            The thread setting, ``1`` or ``all``.

        Returns
        -------
        logs : list of ndarray of float64, shape (processes,)
            One array per run, with one natural logarithm per process that timed the contender.
        """
        label = f"{name}@{threads}"
        return [_timed([process.log_seconds(label) for process in run]) for run in self._processes(scenario)]

    def at(self, scenario: str, ours: tuple[str, str], theirs: tuple[str, str]) -> Estimate | None:
        """Return how many times as fast one contender is as another, each at a given thread setting.

        Parameters
        ----------
        scenario : str
            The name of a scenario.
        ours, theirs : tuple of (str, str)
            Name and thread setting of the two contenders.

        Returns
        -------
        ratio : Estimate or None
            The time of ``theirs`` over that of ``ours``. None if the two were never timed in the same process.
        """
        label, other = "@".join(ours), "@".join(theirs)
        key = (scenario, label, other)
        if key not in self._ratios:
            means = [[process.log_ratio(other, label) for process in run] for run in self._processes(scenario)]
            self._ratios[key] = _estimate([_timed(found) for found in means])
        return self._ratios[key]

    def faster_setting(self, scenario: str, name: str) -> str | None:
        """Return the thread setting at which a contender is faster.

        It is the setting with the greater paired ratio to NumPy on one thread. The two settings of a framework never
        share a process, and times of different processes may differ by more than the settings do. If a setting has no
        such ratio, the smaller time decides.

        Parameters
        ----------
        scenario : str
            The name of a scenario.
        name : str
            The name of a contender.

        Returns
        -------
        threads : str or None
            ``1`` or ``all``; None if the contender was not timed.
        """
        if (scenario, name) not in self._faster:
            self._faster[scenario, name] = self._find_faster(scenario, name)
        return self._faster[scenario, name]

    def _find_faster(self, scenario: str, name: str) -> str | None:
        settings = [setting for setting in SETTINGS if (name, setting) in self.labels(scenario)]
        ratios = {setting: self.at(scenario, (name, setting), YARDSTICK) for setting in settings}
        found = {setting: ratio.value for setting, ratio in ratios.items() if ratio}
        if settings and len(found) < len(settings):
            seconds = {setting: self.seconds(scenario, name, setting) for setting in settings}
            found = {setting: 1 / estimate.value for setting, estimate in seconds.items() if estimate}
        return max(found, key=lambda setting: found[setting], default=None)

    def against(self, scenario: str, ours: tuple[str, str], other: str) -> PairedRatio | None:
        """Return how many times as fast a contender is as another at the other's faster thread setting.

        If that setting never shared a process with the contender, the other's slower setting is used instead, and
        ``is_faster`` is False.

        Parameters
        ----------
        scenario : str
            The name of a scenario.
        ours : tuple of (str, str)
            Name and thread setting of the contender.
        other : str
            The name of the other contender.

        Returns
        -------
        ratio : PairedRatio or None
            None if no setting of the other shared a process with the contender. A contender is compared with itself
            only at its faster setting.
        """
        faster = self.faster_setting(scenario, other)
        settings = SETTINGS if ours[0] != other else (faster,)
        for setting in sorted(filter(None, settings), key=lambda setting: setting != faster):
            estimate = self.at(scenario, ours, (other, setting))
            if estimate:
                return PairedRatio(estimate, setting, setting == faster)
        return None

    def _processes(self, scenario: str) -> list[list[ProcessRatios]]:
        """Return the ratios of each process of each run that timed a scenario."""
        if scenario not in self._by_process:
            self._by_process[scenario] = [
                process_ratios([process[scenario] for process in run if process.get(scenario)]) for run in self._runs
            ]
        return self._by_process[scenario]


def _estimate(run_ratios: list[Floats]) -> Estimate | None:
    """Return the mean over the processes of one run, or over the means of several runs."""
    found = [ratios for ratios in run_ratios if len(ratios)]
    if not found:
        return None
    return student(found[0] if len(run_ratios) == 1 else [ratios.mean() for ratios in found]).exp()


def _timed(means: list[float]) -> Floats:
    """Return the means of the processes that have one."""
    found = np.array(means, np.float64)
    return found[~np.isnan(found)]


def _parts(label: str) -> tuple[str, str]:
    name, _at, threads = label.rpartition("@")
    return name, threads
