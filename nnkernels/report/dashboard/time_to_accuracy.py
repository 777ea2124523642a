"""Time to accuracy: how long contenders train until the test error falls to a target."""

from __future__ import annotations

from dataclasses import dataclass

from nnkernels.report.dashboard.collection import Collection, MachineRuns
from nnkernels.report.dashboard.measured import MachineMeasurements, Measured
from nnkernels.report.formats import duration, ratio
from nnkernels.report.ratios import BASELINE, PairedRatio
from nnkernels.statistics import Estimate

PREFIX, TRAINING_ALONE = "time to ", ", training alone"


@dataclass(frozen=True)
class TimeToAccuracy:
    """The time of one contender.

    Attributes
    ----------
    contender, threads : str
        The contender, and the thread setting at which it is faster.
    seconds : Estimate
        From uint8 images in memory to the end of the epoch that reaches the target.
    to_numpy, to_best_keras : PairedRatio or None
        How many times as fast it is; None if no process timed both.
    """

    contender: str
    threads: str
    seconds: Estimate
    to_numpy: PairedRatio | None
    to_best_keras: PairedRatio | None


@dataclass(frozen=True)
class TimesToAccuracy:
    """The times of a machine.

    Attributes
    ----------
    machine : MachineRuns
        The machine.
    scenario : str
        For example ``time to 8.7 % error``.
    measured : Measured
        The run.
    best_keras : str
        The best form of Keras; empty if none was timed.
    rows : tuple of TimeToAccuracy
        The fastest first.
    """

    machine: MachineRuns
    scenario: str
    measured: Measured
    best_keras: str
    rows: tuple[TimeToAccuracy, ...]

    @property
    def sentence(self) -> str:
        """Who is first and by how much, in a sentence."""
        first = self.rows[0]
        others = [
            f"{ratio(found.estimate)} times as fast as {name}"
            for name, found in ((BASELINE, first.to_numpy), (self.best_keras, first.to_best_keras))
            if found and name != first.contender
        ]
        source = f" ({self.measured.source})" if self.measured.source else ""
        compared = f": {' and '.join(others)}" if others else ""
        return (
            f"On {self.machine.label}, {first.contender} is the first to reach "
            f"{self.scenario.removeprefix(PREFIX)}, after {duration(first.seconds.value)}{compared}{source}. "
            f"The slowest of {len(self.rows)}, {self.rows[-1].contender}, takes "
            f"{duration(self.rows[-1].seconds.value)}."
        )


def times_to_accuracy(collection: Collection, machine: MachineRuns) -> TimesToAccuracy | None:
    """Return the times to accuracy of a machine.

    Parameters
    ----------
    collection : Collection
        The recorded runs.
    machine : MachineRuns
        The machine.

    Returns
    -------
    times : TimesToAccuracy or None
        From the shown run if it measured them, otherwise from the newest run that did; None if there is none.
    """
    measured = MachineMeasurements(collection, machine).first(_is_time_to)
    if measured is None:
        return None
    ratios = measured.ratios
    scenario = next(filter(_is_time_to, ratios.scenarios()))
    best = measured.best_keras(scenario)
    rows = []
    for name in ratios.contenders(scenario):
        threads = ratios.faster_setting(scenario, name)
        seconds = ratios.seconds(scenario, name, threads) if threads else None
        if threads and seconds:
            found = [ratios.against(scenario, (name, threads), other) if other else None for other in (BASELINE, best)]
            rows.append(TimeToAccuracy(name, threads, seconds, *found))
    rows.sort(key=lambda row: row.seconds.value)
    return TimesToAccuracy(machine, scenario, measured, best or "", tuple(rows)) if rows else None


def _is_time_to(scenario: str) -> bool:
    return scenario.startswith(PREFIX) and not scenario.endswith(TRAINING_ALONE)


def paired_text(found: PairedRatio | None) -> str:
    """Format a paired ratio, with a star if it is to the other's slower thread setting.

    Parameters
    ----------
    found : PairedRatio or None
        The ratio.

    Returns
    -------
    text : str
        For example ``9.57 [9.41, 9.73]``; a dash for None.
    """
    return "-" if found is None else ratio(found.estimate) + ("" if found.is_faster else "*")
