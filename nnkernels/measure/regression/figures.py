"""The figures of a self-test, derived from the raw samples of its checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnkernels.measure.regression.outcome import NOT_MEASURED, NOTHING_WORSE, WORSE, Found, outcome_of
from nnkernels.measure.regression.record import CheckRecord
from nnkernels.measure.regression.rule import CONFIDENCE


@dataclass(frozen=True)
class Rate:
    """A share of cases, with Clopper and Pearson's 95 % interval.

    Attributes
    ----------
    count, cases : int
    low, high : float
        0 and 1 where there are no cases.
    """

    count: int
    cases: int
    low: float
    high: float


@dataclass(frozen=True)
class Figures:
    """What the self-test found under one condition.

    Attributes
    ----------
    neighbour : bool
    injected : float
        The slowdown of the tree, as a share.
    checks : int
    seconds : float
        The median of a check, compiling included.
    alarms : Rate
        Comparisons that were called slower: false alarms where nothing was injected, else detections.
    alarms_where_resolved : Rate
        The same of the comparisons whose resolution is no worse than what was injected, or, where nothing was, than
        what was asked for.
    covered : Rate
        Comparisons whose 95 % interval holds the ratio 1, where nothing was injected.
    ratio : float
        The median over comparisons, of the tree's time to the base's.
    not_resolved : Rate
        Comparisons whose resolution is worse than asked for.
    passed, flagged, not_measured : Rate
        Whole checks that ended with the status 0, 1 and 2.
    resolution : float
        The median over comparisons, as a share.
    """

    neighbour: bool
    injected: float
    checks: int
    seconds: float
    alarms: Rate
    alarms_where_resolved: Rate
    covered: Rate
    ratio: float
    not_resolved: Rate
    passed: Rate
    flagged: Rate
    not_measured: Rate
    resolution: float


def figures_of(records: Sequence[CheckRecord]) -> list[Figures]:
    """Return the figures of each condition that was measured, the quiet machine first, derived from raw samples."""
    conditions = sorted({(record.neighbour, injected(record)) for record in records})
    return [
        _figures(*condition, [one for one in records if (one.neighbour, injected(one)) == condition])
        for condition in conditions
    ]


def rate(count: int, cases: int) -> Rate:
    """Return a share with its exact interval."""
    from scipy import stats

    if not cases:
        return Rate(0, 0, 0.0, 1.0)
    interval = stats.binomtest(count, cases).proportion_ci(CONFIDENCE, "exact")
    return Rate(count, cases, float(interval.low), float(interval.high))


def _figures(neighbour: bool, slowdown: float, records: Sequence[CheckRecord]) -> Figures:
    import numpy as np

    outcomes = [outcome_of(record) for record in records]
    found = [one for outcome in outcomes for one in outcome.found]
    judged = [(one, one.verdict) for one in found if one.verdict is not None]
    sufficient = [one for one, verdict in judged if verdict.resolution <= (slowdown or one.resolve)]
    ended = {
        status: rate(sum(outcome.status == status for outcome in outcomes), len(outcomes))
        for status in (NOTHING_WORSE, WORSE, NOT_MEASURED)
    }
    # An injected slowdown is exact in batches; in time, what a call costs by itself takes a little off.
    same = [] if slowdown else [verdict for _, verdict in judged]
    return Figures(
        neighbour,
        slowdown,
        len(records),
        float(np.median([record.seconds for record in records])),
        _share_slower(found),
        _share_slower(sufficient),
        rate(sum(verdict.low <= 1 <= verdict.high for verdict in same), len(same)),
        float(np.median([verdict.ratio for _, verdict in judged])) if judged else float("nan"),
        rate(sum(not one.resolved for one in found), len(found)),
        ended[NOTHING_WORSE],
        ended[WORSE],
        ended[NOT_MEASURED],
        float(np.median([verdict.resolution for _, verdict in judged])) if judged else float("inf"),
    )


def _share_slower(found: Sequence[Found]) -> Rate:
    return rate(sum(one.slower for one in found), len(found))


def injected(record: CheckRecord) -> float:
    """Return the slowdown, as a share, that a check was given."""
    return max(comparison.injected for comparison in record.comparisons)
