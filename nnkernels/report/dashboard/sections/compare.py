"""The comparison: everything against a chosen reference, on a chosen machine, at chosen work."""

from __future__ import annotations

from typing import Any

from nnkernels.measure.timing.scenarios import EPOCH
from nnkernels.report import formats
from nnkernels.report.dashboard import interval_chart, palette
from nnkernels.report.dashboard.assets import registration
from nnkernels.report.dashboard.charts import Chart
from nnkernels.report.dashboard.collection import Collection, MachineRuns
from nnkernels.report.dashboard.comparison_table import (
    Line,
    default_reference,
    default_work,
    lines,
    run_payload,
    unit,
)
from nnkernels.report.dashboard.section import Section
from nnkernels.report.layout import Column
from nnkernels.report.pooling import intervals_note
from nnkernels.report.ratios import PairedRatios
from nnkernels.report.runs import Run

MOST_RUNS = 6  # of a machine, the newest; each is a file of about 100 kB
FIELDS = (
    ("machine", "Machine"),
    ("run", "Run"),
    ("work", "Work"),
    ("threads", "Threads"),
    ("ref", "Reference"),
    ("show", "Chart"),
)
NAMES = ("name", "kind", "threads", "ratio", "ratio-interval", "n", "seconds", "seconds-interval")


def build(collection: Collection) -> Section:
    """Build the section.

    Parameters
    ----------
    collection : Collection
        The recorded runs.

    Returns
    -------
    section : Section
        The section. The run that is shown first is in the page, others are in files beside it.
    """
    timed = [machine for machine in collection.everything if default_work(_ratios(machine.shown))]
    if not timed:
        return Section("compare", "Compare")
    shown = timed[0]
    ratios = _ratios(shown.shown)
    work = default_work(ratios)
    reference = default_reference(ratios.contenders(work))
    found = lines(ratios, work, reference)
    columns, sort = _columns(found, reference, unit(work))
    values = {
        "fields": FIELDS,
        "columns": columns,
        "sort": sort,
        "names": NAMES,
        "kinds": [name for name in palette.KINDS if any(line.kind == name for line in found)],
        "notes": _notes(found, reference),
        "spread": intervals_note([run.record for run in shown.shown.each]),
    }
    files: dict[str, str | bytes] = {}
    for machine in timed:
        for run in ([] if machine is shown else [machine.shown]) + _others(machine):
            files[f"{_key(run)}.js"] = registration(_key(run), run_payload(_ratios(run)))
    return Section("compare", "Compare", values, (_chart(found, shown, work, reference),), _payload(timed), files)


def _payload(machines: list[MachineRuns]) -> dict[str, Any]:
    return {
        "machines": [
            {
                "id": machine.machine
                if machine.dataset == machines[0].dataset
                else f"{machine.machine}, {machine.dataset}",
                "label": machine.label,
                "runs": [_choice(run) for run in (machine.shown, *_others(machine))],
            }
            for machine in machines
        ],
        "shown": run_payload(_ratios(machines[0].shown)),
        "step": interval_chart.STEP,
        "tickLabels": interval_chart.TICK_LABELS,
        "ticks": interval_chart.candidates(),
        "mostTicks": interval_chart.MOST_TICKS,
    }


def _others(machine: MachineRuns) -> list[Run]:
    """Return the newest single runs of a machine besides the one that stands for it, the newest first."""
    shown = {_id(machine.shown)}
    return [run for run in reversed(machine.runs[-MOST_RUNS:]) if _id(run) not in shown and default_work(_ratios(run))]


def _choice(run: Run) -> dict[str, str]:
    record, runs = run.record, len(run.each)
    day = record.recorded_at[:10]
    label = (
        f"{runs} runs pooled, to {day}"
        if runs > 1
        else f"{record.recorded_at[:16].replace('T', ' ')}, {record.profile}"
    )
    return {"id": _id(run), "label": label, "file": _key(run)}


def _id(run: Run) -> str:
    return "pooled" if len(run.each) > 1 else run.record.run_id


def _key(run: Run) -> str:
    return f"compare/{_id(run)}"


def _ratios(run: Run) -> PairedRatios:
    return PairedRatios(*(one.interleaved for one in run.each))


def _chart(found: list[Line], machine: MachineRuns, work: str, reference: str) -> Chart:
    rows = [
        interval_chart.Row(
            line.name,
            line.kind,
            line.ratio.value,
            line.ratio.low,
            line.ratio.high,
            formats.significant(line.ratio.value) + _star(line),
            f"{line.name}: {formats.ratio(line.ratio)}, n = {line.ratio.samples}",
        )
        for line in found
        if line.ratio
    ]
    fastest = next(line for line in found if line.ratio)
    sentence = (
        f"{work[:1].upper()}{work[1:]} on {machine.label}, the faster setting of each: {fastest.name} is the fastest, "
        f"{formats.ratio(fastest.ratio)} times as fast as {reference}."
    )
    without = [line.name for line in found if not line.ratio]
    sentence += f" Without a number: {', '.join(without)}." if without else ""
    return Chart(
        "compare",
        "Times as fast as the reference" if work == EPOCH else work,
        sentence,
        f"Intervals on a logarithmic axis; the table below has the same numbers. {sentence}",
        interval_chart.interval_chart(rows, f"times as fast as {reference} (logarithmic)"),
    )


def _columns(found: list[Line], reference: str, seconds: str) -> tuple[list[Column], dict[str, list[float | str]]]:
    """Return the columns of the table, in the order of :data:`NAMES`, and the sort keys of those with numbers."""
    ratios = [formats.ratio(line.ratio).partition(" ") for line in found]
    times = [formats.time(line.seconds).partition(" [") for line in found]
    columns = [
        Column("contender", [line.name for line in found], identity=True),
        Column("kind", [line.kind for line in found]),
        Column("threads", [line.threads for line in found], right=True),
        Column(
            f"x {reference}", [text + _star(line) for line, (text, *_) in zip(found, ratios, strict=True)], right=True
        ),
        Column("95 % interval of the ratio", [interval or "-" for _text, _space, interval in ratios], right=True),
        Column("n", [str(line.ratio.samples) if line.ratio else "-" for line in found], right=True),
        Column(seconds, [text for text, *_ in times], right=True),
        Column(
            "95 % interval of the time", [f"[{interval}" if interval else "-" for *_, interval in times], right=True
        ),
    ]
    sort: dict[str, list[float | str]] = {
        columns[3].heading: [line.ratio.value if line.ratio else "-" for line in found],
        columns[6].heading: [line.seconds.value if line.seconds else "-" for line in found],
    }
    return columns, sort


def _notes(found: list[Line], reference: str) -> list[str]:
    notes = [f"{line.name}: never timed in the same process as {reference}." for line in found if not line.ratio]
    if any(line.star for line in found):
        notes.append(
            f"A star marks a ratio to {reference} at its slower thread setting, because no process timed both at the "
            "faster one."
        )
    return notes


def _star(line: Line) -> str:
    return "*" if line.star else ""
