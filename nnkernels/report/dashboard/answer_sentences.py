"""The answer of the page: how many times as fast the kernels train as NumPy and Keras, on each machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnkernels.report import formats
from nnkernels.report.dashboard.answer_figures import Figure, comparisons, figures
from nnkernels.report.dashboard.collection import Collection, MachineRuns
from nnkernels.report.dashboard.commits import SHORT, commits_behind
from nnkernels.report.pooling import MIN_TIME_APART, start_time
from nnkernels.report.ratios import BASELINE
from nnkernels.report.summary import ContenderSummary, Summary, summarise

SUBJECTS = ("fused", "numba")  # what the answer is about if a machine timed it
PLAIN = "numba"
ROLES = {"fused": "from scratch, skips pixels that are 0", "numba": "from scratch, plain matrix products"}


@dataclass(frozen=True)
class Answer:
    """The answer for one machine. All parts are plain text; names of contenders are in backquotes.

    Attributes
    ----------
    machine, label, dataset : str
        The machine and the data set.
    subject : str
        The contender that the answer is about, the same on every machine.
    sentence : str
        How fast the subject trains, with intervals.
    second : str
        The same for ``numba``, with plain matrix products; empty if the subject is ``numba`` or no machine timed it.
    accuracy : str
        The test error of the subject, with its interval.
    included : str
        What the time includes, and what preparation takes.
    source : str
        How many runs, when, of which profile, and at which commit.
    figures : tuple of Figure
        The subject against NumPy, against the best form of Keras, its seconds per epoch, and its test error.
    commit : str
        The first twelve digits of the commit; of pooled runs, that of the newest one.
    date : str
        The UTC date of the run, ``YYYY-MM-DD``; of pooled runs, that of the newest one.
    recorded_at : str
        The UTC time of its start, ISO 8601, from which the page computes its age.
    profile : str
        The profile of ``nnkernels bench``.
    runs : int
        The number of pooled runs; 1 if it is a single run.
    behind : int or None
        How many commits the checkout's HEAD is ahead; None if it is not known.
    summary : Summary
        The summary from which all of this comes.
    """

    machine: str
    label: str
    dataset: str
    subject: str
    sentence: str
    second: str
    accuracy: str
    included: str
    source: str
    figures: tuple[Figure, ...]
    commit: str
    date: str
    recorded_at: str
    profile: str
    runs: int
    behind: int | None
    summary: Summary


def answers(collection: Collection) -> list[Answer]:
    """Return the answer for each machine on the main data set.

    Parameters
    ----------
    collection : Collection
        The recorded runs.

    Returns
    -------
    answers : list of Answer
        In the order of ``collection.machines``, all about the same contender: ``fused`` if any machine timed it in the
        epoch, otherwise ``numba``, otherwise the fastest contender of the first machine besides NumPy.
    """
    summaries = [summarise(machine.shown, collection.ratios(machine.shown)) for machine in collection.machines]
    subject = _subject(summaries)
    plain = PLAIN if subject != PLAIN and any(_trained(summary, PLAIN) for summary in summaries) else ""
    behind = commits_behind(collection.root, [summary.run.record.commit for summary in summaries])
    return [
        _answer(machine, summary, subject, plain, behind[summary.run.record.commit])
        for machine, summary in zip(collection.machines, summaries, strict=True)
    ]


def _subject(summaries: Sequence[Summary]) -> str:
    trained = [row.name for summary in summaries for row in summary.contenders if row.epoch]
    return next((name for name in (*SUBJECTS, *trained) if name in trained and name != BASELINE), BASELINE)


def _answer(machine: MachineRuns, summary: Summary, subject: str, plain: str, behind: int | None) -> Answer:
    record, row = summary.run.record, _trained(summary, subject)
    numbers = figures(summary, row, subject)
    return Answer(
        machine=machine.machine,
        label=machine.label,
        dataset=machine.dataset,
        subject=subject,
        sentence=_sentence(machine, numbers, row, subject),
        second=_second(summary, machine, plain) if plain else "",
        accuracy=_accuracy(summary, row, subject),
        included=_included(summary, row),
        source=_source(summary, behind),
        figures=numbers,
        commit=record.commit[:SHORT],
        date=f"{start_time(record):%Y-%m-%d}",
        recorded_at=record.recorded_at,
        profile=record.profile,
        runs=len(summary.run.each),
        behind=behind,
        summary=summary,
    )


def _trained(summary: Summary, name: str) -> ContenderSummary | None:
    row = summary.contender(name)
    return row if row and row.epoch else None


def _sentence(machine: MachineRuns, numbers: Sequence[Figure], row: ContenderSummary | None, name: str) -> str:
    if row is None:
        return f"On {machine.label}, `{name}` has not been timed."
    role = f" ({ROLES[name]})" if name in ROLES else ""
    return f"On {machine.label}, `{name}`{role} trains an epoch {_listed(numbers[:2])}."


def _second(summary: Summary, machine: MachineRuns, name: str) -> str:
    row = _trained(summary, name)
    if row is None:
        return f"`{name}` ({ROLES[name]}) has not been timed there."
    return f"`{name}` ({ROLES[name]}) trains an epoch {_listed(comparisons(summary, row, name))}."


def _listed(numbers: Sequence[Figure]) -> str:
    found = " and ".join(f"{figure.number} {figure.text}" for figure in numbers if not figure.reason)
    missing = [
        f"{figure.text.replace('times as fast as', 'against')} there is no ratio: {figure.reason}"
        for figure in numbers
        if figure.reason
    ]
    return "; ".join([found or "in a time that is not compared", *missing])


def _accuracy(summary: Summary, row: ContenderSummary | None, name: str) -> str:
    if row is None:
        return f"The test error of `{name}` has not been measured there."
    if row.test_error is None:
        return f"The test error of `{name}` was not measured in this run."
    error, seeds = row.test_error, row.test_error.samples
    mean = f"mean of {seeds} seeds" if seeds > 1 else "one seed"
    return f"`{name}` misclassifies {formats.percent(error)} of the test images ({mean})."


def _included(summary: Summary, row: ContenderSummary | None) -> str:
    text = "The time includes training and fetching the shuffled images, but not preparation"
    if row is None or row.preparation is None or row.epoch is None:
        return f"{text}."
    prepared = row.preparation.estimate.value
    return (
        f"{text}, which takes {formats.duration(prepared)} ({prepared / row.epoch.value:.2g} epochs of `{row.name}`)."
    )


def _source(summary: Summary, behind: int | None) -> str:
    record, runs = summary.run.record, len(summary.run.each)
    days = [f"{start_time(one.record):%Y-%m-%d}" for one in summary.run.each]
    when = "" if days[0] == days[-1] else f" of {days[0]} to {days[-1]}"  # the page has the newest day beside it
    if runs == 1:
        what = f"One run (profile {record.profile}); the brackets leave out the variation between hours"
    else:
        hours = MIN_TIME_APART.total_seconds() / 3600
        what = (
            f"Mean of {runs} runs{when} (profile {record.profile}), at least {hours:g} h apart; the brackets "
            "include the variation between hours"
        )
    age = "" if behind is None else f", {behind:,} commit{'' if behind == 1 else 's'} older than this page"
    unrecorded = f". Not part of the history: {record.unrecorded}" if record.unrecorded else ""
    return f"{what}. Commit {record.commit[:SHORT]}{age}{unrecorded}."
