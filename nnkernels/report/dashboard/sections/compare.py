"""The comparison: everything against a chosen reference, on a chosen machine, at chosen work."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from nnkernels.report.dashboard import interval_chart, legend
from nnkernels.report.dashboard.assets import registration
from nnkernels.report.dashboard.charts import Chart
from nnkernels.report.dashboard.collection import Collection, MachineRuns
from nnkernels.report.dashboard.comparison import FASTER, Cell, WorkComparison, cell_texts, compare
from nnkernels.report.dashboard.comparison_payload import FOLDER, OFFERED, files, left_out, payload, run_key
from nnkernels.report.dashboard.kinds import kind
from nnkernels.report.dashboard.section import Section
from nnkernels.report.layout import Column
from nnkernels.report.pooling import intervals_note
from nnkernels.report.ratios import BASELINE

FIELDS = (
    ("machine", "Machine"),
    ("run", "Run"),
    ("work", "Work"),
    ("threads", "Threads"),
    ("ref", "Reference"),
    ("show", "Chart"),
)
NAMES = ("name", "kind", "threads", "ratio", "ratio-interval", "n", "seconds", "seconds-interval")


@dataclass(frozen=True)
class Line:
    """A line of the comparison: a contender with its ratio to the reference and its time."""

    name: str
    ratio: Cell
    seconds: Cell

    @property
    def star(self) -> str:
        """What marks a ratio to the reference at its slower thread setting."""
        return "" if self.ratio.is_faster else "*"


def build(collection: Collection) -> Section:
    """Build the section.

    Parameters
    ----------
    collection : Collection
        The recorded runs.

    Returns
    -------
    section : Section
        The section. The comparisons of the run that is shown first are in the page, those of other runs in files
        beside it.
    """
    found = _first(collection)
    if found is None:
        return Section("compare", "Compare")
    machine, work = found
    reference = BASELINE if BASELINE in work.references else work.references[0]
    lines = _lines(work, reference)
    columns, sort = _columns(lines, work, reference)
    data = payload(collection) | _for_script(machine, reference)
    scripts: dict[str, str | bytes] = {**files(collection), **_set_aside(data, machine)}
    values = {
        "fields": FIELDS,
        "columns": columns,
        "sort": sort,
        "names": NAMES,
        "legend": legend.of_kinds([one["kind"] for one in data["contenders"].values()]),
        "notes": _notes(lines, work, reference),
        "spread": intervals_note([run.record for run in machine.shown.each]),
        "offered": OFFERED,
        "left_out": left_out(collection),
    }
    return Section("compare", "Compare", values, (_chart(lines, machine, work, reference),), data, scripts)


def _first(collection: Collection) -> tuple[MachineRuns, WorkComparison] | None:
    """Return the first machine whose run has a comparison, with its first work."""
    for machine in collection.everything:
        works = compare(machine.shown, collection.ratios(machine.shown))
        if works:
            return machine, works[0]
    return None


def _set_aside(data: dict[str, Any], first: MachineRuns) -> dict[str, str | bytes]:
    """Move the comparisons of all runs but the first one from the page to files beside it, and return these."""
    scripts: dict[str, str | bytes] = {}
    for key, run in data["runs"].items():
        if "works" in run and key != run_key(first.shown):
            name = f"{FOLDER}/{key}"
            scripts[f"{name}.js"] = registration(name, run)
            data["runs"][key] = {"label": run["label"], "note": run["note"], "file": name}
    return scripts


def _for_script(machine: MachineRuns, reference: str) -> dict[str, Any]:
    return {
        "first": machine.machine,
        "baseline": reference,
        "step": interval_chart.STEP,
        "tickLabels": interval_chart.TICK_LABELS,
        "ticks": interval_chart.candidates(),
        "mostTicks": interval_chart.MOST_TICKS,
    }


def _lines(work: WorkComparison, reference: str) -> list[Line]:
    """Return the lines of the view that is shown first, the fastest first and those without a ratio last."""
    ratios, seconds = work.ratios[FASTER][reference], work.seconds[FASTER]
    lines = [Line(name, ratios[name], seconds[name]) for name in work.contenders]
    return sorted(lines, key=lambda line: -line.ratio.estimate.value if line.ratio.estimate else math.inf)


def _chart(lines: list[Line], machine: MachineRuns, work: WorkComparison, reference: str) -> Chart:
    rows, sentences = [], []
    for line in lines:
        if estimate := line.ratio.estimate:
            value, interval = cell_texts(line.ratio, True)
            detail = f"{line.name}: {value} {interval}, n = {estimate.samples}"
            ends = (estimate.value, estimate.low, estimate.high)
            rows.append(interval_chart.Row(line.name, kind(line.name), *ends, value + line.star, detail))
            sentences.append(f"{line.name} is the fastest, {value} {interval} times as fast as {reference}.")
    first = sentences[0] if sentences else f"nothing was timed in the same process as {reference}."
    sentence = f"{work.work[:1].upper()}{work.work[1:]} on {machine.label}, each at its faster thread setting: {first}"
    if without := [line.name for line in lines if not line.ratio.estimate]:
        sentence += f" Without a number: {', '.join(without)}."
    return Chart(
        "compare",
        "All contenders against the reference",
        sentence,
        f"Intervals on a logarithmic axis; the table below has the same numbers. {sentence}",
        interval_chart.interval_chart(rows, f"times as fast as {reference} (log)"),
    )


def _columns(
    lines: list[Line], work: WorkComparison, reference: str
) -> tuple[list[Column], dict[str, list[float | str]]]:
    """Return the columns of the table, in the order of :data:`NAMES`, and the sort keys of those with numbers."""
    ratios = [cell_texts(line.ratio, True) for line in lines]
    times = [cell_texts(line.seconds, False) for line in lines]
    samples = [line.ratio.estimate.samples if line.ratio.estimate else "-" for line in lines]
    columns = [
        Column("contender", [line.name for line in lines], identity=True),
        Column("kind", [kind(line.name) for line in lines]),
        Column("threads", [line.seconds.threads or "-" for line in lines], right=True),
        Column(f"x {reference}", [ratios[place][0] + line.star for place, line in enumerate(lines)], right=True),
        Column("95 % interval of the ratio", [interval or "-" for _value, interval in ratios], right=True),
        Column("n", [str(count) for count in samples], right=True),
        Column(f"time {work.unit}".strip(), [value for value, _interval in times], right=True),
        Column("95 % interval of the time", [interval or "-" for _value, interval in times], right=True),
    ]
    cells = {columns[3].heading: [line.ratio for line in lines], columns[6].heading: [line.seconds for line in lines]}
    keys = {name: [cell.estimate.value if cell.estimate else "-" for cell in found] for name, found in cells.items()}
    return columns, keys


def _notes(lines: list[Line], work: WorkComparison, reference: str) -> list[str]:
    notes = [f"{line.name}: {line.ratio.reason}." for line in lines if line.ratio.reason]
    if any(line.star for line in lines):
        notes.append(
            f"A star marks a ratio to {reference} at its slower thread setting, because no process timed both at the "
            "faster one."
        )
    return notes + ([f"{work.disturbed}."] if work.disturbed else [])
