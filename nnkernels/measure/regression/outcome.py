"""The result of a check, derived from its record: verdicts, and the command's exit status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnkernels.measure.regression import rule
from nnkernels.measure.regression.budget import BudgetVerdict, Limit, judge_budget
from nnkernels.measure.regression.comparisons import Comparison
from nnkernels.measure.regression.measuring import log_ratios
from nnkernels.measure.regression.record import CheckRecord

PASSED, FAILED, UNDECIDED = 0, 1, 2


@dataclass(frozen=True)
class ComparisonResult:
    """The result of a comparison.

    Attributes
    ----------
    comparison : Comparison
        The comparison.
    verdict : Verdict or None
        None if no pair of processes was completed.
    resolve : float
        The slowdown that was to be detected, as a fraction.
    """

    comparison: Comparison
    verdict: rule.Verdict | None
    resolve: float

    @property
    def slower(self) -> bool:
        """Whether the tree is significantly slower than the base."""
        return self.verdict is not None and self.verdict.slower

    @property
    def resolved(self) -> bool:
        """Whether the resolution is at least as good as requested."""
        return self.verdict is not None and self.verdict.resolution <= self.resolve

    @property
    def label(self) -> str:
        """The verdict, as shown in a table."""
        if self.slower:
            return "slower"
        return "not slower" if self.resolved else "not resolved"


@dataclass(frozen=True)
class Outcome:
    """The result of a check.

    Attributes
    ----------
    results : sequence of ComparisonResult
        The results of the comparisons.
    budget : sequence of BudgetVerdict
        The results of the limits.
    error : float
        Probability of a false alarm of each comparison.
    """

    results: Sequence[ComparisonResult]
    budget: Sequence[BudgetVerdict]
    error: float

    @property
    def check_error(self) -> float:
        """Upper bound of the probability of any false alarm (Bonferroni)."""
        return self.error * (len(self.results) + len(self.budget))

    @property
    def status(self) -> int:
        """The exit status: 1 if anything is worse, otherwise 2 if anything could not be decided, otherwise 0."""
        if any(one.slower for one in self.results) or any(one.exceeded for one in self.budget):
            return FAILED
        if not all(one.resolved for one in self.results) or not all(one.kept for one in self.budget):
            return UNDECIDED
        return PASSED


def outcome_of(record: CheckRecord, limits: Sequence[Limit] = ()) -> Outcome:
    """Derive the result of a check from its record.

    Parameters
    ----------
    record : CheckRecord
        The samples.
    limits : sequence of Limit
        Limits of the budget.

    Returns
    -------
    outcome : Outcome
        Verdicts and status.
    """
    results = []
    for comparison in record.comparisons:
        values = log_ratios(record.pairs, comparison.name)
        verdict = rule.judge(values, record.error) if len(values) else None
        results.append(ComparisonResult(comparison, verdict, record.method["resolve"]))
    budget = judge_budget(limits, record.comparisons, record.pairs, record.error) if record.pairs else []
    return Outcome(results, budget, record.error)
