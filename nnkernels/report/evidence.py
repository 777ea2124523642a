"""Numbers that a run may hold beside the rows of its table: smallest paired ratios, and quotients of rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from nnkernels.report.runs import Run
from nnkernels.report.tidy import ratio_at
from nnkernels.statistics import Estimate

KEY_COLUMNS = ("benchmark", "contender", "parameters", "threads")
RowKey = tuple[str, str, str, str]
Settings = tuple[tuple[str, str], ...]
# Pairs of thread settings, ours and theirs. All pairs must have been measured, and the smallest ratio counts.
ONE_AGAINST_FASTER: Settings = (("1", "1"), ("1", "all"))
ALL_AGAINST_ALL: Settings = (("all", "all"),)
ALL_AGAINST_ONE: Settings = (("all", "1"),)
SAME_NUMBER: Settings = (("1", "1"), ("all", "all"))


@dataclass(frozen=True)
class Evidence:
    """A run with its rows."""

    run: Run
    rows: pd.DataFrame

    def estimate(self, key: RowKey) -> Estimate | None:
        """Return the value of a row of the tidy table, or None if there is no such row."""
        found = self.rows
        for column, value in zip(KEY_COLUMNS, key, strict=True):
            found = found[found[column] == value]
        fields = ("value", "ci_low", "ci_high", "samples")
        return Estimate(*(found.iloc[0][field] for field in fields)) if len(found) else None


class Measure(Protocol):
    """Something that a run may have measured."""

    @property
    def unit(self) -> str:
        """What is written behind the number."""
        ...

    def reached(self, evidence: Evidence) -> tuple[Estimate | None, str]:
        """Return the number, None where it was not measured, and a word on what it is of."""
        ...


@dataclass(frozen=True)
class Paired:
    """How many times as fast as another: the smallest paired ratio of the settings and of the forms of the other.

    A form that was not measured at all is left out; the best Keras is the form that leaves us the smallest ratio.
    """

    work: str
    ours: str
    against: str
    settings: Settings
    unit: str = "x"

    def reached(self, evidence: Evidence) -> tuple[Estimate | None, str]:
        """Return the ratio, and which form of the other it is against where there are several."""
        found = {}
        for form in self._forms(evidence.run):
            ratios = [
                ratio_at(evidence.run.panels, self.work, (self.ours, our_threads), (form, their_threads))
                for our_threads, their_threads in self.settings
            ]
            measured = [ratio for ratio in ratios if ratio]
            if len(measured) == len(self.settings):
                found[form] = min(measured, key=lambda ratio: ratio.value)
        if not found:
            return None, ""
        nearest = min(found, key=lambda form: found[form].value)
        return found[nearest], nearest if nearest != self.against else ""

    def _forms(self, run: Run) -> list[str]:
        if not self.against.endswith("*"):
            return [self.against]
        prefix = self.against.removesuffix("*")
        labels = {label for panel in run.panels for label in panel.seconds.get(self.work, {})}
        return sorted({label.split("@")[0] for label in labels if label.startswith(prefix)})


@dataclass(frozen=True)
class Value:
    """The value of a row of the tidy table, in another unit."""

    row: RowKey
    factor: float
    unit: str

    def reached(self, evidence: Evidence) -> tuple[Estimate | None, str]:
        """Return the value."""
        found = evidence.estimate(self.row)
        if found is None:
            return None, ""
        value, low, high = (self.factor * number for number in (found.value, found.low, found.high))
        return Estimate(value, low, high, found.samples), ""


@dataclass(frozen=True)
class Quotient:
    """One row of the tidy table over another, from separate processes: the intervals of both widen that of it."""

    numerator: RowKey
    denominator: RowKey
    factor: float = 1.0
    unit: str = "x"

    def reached(self, evidence: Evidence) -> tuple[Estimate | None, str]:
        """Return the quotient."""
        above, below = evidence.estimate(self.numerator), evidence.estimate(self.denominator)
        if above is None or below is None:
            return None, ""
        value = self.factor * above.value / below.value
        margin = math.exp(math.hypot(_log_margin(above), _log_margin(below)))
        return Estimate(value, value / margin, value * margin, min(above.samples, below.samples)), ""


@dataclass(frozen=True)
class Difference:
    """One row of the tidy table beyond another, from separate processes, with the intervals of both."""

    whole: RowKey
    part: RowKey
    unit: str

    def reached(self, evidence: Evidence) -> tuple[Estimate | None, str]:
        """Return the difference."""
        whole, part = evidence.estimate(self.whole), evidence.estimate(self.part)
        if whole is None or part is None:
            return None, ""
        value = whole.value - part.value
        below = math.hypot(whole.value - whole.low, part.high - part.value)
        above = math.hypot(whole.high - whole.value, part.value - part.low)
        return Estimate(value, value - below, value + above, min(whole.samples, part.samples)), ""


def _log_margin(estimate: Estimate) -> float:
    return math.log(estimate.high / estimate.value)
