"""The history of each machine: its series, and the changes that exceed the noise of its past runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from nnkernels.report.dashboard.collection import Collection, MachineRuns
from nnkernels.report.dashboard.false_discoveries import RATE, Deviation, discoveries, inflation
from nnkernels.report.dashboard.recorded_series import recorded_series
from nnkernels.report.dashboard.series import CONTROL, JUDGED, Point, Series
from nnkernels.report.pooling import MIN_TIME_APART, start_time
from nnkernels.report.runs import Run

JUDGED_RUNS = 20  # newest runs of a machine whose changes are listed
IMPROVEMENT, REGRESSION = "improvement", "regression"


@dataclass(frozen=True)
class Change:
    """A number outside the prediction interval of its past runs, significant at the false-discovery rate.

    Attributes
    ----------
    series : Series
        Its series.
    point : Point
        The run.
    direction : {"improvement", "regression"}
        Whether it became faster or slower.
    factor : float
        The number over the mean of the past runs.
    p_value : float
        The probability of such a deviation if nothing changed, widened by the controls of the run.
    """

    series: Series
    point: Point
    direction: str
    factor: float
    p_value: float


@dataclass(frozen=True)
class HistoryRun:
    """A run of a history.

    Attributes
    ----------
    run : Run
        The run.
    close : bool
        Whether it started less than an hour after the run before, of whatever profile.
    breaks : tuple of str
        What changed since the run before of the same profile, in any series.
    inflation : float
        By how much the variance of the run exceeds that of the past runs, according to its controls; at least 1.
    """

    run: Run
    close: bool
    breaks: tuple[str, ...]
    inflation: float


@dataclass(frozen=True)
class History:
    """The history of a machine on a data set.

    Attributes
    ----------
    machine, label, dataset : str
        The machine and the data set.
    runs : tuple of HistoryRun
        Its runs that are part of the history, oldest first.
    series : tuple of Series
        Its series: the judged ones first, then the controls, then the limits.
    changes : tuple of Change
        What changed in the newest :data:`JUDGED_RUNS` runs, the newest first, the most significant first within a run.
    judged : int
        How many numbers of these runs were judged.
    """

    machine: str
    label: str
    dataset: str
    runs: tuple[HistoryRun, ...]
    series: tuple[Series, ...]
    changes: tuple[Change, ...]
    judged: int


def histories(collection: Collection) -> list[History]:
    """Return the history of each machine, and judge all series of all machines at once.

    Runs whose record says why they are not part of the history are left out. The judged numbers are those of the newest
    :data:`JUDGED_RUNS` runs of each machine with at least five past runs in their segment. All of them together are one
    family of hypotheses, so at most 5 % of the changes that the page lists are expected to be false. The variance of a
    run is widened by its controls: if the ratios of frameworks moved more than they used to, so may the others.

    Parameters
    ----------
    collection : Collection
        The recorded runs.

    Returns
    -------
    histories : list of History
        In the order of ``collection.everything``.
    """
    recorded = [tuple(run for run in machine.runs if not run.record.unrecorded) for machine in collection.everything]
    series = [
        recorded_series(collection, machine, runs)
        for machine, runs in zip(collection.everything, recorded, strict=True)
    ]
    return judge(list(zip(collection.everything, recorded, series, strict=True)))


def judge(machines: Sequence[tuple[MachineRuns, Sequence[Run], Sequence[Series]]]) -> list[History]:
    """Judge the series of all machines at once.

    Parameters
    ----------
    machines : sequence of (MachineRuns, sequence of Run, sequence of Series)
        For each machine, its runs that are part of the history, oldest first, and their series.

    Returns
    -------
    histories : list of History
        One for each machine.
    """
    inflations = [_inflations(series) for _machine, _runs, series in machines]
    candidates = []
    for place, (_machine, runs, series) in enumerate(machines):
        newest = {run.record.run_id for run in runs[-JUDGED_RUNS:]}
        for one in (one for one in series if one.role == JUDGED):
            for point in one.points:
                if point.deviation and point.run_id in newest:
                    p_value = point.deviation.p_value(inflations[place].get(point.run_id, 1.0))
                    candidates.append((place, _change(one, point, point.deviation, p_value)))
    significant = discoveries([change.p_value for _place, change in candidates], RATE)
    listed = [found for found, is_listed in zip(candidates, significant, strict=True) if is_listed]
    return [
        History(
            machine.machine,
            machine.label,
            machine.dataset,
            tuple(_history_runs(runs, series, inflations[place])),
            tuple(series),
            tuple(_ordered(change for owner, change in listed if owner == place and change.point.outside)),
            sum(owner == place for owner, _change in candidates),
        )
        for place, (machine, runs, series) in enumerate(machines)
    ]


def _inflations(series: Sequence[Series]) -> dict[str, float]:
    """Return the inflation of each run by its controls."""
    controls: dict[str, list[Deviation]] = {}
    for point in (point for one in series if one.role == CONTROL for point in one.points):
        if point.deviation:
            controls.setdefault(point.run_id, []).append(point.deviation)
    return {run_id: inflation(found) for run_id, found in controls.items()}


def _change(series: Series, point: Point, found: Deviation, p_value: float) -> Change:
    factor = point.estimate.value / math.exp(found.mean)
    better = (factor > 1) == series.higher_is_better
    return Change(series, point, IMPROVEMENT if better else REGRESSION, factor, p_value)


def _ordered(changes: Iterable[Change]) -> list[Change]:
    by_significance = sorted(changes, key=lambda change: change.p_value)
    return sorted(by_significance, key=lambda change: change.point.recorded_at, reverse=True)


def _history_runs(runs: Sequence[Run], series: Sequence[Series], inflations: dict[str, float]) -> Iterator[HistoryRun]:
    breaks: dict[str, dict[str, None]] = {}
    for point in (point for one in series for point in one.points):
        breaks.setdefault(point.run_id, {}).update(dict.fromkeys(point.breaks))
    before = None
    for run in runs:
        started = start_time(run.record)
        close = before is not None and started - before < MIN_TIME_APART
        run_id = run.record.run_id
        yield HistoryRun(run, close, tuple(breaks.get(run_id, ())), inflations.get(run_id, 1.0))
        before = started
