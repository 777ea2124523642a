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
INTERVALS = f"in brackets: {CONFIDENCE:.0%} intervals"


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
        show(console, "Budget", _budget_columns(outcome.budget), _notes(record, outcome))
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
    slower = [f"{one.comparison.name} ({_ratio(one)} x the time)" for one in outcome.results if one.slower]
    exceeded = [f"{_limit(one)} ({_interval(one)})" for one in outcome.budget if one.exceeded]
    if outcome.status == FAILED:
        parts = [f"slower: {', '.join(slower)}"] if slower else []
        parts += [f"over budget: {', '.join(exceeded)}"] if exceeded else []
        return "Worse. " + "; ".join(parts)
    if outcome.status == PASSED:
        worst = max(one.verdict.resolution for one in outcome.results if one.verdict)
        return f"Nothing is worse: a slowdown of {percentage(worst)} would have been found with {POWER:.0%} probability"
    reasons = [f"{one.comparison.name} ({_finds(one)})" for one in outcome.results if not one.resolved]
    undecided = [f"{_limit(one)} ({_interval(one)})" for one in outcome.budget if not one.kept]
    parts = [f"too noisy, or too little time, for {', '.join(reasons)}"] if reasons else []
    parts += [f"undecided: {', '.join(undecided)}"] if undecided else []
    return f"Not measured. {'; '.join(parts)}. Allow more --minutes, a coarser --resolve, or fewer comparisons"


def _title(record: CheckRecord) -> str:
    tree = record.tree[:HASH_LENGTH] + (" with uncommitted changes" if " with changes " in record.tree else "")
    return f"The working tree ({tree}) against {record.base[:HASH_LENGTH]}, on {record.dataset}, one thread"


def _columns(outcome: Outcome) -> list[Column]:
    results = outcome.results
    return [
        Column("backend", [one.comparison.backend for one in results], identity=True),
        Column("scenario", [one.comparison.scenario for one in results], identity=True),
        Column("x base's time", [_ratio(one) for one in results], right=True),
        Column("at least", [significant(one.verdict.at_least) if one.verdict else "-" for one in results], right=True),
        Column("finds", [_finds(one, "-") for one in results], right=True),
        Column("pairs", [str(one.verdict.pairs if one.verdict else 0) for one in results], right=True),
        Column("verdict", [one.label for one in results]),
    ]


def _notes(record: CheckRecord, outcome: Outcome) -> list[str]:
    return [
        f"x base's time: median of pairs of fresh processes, {INTERVALS}. Slower: the one-sided bound (at least) is "
        "above 1.",
        f"False alarms: {percentage(outcome.error)} of comparisons, at most {percentage(outcome.check_error)} of "
        "checks like this one.",
        f"Finds: the slowdown that would have been found with a probability of {POWER:.0%}, from the spread that was "
        f"seen; asked for: {percentage(record.method['resolve'])}.",
    ]


def _budget_columns(budget: Sequence[BudgetVerdict]) -> list[Column]:
    verdicts = ["exceeded" if one.exceeded else "kept" if one.kept else "undecided" for one in budget]
    return [
        Column("backend", [one.limit.backend for one in budget], identity=True),
        Column("against", [one.limit.against for one in budget], identity=True),
        Column("scenario", [one.limit.scenario for one in budget], identity=True),
        Column("share of its time", [_interval(one) for one in budget], right=True),
        Column("at most", [significant(one.limit.at_most) for one in budget], right=True),
        Column("verdict", verdicts),
    ]


def _ratio(found: ComparisonResult) -> str:
    if found.verdict is None:
        return "-"
    return f"{found.verdict.ratio:.3f} [{found.verdict.low:.3f}, {found.verdict.high:.3f}]"


def _finds(found: ComparisonResult, nothing: str = "no pair of processes came to an end") -> str:
    if found.verdict is None:
        return nothing
    if math.isinf(found.verdict.resolution):
        return f"nothing yet, {found.verdict.pairs} pairs"
    return percentage(found.verdict.resolution)


def _interval(verdict: BudgetVerdict) -> str:
    return f"{significant(verdict.ratio)} [{significant(verdict.low)}, {significant(verdict.high)}]"


def _limit(verdict: BudgetVerdict) -> str:
    limit = verdict.limit
    return f"{limit.backend} / {limit.against} in {limit.scenario}, at most {limit.at_most:g}"
