"""The history of each machine: the ratios of its runs, what the past predicts, and what changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnkernels.measure.timing.scenarios import EPOCH
from nnkernels.report.dashboard.answer_sentences import SUBJECTS
from nnkernels.report.dashboard.assets import registration
from nnkernels.report.dashboard.charts import Chart
from nnkernels.report.dashboard.collection import Collection
from nnkernels.report.dashboard.commits import SHORT
from nnkernels.report.dashboard.history import Change, History, histories
from nnkernels.report.dashboard.history_chart import (
    VERDICTS,
    compact,
    history_chart,
    next_band,
    point_data,
    run_text,
    verdict,
)
from nnkernels.report.dashboard.history_sentences import change_sentence, controls_sentence, sentence
from nnkernels.report.dashboard.section import Section
from nnkernels.report.dashboard.series import LIMIT, Series
from nnkernels.report.formats import ratio, significant
from nnkernels.report.layout import Column

MOST_POINTS = 40  # the newest of a series that its chart and the file beside the page have
MOST_LINES = 20  # the newest of the series that is shown first, in its table


def build(collection: Collection) -> Section:
    """Build the section.

    Parameters
    ----------
    collection : Collection
        The recorded runs.

    Returns
    -------
    section : Section
        The section. The series that is shown first for each machine is in the page, all series are in files beside it.
    """
    machines, charts, choices = [], [], []
    files: dict[str, str | bytes] = {}
    for number, history in enumerate(histories(collection), start=1):
        shown = _first(history.series)
        machine: dict[str, Any] = {
            "label": history.label,
            "sentence": sentence(history),
            "controls": controls_sentence(history) if history.runs else "",
            "changes": [change_sentence(change) for change in history.changes],
            "breaks": _breaks(history),
            "chart": "",
            "judged": bool(history.judged),
        }
        if shown:
            chart, key = _chart(history, shown, number), f"history/{number}"
            charts.append(chart)
            machine |= {
                "chart": chart.name,
                "number": number,
                "columns": _columns(history, shown),
                "title": _title(shown),
            }
            names = _names(history.series)
            first = history.series.index(shown)
            choices.append({"chart": chart.name, "file": key, "names": names, "first": first})
            files[f"{key}.js"] = registration(key, _file(history))
        machines.append(machine)
    values = {"machines": machines, "verdicts": list(VERDICTS), "most": MOST_LINES}
    return Section("history", "History", values, tuple(charts), {"machines": choices}, files)


def _first(series: Sequence[Series]) -> Series | None:
    """Return the series that is shown first: that of the answer if it has one, at the setting with the most runs."""

    def preference(one: Series) -> tuple[bool, int, int]:
        place = SUBJECTS.index(one.key.contender) if one.key.contender in SUBJECTS else len(SUBJECTS)
        return one.key.work == EPOCH, -place, len(one.points)

    return max((one for one in series if one.points), key=preference, default=None)


def _title(series: Series) -> str:
    key = series.key
    if series.role == LIMIT:
        return f"{key.work} ({series.unit})"
    threads = "1 thread" if key.threads == "1" else "all threads"
    return f"{key.contender}, {key.work}, {threads} (x {key.reference} on 1 thread)"


def _names(series: Sequence[Series]) -> list[str]:
    """Return names short enough for a phone: without the reference if all ratios have the same one."""
    if len({one.key.reference for one in series if one.role != LIMIT}) > 1:
        return [_title(one) for one in series]
    return [_title(one) if one.role == LIMIT else _title(one).rpartition(" (x ")[0] for one in series]


def _directions(changes: Sequence[Change], series: Series) -> dict[str, str]:
    return {change.point.run_id: change.direction for change in changes if change.series.key == series.key}


def _file(history: History) -> dict[str, Any]:
    """Return all series of a machine for the page's script."""
    records = [found.run.record for found in history.runs]
    places = {record.run_id: place for place, record in enumerate(records)}
    return {
        "runs": [run_text(record.recorded_at, record.commit, record.profile) for record in records],
        "verdicts": list(VERDICTS),
        "series": [_series(history, one, places) for one in history.series],
    }


def _series(history: History, series: Series, places: dict[str, int]) -> dict[str, Any]:
    directions = _directions(history.changes, series)
    return {
        "axis": _axis(series),
        "sentence": _sentence(history, series),
        "points": compact(series, directions, MOST_POINTS, places),
        "next": next_band(series),
    }


def _sentence(history: History, series: Series) -> str:
    points, shown = series.points, min(len(series.points), MOST_POINTS)
    newest = points[-1]
    directions = _directions(history.changes, series)
    left_out = f" ({shown} of them shown)" if shown < len(points) else ""
    which = f"the newest of {len(points)} runs{left_out}" if len(points) > 1 else "the only run"
    expected = f"; expected {significant(newest.band.low)} to {significant(newest.band.high)}" if newest.band else ""
    change = f", {directions[newest.run_id]}" if newest.run_id in directions else f", {newest.note}"
    return f"{_title(series)}: {which} is {ratio(newest.estimate)}{expected}{change}."


def _chart(history: History, series: Series, number: int) -> Chart:
    data = point_data(series, _directions(history.changes, series), MOST_POINTS)
    values = "; ".join(f"{point.recorded_at[:10]} {ratio(point.estimate)}" for point in series.points[-MOST_LINES:])
    return Chart(
        f"history-{number}",
        history.label,
        _sentence(history, series),
        f"A point with its 95 % interval for each run, from left to right, before the band that its past runs predict. "
        f"The newest: {values}.",
        history_chart(data, _axis(series)),
    )


def _axis(series: Series) -> str:
    return series.unit if series.role == LIMIT else f"x {series.key.reference} on 1 thread"


def _columns(history: History, series: Series) -> list[Column]:
    points = series.points[-1 : -MOST_LINES - 1 : -1]
    directions = _directions(history.changes, series)
    bands = [point.band for point in points]
    texts = [ratio(point.estimate).partition(" ") for point in points]
    return [
        Column("run", [point.recorded_at[:16].replace("T", " ") for point in points], identity=True),
        Column("commit", [point.commit[:SHORT] for point in points]),
        Column("profile", [point.profile for point in points]),
        Column(_axis(series), [value for value, *_ in texts], right=True),
        Column("95 % interval", [interval or "-" for *_, interval in texts], right=True),
        Column(
            "expected",
            [f"{significant(band.low)} to {significant(band.high)}" if band else "-" for band in bands],
            right=True,
        ),
        Column("verdict", [verdict(point, directions.get(point.run_id, "")) for point in points]),
    ]


def _breaks(history: History) -> list[str]:
    """Return what changed between runs, the newest first."""
    return [
        f"{found.run.record.recorded_at[:10]}, {found.run.record.commit[:SHORT]}: {'; '.join(found.breaks)}"
        for found in reversed(history.runs)
        if found.breaks
    ]
