"""Series: one number of each run of a machine, in the order of the runs, in segments with the same conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from nnkernels.report.dashboard.conditions import differences
from nnkernels.report.dashboard.false_discoveries import Deviation, deviation, prediction
from nnkernels.report.pooling import MIN_TIME_APART, start_time
from nnkernels.report.runs import Run
from nnkernels.statistics import Estimate

MIN_PAST = 5  # past runs that a judgement needs
MAX_PAST = 20  # newest past runs that it uses, because machines drift over months
JUDGED, CONTROL, LIMIT = "judged", "control", "limit"


@dataclass(frozen=True)
class Key:
    """What a series is about. Series of different machines or data sets are never joined.

    Attributes
    ----------
    machine, dataset : str
        The stable id of the machine, and the data set.
    work, contender, threads, reference : str
        ``work`` of ``contender`` at ``threads``, as a ratio to ``reference`` on one thread. A limit of the hardware has
        no contender and no reference.
    """

    machine: str
    dataset: str
    work: str
    contender: str
    threads: str
    reference: str


@dataclass(frozen=True)
class Point:
    """A run's number in a series.

    Attributes
    ----------
    run_id, recorded_at, commit, profile : str
        The run.
    estimate : Estimate
        The number with its 95 % interval over the processes of the run.
    segment : int
        Points of the same segment have the same conditions and profile, and are compared with each other.
    breaks : tuple of str
        What changed since the run before of the same profile; empty if nothing did.
    past : int
        How many past runs of the segment it can be compared with.
    counts : bool
        Whether later runs are compared with it. A run that started less than an hour after the last one that counts is
        shown, but would make the noise look smaller than it is.
    band : Estimate or None
        The mean of the past runs and the 95 % prediction interval for this one. None with fewer than :data:`MIN_PAST`.
    deviation : Deviation or None
        The comparison with the past runs, of logarithms; None with fewer than :data:`MIN_PAST`.
    """

    run_id: str
    recorded_at: str
    commit: str
    profile: str
    estimate: Estimate
    segment: int
    breaks: tuple[str, ...] = ()
    past: int = 0
    counts: bool = True
    band: Estimate | None = None
    deviation: Deviation | None = None

    @property
    def outside(self) -> bool:
        """Whether the number is outside the prediction interval."""
        return self.band is not None and not self.band.low <= self.estimate.value <= self.band.high

    @property
    def note(self) -> str:
        """What the past says: inside or outside the band, or why it says nothing."""
        if self.band is None:
            return f"too few past runs to judge it ({self.past} of {MIN_PAST})"
        return "outside the band of past runs" if self.outside else "within the band of past runs"


@dataclass(frozen=True)
class Series:
    """A series.

    Attributes
    ----------
    key : Key
        What it is about.
    role : {"judged", "control", "limit"}
        Changes of judged series are listed. A control is a contender whose own code is that of a package, whose
        version is the same within a segment, and a limit is one of the hardware: their movement is noise.
    unit : str
        ``x NumPy``, or the unit of a limit.
    higher_is_better : bool
        Whether an increase is an improvement.
    points : tuple of Point
        Oldest first.
    next_band : Estimate or None
        The mean of the runs of the newest segment and the 95 % prediction interval for the next run; None if there are
        fewer than :data:`MIN_PAST`.
    """

    key: Key
    role: str
    unit: str
    higher_is_better: bool
    points: tuple[Point, ...]
    next_band: Estimate | None


@dataclass(frozen=True)
class Measured:
    """A run's number, before it is compared.

    Attributes
    ----------
    run : Run
        The run.
    estimate : Estimate
        The number.
    conditions : dict of str to str
        What must be the same in runs that are compared.
    """

    run: Run
    estimate: Estimate
    conditions: dict[str, str]


def build_series(key: Key, role: str, unit: str, measured: Sequence[Measured]) -> Series:
    """Build a series: divide it into segments, and compare each number with the past ones of its segment.

    Profiles are never compared with each other, because they time other contenders in the same process. Runs of
    different profiles may alternate, so each profile has segments of its own. A segment ends where a condition changes.

    Parameters
    ----------
    key : Key
        What the series is about.
    role : {"judged", "control", "limit"}
        Its role.
    unit : str
        Its unit.
    measured : sequence of Measured
        The numbers, oldest first.

    Returns
    -------
    series : Series
        The series.
    """
    points: list[Point] = []
    newest: dict[str, tuple[dict[str, str], int]] = {}  # conditions and segment of each profile's newest run
    past: list[list[tuple[datetime, float]]] = []  # start and logarithm of the runs of each segment that count
    for one in measured:
        record, started = one.run.record, start_time(one.run.record)
        before = newest.get(record.profile)
        breaks = differences(before[0], one.conditions) if before else ()
        if before is None or breaks:
            past.append([])
        segment = before[1] if before and not breaks else len(past) - 1
        newest[record.profile] = one.conditions, segment
        counts = not past[segment] or started - past[segment][-1][0] >= MIN_TIME_APART
        # A run too close to the last one that counts is not compared with it either: they share their conditions.
        known = [log for when, log in past[segment] if started - when >= MIN_TIME_APART][-MAX_PAST:]
        value = float(np.log(one.estimate.value))
        found = deviation(value, np.array(known)) if len(known) >= MIN_PAST else None
        band = _around(found.mean, found.margin, len(known)) if found else None
        points.append(
            Point(
                record.run_id,
                record.recorded_at,
                record.commit,
                record.profile,
                one.estimate,
                segment,
                breaks,
                len(known),
                counts,
                band,
                found,
            )
        )
        if counts:
            past[segment].append((started, value))
    last = [log for _when, log in past[points[-1].segment]][-MAX_PAST:]
    return Series(key, role, unit, role != LIMIT, tuple(points), _band(last))


def _band(past: Sequence[float]) -> Estimate | None:
    if len(past) < MIN_PAST:
        return None
    return _around(*prediction(np.array(past)), len(past))


def _around(mean: float, margin: float, count: int) -> Estimate:
    return Estimate(mean, mean - margin, mean + margin, count).exp()
