"""Criteria that a self-test must meet before the check can be relied on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nnkernels.measure.regression.figures import Figures, Rate, rate
from nnkernels.measure.regression.measuring import Plan

MIN_COMPARISONS = 300  # without an injected slowdown
MAX_FALSE_ALARMS = 0.02  # upper end of the interval of the false-alarm rate
SLOWDOWN, SLOWDOWN_BESIDE_A_NEIGHBOUR = 0.02, 0.05
MAX_MINUTES = 2.0  # time limit of the checks in which they must be detected
MIN_DETECTED = 0.8  # fraction of these slowdowns, among comparisons with a sufficient resolution
MIN_FLAGGED_SLOWDOWN = 0.03  # whole checks with at least this slowdown must end with status 1
MIN_CASES = 10  # checks, or comparisons with a slowdown, for each criterion


@dataclass(frozen=True)
class Criterion:
    """A criterion and whether it is met.

    Attributes
    ----------
    description : str
        What is required.
    measured : Rate
        The measured rate.
    met : bool
        Whether the criterion is met.
    """

    description: str
    measured: Rate
    met: bool


def check_criteria(figures: Sequence[Figures]) -> list[Criterion]:
    """Compare a machine's figures with the criteria.

    Parameters
    ----------
    figures : sequence of Figures
        Figures of each measured condition.

    Returns
    -------
    criteria : list of Criterion
        One per criterion.
    """
    alarms = _pooled(one.alarms for one in figures if not one.injected)
    quiet = [one for one in figures if not one.neighbour]
    passed = _pooled(one.passed for one in quiet if not one.injected and one.minutes == Plan().minutes)
    flagged = _pooled(one.flagged for one in quiet if one.injected >= MIN_FLAGGED_SLOWDOWN)
    criteria = [
        Criterion(
            f"false alarms with nothing injected, quiet or beside a neighbour: upper end of the interval at most "
            f"{MAX_FALSE_ALARMS:.0%}, in at least {MIN_COMPARISONS} comparisons",
            alarms,
            alarms.cases >= MIN_COMPARISONS and alarms.high <= MAX_FALSE_ALARMS,
        )
    ]
    for neighbour, slowdown in ((False, SLOWDOWN), (True, SLOWDOWN_BESIDE_A_NEIGHBOUR)):
        measured = _pooled(
            one.alarms_where_resolved
            for one in figures
            if one.neighbour == neighbour and abs(one.injected - slowdown) < 1e-9 and one.minutes <= MAX_MINUTES
        )
        where = "beside a neighbour" if neighbour else "on a quiet machine"
        criteria.append(
            Criterion(
                f"a slowdown of {slowdown:.0%} of an epoch {where}: detected within {MAX_MINUTES:g} minutes in at "
                f"least {MIN_DETECTED:.0%} of at least {MIN_CASES} comparisons that resolve it",
                measured,
                measured.cases >= MIN_CASES and measured.count >= MIN_DETECTED * measured.cases,
            )
        )
    for share, what in (
        (passed, f"nothing injected and the default limit of {Plan().minutes:g} minutes: exit status 0"),
        (flagged, f"{MIN_FLAGGED_SLOWDOWN:.0%} or more injected: exit status 1"),
    ):
        description = f"whole checks on a quiet machine with {what} in all of at least {MIN_CASES}"
        criteria.append(Criterion(description, share, share.count == share.cases >= MIN_CASES))
    return criteria


def _pooled(rates: Iterator[Rate]) -> Rate:
    shares = list(rates)
    return rate(sum(one.count for one in shares), sum(one.cases for one in shares))
