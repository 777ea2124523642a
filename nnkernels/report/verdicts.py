"""Verdicts on two runs: whether each value and ratio is better, worse, or not distinguishable by its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from nnkernels.report.tables import RATIO_HEADINGS, ratio_estimate, ratio_text, value_text
from nnkernels.report.tidy import estimate
from nnkernels.statistics import Estimate

AGAINST = "_against"
BEST_KERAS = "ratio_to_best_keras"
VALUE = "value"
LARGER_IS_BETTER = ("share_of_limit",)  # units; for all others, smaller is better
BETTER, WORSE = "better", "worse"
OVERLAP, NO_INTERVAL = "intervals overlap", "no interval"
ANOTHER_FORM, ONE_SIDE = "best Keras differs", "in one run only"


@dataclass(frozen=True)
class Fact:
    """A value or a ratio, compared between two runs.

    Attributes
    ----------
    row : dict
        The joined row of both runs.
    what : str
        ``value``, or the heading of the ratio.
    here, there : dict of bool to str
        The formatted values of both runs: with interval under True, without under False.
    change : str
        The change from the other run (``there``) to this run, in percent.
    verdict : str
        The verdict in words.
    significance : float
        The difference of the logarithms, divided by the half-width of its interval. Above about 1, the probability that
        noise alone explains the difference is less than 5 %. 0 if the values cannot be compared.
    """

    row: dict[str, Any]
    what: str
    here: dict[bool, str]
    there: dict[bool, str]
    change: str
    verdict: str
    significance: float

    @property
    def is_conclusive(self) -> bool:
        """Whether the two intervals do not overlap."""
        return self.verdict in (BETTER, WORSE)


def facts(rows: list[dict[str, Any]]) -> list[Fact]:
    """Return the facts of the joined rows of two runs.

    Parameters
    ----------
    rows : list of dict
        The rows of :func:`~nnkernels.report.side_by_side.side_by_side`.

    Returns
    -------
    facts : list of Fact
        The most significant first.
    """
    found = [fact for row in rows for fact in _of_row(row)]
    return sorted(found, key=lambda fact: (not fact.is_conclusive, -fact.significance))


def _of_row(row: dict[str, Any]) -> list[Fact]:
    found = []
    for column, heading in RATIO_HEADINGS.items():
        here, there = (ratio_estimate(row, column, suffix) for suffix in ("", AGAINST))
        texts = [{long: ratio_text(row, column, suffix, long) for long in (True, False)} for suffix in ("", AGAINST)]
        same = column != BEST_KERAS or row["best_keras"] == row[f"best_keras{AGAINST}"]
        if here or there:
            found.append(_fact(row, heading, (here, there), texts, larger_is_better=True, comparable=same))
    pair = tuple(None if math.isnan(row[f"value{suffix}"]) else estimate(row, suffix) for suffix in ("", AGAINST))
    texts = [{long: value_text(row, suffix, long) for long in (True, False)} for suffix in ("", AGAINST)]
    found.append(_fact(row, VALUE, pair, texts, row["unit"] in LARGER_IS_BETTER))
    return found


def _fact(
    row: dict[str, Any],
    what: str,
    pair: tuple[Estimate | None, ...],
    texts: list[dict[bool, str]],
    larger_is_better: bool,
    comparable: bool = True,
) -> Fact:
    here, there = pair
    change, significance = "", 0.0
    if not comparable:
        verdict = ANOTHER_FORM
    elif here is None or there is None:
        verdict = ONE_SIDE
    else:
        change = f"{100 * (here.value / there.value - 1):+.1f} %" if there.value else ""
        verdict, significance = _verdict(here, there, larger_is_better), _significance(here, there)
    return Fact(row, what, texts[0], texts[1], change, verdict, significance)


def _verdict(here: Estimate, there: Estimate, larger_is_better: bool) -> str:
    if math.isnan(here.low) or math.isnan(there.low):
        return NO_INTERVAL
    if here.low <= there.high and there.low <= here.high:
        return OVERLAP
    return BETTER if (here.value > there.value) == larger_is_better else WORSE


def _significance(here: Estimate, there: Estimate) -> float:
    if not all(value > 0 for one in (here, there) for value in (one.value, one.low, one.high)):
        # The interval of an error rate may extend below 0, so the values themselves are compared. NaN gives 0 below.
        distance, widths = here.value - there.value, [(one.high - one.low) / 2 for one in (here, there)]
    else:
        distance = math.log(here.value / there.value)
        widths = [math.log(one.high / one.low) / 2 for one in (here, there)]
    width = math.hypot(*widths)
    if math.isnan(width) or not distance:
        return 0.0
    return abs(distance) / width if width else math.inf
