"""Summary statistics of a self-test, derived from the raw samples of its checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnkernels.measure.regression.outcome import FAILED, PASSED, UNDECIDED, ComparisonResult, outcome_of
from nnkernels.measure.regression.record import CheckRecord
from nnkernels.measure.regression.rule import CONFIDENCE


@dataclass(frozen=True)
class Rate:
    """A proportion with its Clopper-Pearson 95 % interval.

    Attributes
    ----------
    count, cases : int
        Numbers of successes and of trials.
    low, high : float
        Ends of the interval; 0 and 1 if there are no cases.
    """

    count: int
    cases: int
    low: float
    high: float


@dataclass(frozen=True)
class Figures:
    """Results of a self-test under one condition.

    Attributes
    ----------
    neighbour : bool
        Whether a busy neighbour was running.
    minutes : float
        Time limit of the checks.
    injected : float
        The tree's slowdown, as a fraction.
    checks : int
        Number of checks.
    seconds : float
        Median duration of a check, including compilation.
    alarms : Rate
        Comparisons with the verdict "slower": false alarms if no slowdown was injected, otherwise detections.
    alarms_where_resolved : Rate
        The same among comparisons whose resolution is at least as good as the injected slowdown, or, if there is none,
        as the requested resolution.
    covered : Rate
        Comparisons whose 95 % interval contains the ratio 1, if no slowdown was injected.
    ratio : float
        Median over comparisons of the tree's time divided by the base's.
    not_resolved : Rate
        Comparisons whose resolution is worse than requested.
    passed, flagged, undecided : Rate
        Whole checks that ended with status 0, 1 and 2.
    resolution : float
        Median resolution of the comparisons, as a fraction.
    """

    neighbour: bool
    minutes: float
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
    undecided: Rate
    resolution: float


def figures_of(records: Sequence[CheckRecord]) -> list[Figures]:
    """Compute the results of each condition from raw samples.

    Parameters
    ----------
    records : sequence of CheckRecord
        The checks.

    Returns
    -------
    figures : list of Figures
        One per condition, those without a neighbour first.
    """
    by_condition: dict[tuple[bool, float, float], list[CheckRecord]] = {}
    for record in records:
        condition = record.neighbour, float(record.method["minutes"]), injected(record)
        by_condition.setdefault(condition, []).append(record)
    return [_figures(*condition, of_condition) for condition, of_condition in sorted(by_condition.items())]


def rate(count: int, cases: int) -> Rate:
    """Return a proportion with its exact interval.

    Parameters
    ----------
    count, cases : int
        Numbers of successes and of trials.

    Returns
    -------
    rate : Rate
        Proportion and interval.

    References
    ----------
    C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    Biometrika 26(4), 1934.
    """
    from scipy.special import betaincinv

    if not cases:
        return Rate(0, 0, 0.0, 1.0)
    margin = (1 - CONFIDENCE) / 2
    low = betaincinv(count, cases - count + 1, margin) if count else 0.0
    high = betaincinv(count + 1, cases - count, 1 - margin) if count < cases else 1.0
    return Rate(count, cases, float(low), float(high))


def _figures(neighbour: bool, minutes: float, slowdown: float, records: Sequence[CheckRecord]) -> Figures:
    import numpy as np

    outcomes = [outcome_of(record) for record in records]
    results = [one for outcome in outcomes for one in outcome.results]
    judged = [(one, one.verdict) for one in results if one.verdict is not None]
    sufficient = [one for one, verdict in judged if verdict.resolution <= (slowdown or one.resolve)]
    ended = {
        status: rate(sum(outcome.status == status for outcome in outcomes), len(outcomes))
        for status in (PASSED, FAILED, UNDECIDED)
    }
    # An injected slowdown is exact in batches. In time it is slightly smaller, because of the overhead of a call.
    same = [] if slowdown else [verdict for _, verdict in judged]
    return Figures(
        neighbour,
        minutes,
        slowdown,
        len(records),
        float(np.median([record.seconds for record in records])),
        _share_slower(results),
        _share_slower(sufficient),
        rate(sum(verdict.low <= 1 <= verdict.high for verdict in same), len(same)),
        float(np.median([verdict.ratio for _, verdict in judged])) if judged else float("nan"),
        rate(sum(not one.resolved for one in results), len(results)),
        ended[PASSED],
        ended[FAILED],
        ended[UNDECIDED],
        float(np.median([verdict.resolution for _, verdict in judged])) if judged else float("inf"),
    )


def _share_slower(results: Sequence[ComparisonResult]) -> Rate:
    return rate(sum(one.slower for one in results), len(results))


def injected(record: CheckRecord) -> float:
    """Return the injected slowdown of a check.

    Parameters
    ----------
    record : CheckRecord
        The check.

    Returns
    -------
    slowdown : float
        As a fraction; 0 for none.
    """
    return max(comparison.injected for comparison in record.comparisons)
