"""Presentation of the self-tests: on the terminal, and as the generated part of ``bench/README.md``."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console

from nnkernels.measure.regression.criteria import check_criteria
from nnkernels.measure.regression.figures import Figures, Rate, figures_of
from nnkernels.measure.regression.record import CheckRecord
from nnkernels.report.blocks import NOT_RECORDED, Block
from nnkernels.report.formats import percentage
from nnkernels.report.layout import Column, markdown, show
from nnkernels.report.regression import INTERVALS

BLOCK = Block("self-test", "nnkernels selftest --page")


def show_selftest(console: Console, records: Sequence[CheckRecord]) -> None:
    """Print the figures of the self-test of one machine.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    records : sequence of CheckRecord
        The checks of the machine.
    """
    machine = records[0].machine if records else "this machine"
    title = f"Self-test of `nnkernels check` on {machine}"
    figures = figures_of(records)
    show(console, title, figure_columns(figures), figure_notes(records, figures))


def selftest_markdown(records: Sequence[CheckRecord]) -> str:
    """Format the figures of the self-tests as Markdown, one table per machine.

    Parameters
    ----------
    records : sequence of CheckRecord
        The checks of all machines.

    Returns
    -------
    text : str
        Empty if there are no checks.
    """
    parts = []
    for machine in sorted({record.machine for record in records}):
        machine_records = [record for record in records if record.machine == machine]
        figures = figures_of(machine_records)
        parts += [f"**{machine}**", markdown(figure_columns(figures))]
        parts.append("\n".join(f"- {note}" for note in figure_notes(machine_records, figures)))
    return "\n\n".join(parts)


def block(records: Sequence[CheckRecord]) -> str:
    """Return the generated part of ``bench/README.md``.

    Parameters
    ----------
    records : sequence of CheckRecord
        The checks of all machines.

    Returns
    -------
    block : str
        Markdown, with the markers.
    """
    return BLOCK.around(selftest_markdown(records) or NOT_RECORDED)


def figure_columns(figures: Sequence[Figures]) -> list[Column]:
    """Return the columns of the table of figures.

    Parameters
    ----------
    figures : sequence of Figures
        The figures of a machine.

    Returns
    -------
    columns : list of Column
        One row per condition.
    """
    return [
        Column("condition", ["busy neighbour" if one.neighbour else "quiet" for one in figures], identity=True),
        Column("injected", [f"{one.injected:.0%}" if one.injected else "none" for one in figures], identity=True),
        Column("time limit", [f"{one.minutes:g} min" for one in figures], identity=True),
        Column("checks", [str(one.checks) for one in figures], right=True),
        Column("flagged", [rate_text(one.alarms) for one in figures], right=True),
        Column("flagged of those resolved", [rate_text(one.alarms_where_resolved) for one in figures], right=True),
        Column("median ratio", ["-" if math.isnan(one.ratio) else f"{one.ratio:.3f}" for one in figures], right=True),
        Column("interval covers 1", [rate_text(one.covered) for one in figures], right=True),
        Column("not resolved", [rate_text(one.not_resolved) for one in figures], right=True),
        Column("exit status 0", [rate_text(one.passed) for one in figures], right=True),
        Column("exit status 1", [rate_text(one.flagged) for one in figures], right=True),
        Column("exit status 2", [rate_text(one.undecided) for one in figures], right=True),
        Column("median resolution", [percentage(one.resolution) for one in figures], right=True),
        Column("median duration", [f"{one.seconds:.0f} s" for one in figures], right=True),
    ]


def comparison_columns(figures: Sequence[Figures]) -> list[Column]:
    """Return the columns of a table of what single comparisons found, narrow enough for a page.

    Parameters
    ----------
    figures : sequence of Figures
        The figures of a machine.

    Returns
    -------
    columns : list of Column
        One row per condition.
    """
    chosen = ("flagged", "flagged of those resolved", "interval covers 1", "not resolved", "median ratio")
    return _chosen(figures, (*chosen, "median resolution"))


def check_columns(figures: Sequence[Figures]) -> list[Column]:
    """Return the columns of a table of how whole checks ended, narrow enough for a page.

    Parameters
    ----------
    figures : sequence of Figures
        The figures of a machine.

    Returns
    -------
    columns : list of Column
        One row per condition.
    """
    return _chosen(figures, ("checks", "exit status 0", "exit status 1", "exit status 2", "median duration"))


def _chosen(figures: Sequence[Figures], headings: Sequence[str]) -> list[Column]:
    columns = {column.heading: column for column in figure_columns(figures)}
    parts = zip(*(column.cells for column in columns.values() if column.identity), strict=True)
    conditions = [
        # The unit stays beside its number.
        f"{condition}, injected {injected}, {limit.replace(' ', chr(0xA0))}"
        for condition, injected, limit in parts
    ]
    return [Column("condition", conditions, identity=True), *(columns[heading] for heading in headings)]


def column_notes(records: Sequence[CheckRecord]) -> list[str]:
    """Return the notes on what the columns of the figures mean.

    Parameters
    ----------
    records : sequence of CheckRecord
        The checks of a machine, at least one.

    Returns
    -------
    notes : list of str
        On what was compared, on what was resolved, and on whole checks.
    """
    resolve = percentage(records[0].method["resolve"])
    return [
        "Both sides of a check run the same commit. Injected: slowdown of one side, by additional batches. Flagged: "
        "comparisons with the verdict slower, which are false alarms if nothing was injected, otherwise detections.",
        "Of those resolved: the same among comparisons whose resolution is at least as fine as the injected slowdown, "
        f"or as {resolve} if nothing was injected. Not resolved: resolution coarser than {resolve}.",
        "Exit status: of whole checks (0 no regression, 1 regression, 2 not measured). Ratio: time of the slowed side "
        "divided by that of the other.",
    ]


def figure_notes(records: Sequence[CheckRecord], figures: Sequence[Figures]) -> list[str]:
    """Return the notes below the table of figures: what the columns mean, and which criteria are met.

    Parameters
    ----------
    records : sequence of CheckRecord
        The checks of a machine.
    figures : sequence of Figures
        Their figures.

    Returns
    -------
    notes : list of str
        Empty if there are no checks.
    """
    if not records:
        return []
    method, criteria = records[0].method, check_criteria(figures)
    commits = {record.base for record in records}
    days = sorted({record.recorded_at[:10] for record in records})
    return [
        *column_notes(records),
        f"The rule allows a false alarm in {percentage(method['comparison_error'])} of comparisons. A check ends when "
        "all comparisons are resolved, or at its time limit. Percentages: count of cases; "
        f"{INTERVALS} (Clopper-Pearson).",
        f"Method version {method['version']}; {_count(len(records), 'check')} on {records[0].dataset}, of "
        f"{_count(len(commits), 'commit')}, on {_count(len(days), 'day')}: {', '.join(days)}.",
        *(
            f"{'Met' if one.met else 'Not met'}: {one.description}: {rate_text(one.measured, 'none yet')}."
            for one in criteria
        ),
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def rate_text(rate: Rate, nothing: str = "-") -> str:
    """Format a proportion with its interval.

    Parameters
    ----------
    rate : Rate
        The proportion.
    nothing : str, default: "-"
        The text if there are no cases.

    Returns
    -------
    text : str
        For example ``0.0 % (0 of 396) [0.0, 0.9]``, all in percent.
    """
    if not rate.cases:
        return nothing
    share = f"{100 * rate.count / rate.cases:.1f} %"
    return f"{share} ({rate.count} of {rate.cases}) [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"
