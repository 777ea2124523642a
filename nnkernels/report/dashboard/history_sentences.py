"""What the history of a machine shows, in sentences."""

from __future__ import annotations

import math

from nnkernels.report.dashboard.commits import SHORT
from nnkernels.report.dashboard.history import JUDGED_RUNS, REGRESSION, Change, History
from nnkernels.report.dashboard.series import CONTROL, LIMIT, Series
from nnkernels.report.formats import percentage, ratio, significant


def sentence(history: History) -> str:
    """Return what the history of a machine shows.

    Parameters
    ----------
    history : History
        The history.

    Returns
    -------
    text : str
        How many runs there are, and what changed in them or that they are too few to judge.
    """
    count = len(history.runs)
    if not count:
        return "No run is part of the history."
    runs = f"{count} recorded run{'' if count == 1 else 's'}"
    if not history.judged:
        return f"{runs}, too few to judge."
    judged = f"{history.judged:,} ratios of the newest {min(count, JUDGED_RUNS)} runs"
    if not history.changes:
        return f"{runs}. None of the {judged} that were judged changed by more than the noise."
    worse = sum(change.direction == REGRESSION for change in history.changes)
    better = len(history.changes) - worse
    counts = " and ".join(
        f"{number} {name}{'' if number == 1 else 's'}"
        for number, name in ((worse, REGRESSION), (better, "improvement"))
        if number
    )
    return f"{runs}. Of the {judged} that were judged, {counts} exceed the noise."


def controls_sentence(history: History) -> str:
    """Return how far the series moved that cannot have changed.

    Parameters
    ----------
    history : History
        The history.

    Returns
    -------
    text : str
        The movement of the controls and of the limits of the hardware; empty if there is none.
    """
    parts = []
    for role, what in (
        (CONTROL, "the ratios of the frameworks to NumPy, whose versions did not change, moved"),
        (LIMIT, "the measured limits of the hardware moved"),
    ):
        moved = movements(history, role)
        if moved:
            largest, series = moved[-1]
            median = percentage(moved[len(moved) // 2][0])
            name = f"`{series.key.contender}`, {series.key.work}" if series.key.contender else series.key.work
            parts.append(f"{what} by {median} in the median and by at most {percentage(largest)} ({name})")
    if not parts:
        return ""
    text = f"From the run before to the newest one, {', and '.join(parts)}. That is noise, not a change of the code."
    widened = history.runs[-1].inflation
    if history.judged and widened > 1:
        text += f" The newest run is judged with {significant(widened)} times the variance of the past because of it."
    return text


def movements(history: History, role: str) -> list[tuple[float, Series]]:
    """Return how far the series of a role moved from the run before to the newest run.

    Parameters
    ----------
    history : History
        The history.
    role : {"judged", "control", "limit"}
        The role.

    Returns
    -------
    movements : list of (float, Series)
        The smallest first, for each series whose segment contains the newest run and one before it: the quotient of
        the larger number and the smaller one, minus 1.
    """
    newest = history.runs[-1].run.record.run_id
    moved = []
    for series in (one for one in history.series if one.role == role and one.points[-1].run_id == newest):
        *before, last = series.points
        earlier = [point for point in before if point.segment == last.segment]
        if earlier:
            quotient = abs(math.log(last.estimate.value / earlier[-1].estimate.value))
            moved.append((math.expm1(quotient), series))
    return sorted(moved, key=lambda found: found[0])


def change_sentence(change: Change) -> str:
    """Return a change in a sentence.

    Parameters
    ----------
    change : Change
        The change.

    Returns
    -------
    text : str
        What became how much faster or slower, in which run, and what was expected.
    """
    key, point = change.series.key, change.point
    moved = change.factor - 1 if change.factor > 1 else 1 - change.factor
    threads = "1 thread" if key.threads == "1" else "all threads"
    higher = "higher" if change.factor > 1 else "lower"
    return (
        f"{change.direction.capitalize()}: `{key.contender}`, {key.work}, {threads}: the ratio to NumPy is "
        f"{percentage(moved)} {higher} than the mean of {point.past} past runs: "
        f"{ratio(point.estimate, interval=False)}, expected {ratio(point.band)}. "
        f"Commit {point.commit[:SHORT]}, {point.recorded_at[:10]}."
    )
