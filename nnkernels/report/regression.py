"""Presentation of a regression check: tables on the terminal, or Markdown for a pull request."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from nnkernels.measure.regression.budget import BudgetVerdict
from nnkernels.measure.regression.outcome import FAILED, PASSED, ComparisonResult, Outcome
from nnkernels.measure.regression.record import CheckRecord
from nnkernels.measure.regression.rule import CONFIDENCE, POWER
from nnkernels.report.formats import percentage, significant
from nnkernels.report.layout import Column, markdown, show

HASH_LENGTH = 8
INTERVALS = f"brackets: {CONFIDENCE:.0%} confidence intervals"


def show_check(console: Console, record: CheckRecord, outcome: Outcome) -> None:
    """Print the tables and the conclusion of a check.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    record : CheckRecord
        The check with its samples.
    outcome : Outcome
        The outcome that follows from the samples.
    """
    show(console, _title(record), _columns(outcome), [] if outcome.budget else _notes(record, outcome))
    if outcome.budget:
        title = "Budget: ratios between backends in the working tree"
        show(console, title, _budget_columns(outcome.budget), _notes(record, outcome))
    console.print(f"[bold]{escape(conclusion(outcome))}[/]", highlight=False, soft_wrap=not console.is_terminal)


def check_markdown(record: CheckRecord, outcome: Outcome) -> str:
    """Format a check as Markdown.

    Parameters
    ----------
    record : CheckRecord
        The check with its samples.
    outcome : Outcome
        The outcome that follows from the samples.

    Returns
    -------
    text : str
        The conclusion, the tables and the notes.
    """
    parts = [f"**{conclusion(outcome)}**", _title(record) + ".", markdown(_columns(outcome))]
    if outcome.budget:
        parts.append(markdown(_budget_columns(outcome.budget)))
    parts.append("\n".join(f"- {note}" for note in _notes(record, outcome)))
    return "\n\n".join(parts)


def conclusion(outcome: Outcome) -> str:
    """Describe the outcome of a check in a sentence.

    Parameters
    ----------
    outcome : Outcome
        The outcome.

    Returns
    -------
    text : str
        What is slower or over budget, or what could not be measured and why.
    """
    slower = [f"{one.comparison.name} ({_ratio(one)} times the base's time)" for one in outcome.results if one.slower]
    exceeded = [f"{_limit(one)} ({_interval(one)})" for one in outcome.budget if one.exceeded]
    if outcome.status == FAILED:
        parts = [f"Slower: {', '.join(slower)}."] if slower else []
        parts += [f"Over budget: {', '.join(exceeded)}."] if exceeded else []
        return " ".join(["Regression found.", *parts])
    if outcome.status == PASSED:
        worst = percentage(max(one.verdict.resolution for one in outcome.results if one.verdict))
        return f"No regression found. A slowdown of {worst} would have been detected with {POWER:.0%} probability."
    unresolved = [f"{one.comparison.name} ({_resolution(one)})" for one in outcome.results if not one.resolved]
    undecided = [f"{_limit(one)} ({_interval(one)})" for one in outcome.budget if not one.kept]
    parts = [f"Resolution too coarse: {', '.join(unresolved)}."] if unresolved else []
    parts += [f"Budget undecided: {', '.join(undecided)}."] if undecided else []
    return " ".join(["Not measured.", *parts, "Increase --minutes or --resolve, or measure fewer comparisons."])


def _title(record: CheckRecord) -> str:
    tree = record.tree[:HASH_LENGTH] + (" with uncommitted changes" if " with changes " in record.tree else "")
    return f"The working tree ({tree}) against {record.base[:HASH_LENGTH]}, on {record.dataset}, one thread"


def _columns(outcome: Outcome) -> list[Column]:
    results = outcome.results
    bounds = [significant(one.verdict.at_least) if one.verdict else "-" for one in results]
    return [
        Column("backend", [one.comparison.backend for one in results], identity=True),
        Column("scenario", [one.comparison.scenario for one in results], identity=True),
        Column("relative time", [_ratio(one) for one in results], right=True),
        Column("lower bound", bounds, right=True),
        Column("resolution", [_resolution(one, "-") for one in results], right=True),
        Column("pairs", [str(one.verdict.pairs if one.verdict else 0) for one in results], right=True),
        Column("verdict", [one.label for one in results]),
    ]


def _notes(record: CheckRecord, outcome: Outcome) -> list[str]:
    return [
        f"Relative time: time of the working tree divided by that of the base, median over pairs of fresh processes; "
        f"{INTERVALS}. Slower: the one-sided lower bound is above 1.",
        f"Probability of a false alarm: {percentage(outcome.error)} per comparison, at most "
        f"{percentage(outcome.check_error)} for the whole check.",
        f"Resolution: the slowdown that would have been detected with {POWER:.0%} probability, given the observed "
        f"spread. Requested: {percentage(record.method['resolve'])}.",
    ]


def _budget_columns(budget: Sequence[BudgetVerdict]) -> list[Column]:
    verdicts = ["exceeded" if one.exceeded else "met" if one.kept else "undecided" for one in budget]
    return [
        Column("backend", [one.limit.backend for one in budget], identity=True),
        Column("against", [one.limit.against for one in budget], identity=True),
        Column("scenario", [one.limit.scenario for one in budget], identity=True),
        Column("relative time", [_interval(one) for one in budget], right=True),
        Column("limit", [significant(one.limit.at_most) for one in budget], right=True),
        Column("verdict", verdicts),
    ]


def _ratio(result: ComparisonResult) -> str:
    if result.verdict is None:
        return "-"
    return f"{result.verdict.ratio:.3f} [{result.verdict.low:.3f}, {result.verdict.high:.3f}]"


def _resolution(result: ComparisonResult, nothing: str = "no pair of processes finished") -> str:
    if result.verdict is None:
        return nothing
    if math.isinf(result.verdict.resolution):
        return f"unknown after {result.verdict.pairs} pairs"
    return percentage(result.verdict.resolution)


def _interval(verdict: BudgetVerdict) -> str:
    return f"{significant(verdict.ratio)} [{significant(verdict.low)}, {significant(verdict.high)}]"


def _limit(verdict: BudgetVerdict) -> str:
    limit = verdict.limit
    return f"{limit.backend} / {limit.against} in {limit.scenario}, at most {limit.at_most:g}"
