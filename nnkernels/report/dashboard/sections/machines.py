"""The section on machines: side by side by paired ratios, and why their seconds are not comparable."""

from __future__ import annotations

from collections.abc import Sequence

from nnkernels.report.dashboard import marks, palette
from nnkernels.report.dashboard.charts import Chart
from nnkernels.report.dashboard.collection import Collection, MachineRuns
from nnkernels.report.dashboard.machines import (
    BEST_KERAS,
    SUBJECTS,
    MachineRatio,
    RatioRow,
    conditions,
    not_comparable,
    ratio_rows,
)
from nnkernels.report.dashboard.marks import Point
from nnkernels.report.dashboard.section import Section
from nnkernels.report.dashboard.time_to_accuracy import paired_text
from nnkernels.report.formats import ratio
from nnkernels.report.layout import Column
from nnkernels.report.ratios import BASELINE

REFERENCES = {BASELINE: ("numpy", "NumPy"), BEST_KERAS: ("keras", "the best Keras")}
SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross")
OTHER_RUN = "†"


def build(collection: Collection) -> Section:
    """Build the section.

    Parameters
    ----------
    collection : Collection
        The recorded runs.

    Returns
    -------
    section : Section
        Its tables have a column for each machine.
    """
    machines, rows = collection.machines, ratio_rows(collection)
    tables = []
    charts = []
    for reference, (name, label) in REFERENCES.items():
        against = [row for row in rows if row.reference == reference]
        main = [row for row in against if row.subject in SUBJECTS]
        others = [row for row in against if row.subject not in SUBJECTS]
        tables += [(label, _columns(machines, group)) for group in (main, others) if group]
        if main:
            # A row of one machine alone compares nothing, if there are several machines. The tables have all rows.
            shared = [row for row in main if sum(found is not None for found in row.ratios) > 1]
            charts.append(_chart(machines, shared or main, name, label))
    return Section(
        name="machines",
        title="Machines",
        values={
            "count": len(machines),
            "not_comparable": not_comparable(machines),
            "tables": tables,
            "notes": _notes(rows),
            "conditions": _condition_columns(machines),
        },
        charts=tuple(charts),
    )


def _columns(machines: Sequence[MachineRuns], rows: Sequence[RatioRow]) -> list[Column]:
    return [
        Column("contender", [f"{row.subject}: {row.work}" for row in rows], identity=True),
        *(
            Column(machine.label, [_cell(row.reference, row.ratios[index]) for row in rows], right=True)
            for index, machine in enumerate(machines)
        ),
    ]


def _cell(reference: str, found: MachineRatio | None) -> str:
    if found is None:
        return "-"
    source = "" if found.measured.is_shown else f" {OTHER_RUN}"
    form = f", {found.against}" if reference == BEST_KERAS else ""
    return f"{paired_text(found.paired)}{source}{form}"


def _notes(rows: Sequence[RatioRow]) -> list[str]:
    found = [one for row in rows for one in row.ratios if one]
    notes = [
        "How many times as fast, paired within processes, each contender at its own faster thread setting; brackets "
        "show 95 % intervals. A dash: this machine did not time both in one process."
    ]
    if any(not one.paired.is_faster for one in found):
        notes.append("A star (*): to the other's slower thread setting, because no process timed its faster one.")
    other = dict.fromkeys(one.measured.run.record.run_id for one in found if not one.measured.is_shown)
    if other:
        runs = ", ".join(other)
        notes.append(
            f"{OTHER_RUN}: the run shown for this machine did not measure this, so the number is from its newest run "
            f"that did: {runs}."
        )
    return notes


def _chart(machines: Sequence[MachineRuns], rows: Sequence[RatioRow], name: str, label: str) -> Chart:
    names = _short_names([machine.label for machine in machines])
    styles = {
        machine: (colour, SHAPES[index % len(SHAPES)])
        for index, (machine, (colour, _dashes)) in enumerate(palette.series(names).items())
    }
    drawn = [
        Point(
            f"{row.subject}: {row.work}",
            short,
            found.paired.estimate,
            f"{paired_text(found.paired)} times as fast as {found.against}",
            f"{row.subject}, {row.work}, {machine.label}",
        )
        for row in rows
        for machine, short, found in zip(machines, names, row.ratios, strict=True)
        if found
    ]
    return Chart(
        name=f"machines-{name}",
        title=f"Times as fast as {label}, on every machine",
        sentence=_sentence(machines, rows, label),
        alternative=(
            f"Paired ratios to {label} with 95 % intervals on a logarithmic axis, a row for each contender and work, a "
            "point for each machine. The values are in the table below."
        ),
        spec=marks.intervals(drawn, "times as fast (log)", log=True, reference=1, apart=True, styles=styles),
        legend=marks.group_legend(drawn, styles),
    )


def _short_names(labels: Sequence[str]) -> list[str]:
    """Return the labels for a narrow legend: without what follows the first comma, if they still differ."""
    short = [label.partition(",")[0] for label in labels]
    return short if len(set(short)) == len(short) else list(labels)


def _sentence(machines: Sequence[MachineRuns], rows: Sequence[RatioRow], label: str) -> str:
    """Describe the first row, with its number on each machine."""
    row = rows[0]
    found = [
        f"{ratio(one.paired.estimate)} on {machine.label}"
        for machine, one in zip(machines, row.ratios, strict=True)
        if one
    ]
    without = [machine.label for machine, one in zip(machines, row.ratios, strict=True) if one is None]
    missing = f" Not measured on {', '.join(without)}." if without else ""
    return f"{row.subject}, {row.work}, is this many times as fast as {label}: {'; '.join(found)}.{missing}"


def _condition_columns(machines: Sequence[MachineRuns]) -> list[Column]:
    found = [conditions(machine.shown) for machine in machines]
    names = list(dict.fromkeys(name for one in found for name in one))
    return [
        Column("condition", names, identity=True),
        *(
            Column(machine.label, [one.get(name, "-") for name in names])
            for machine, one in zip(machines, found, strict=True)
        ),
    ]
