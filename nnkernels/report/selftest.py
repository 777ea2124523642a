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
    show(console, f"The check on {machine}", _figure_columns(figures_of(records)), _figure_notes(records))


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
        of_machine = [record for record in records if record.machine == machine]
        parts += [f"**{machine}**", markdown(_figure_columns(figures_of(of_machine)))]
        parts.append("\n".join(f"- {note}" for note in _figure_notes(of_machine)))
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


def _figure_columns(figures: Sequence[Figures]) -> list[Column]:
    return [
        Column("machine is", ["beside a neighbour" if one.neighbour else "quiet" for one in figures], identity=True),
        Column("injected", [f"{one.injected:.0%}" if one.injected else "nothing" for one in figures], identity=True),
        Column("checks", [str(one.checks) for one in figures], right=True),
        Column("called slower", [_rate(one.alarms) for one in figures], right=True),
        Column("where it could be seen", [_rate(one.alarms_where_resolved) for one in figures], right=True),
        Column("ratio, median", ["-" if math.isnan(one.ratio) else f"{one.ratio:.3f}" for one in figures], right=True),
        Column("interval holds 1", [_rate(one.covered) for one in figures], right=True),
        Column("not resolved", [_rate(one.not_resolved) for one in figures], right=True),
        Column("checks ended with 0", [_rate(one.passed) for one in figures], right=True),
        Column("with 1", [_rate(one.flagged) for one in figures], right=True),
        Column("with 2", [_rate(one.undecided) for one in figures], right=True),
        Column("finds, median", [percentage(one.resolution) for one in figures], right=True),
        Column("a check takes", [f"{one.seconds:.0f} s" for one in figures], right=True),
    ]


def _figure_notes(records: Sequence[CheckRecord]) -> list[str]:
    if not records:
        return []
    method, criteria = records[0].method, check_criteria(figures_of(records))
    commits = {record.base for record in records}
    days = sorted({record.recorded_at[:10] for record in records})
    return [
        "The same commit on both sides; injected: so many more batches on one side. Called slower: false "
        "alarms where nothing was injected, detections elsewhere.",
        "Where it could be seen: comparisons whose own resolution is no worse than what was injected (than "
        f"{percentage(method['resolve'])} where nothing was).",
        f"The rule allows {percentage(method['comparison_error'])} of false alarms a comparison, and measures for at "
        f"most {method['minutes']:g} minutes. Shares: count of cases, {INTERVALS} (Clopper and Pearson).",
        f"Method version {method['version']}; {_count(len(records), 'check')} on {records[0].dataset}, of "
        f"{_count(len(commits), 'commit')}, on {_count(len(days), 'day')}: {', '.join(days)}.",
        *(
            f"{'Reached' if one.met else 'Short'}: {one.description}: {_rate(one.measured, 'none yet')}."
            for one in criteria
        ),
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _rate(rate: Rate, nothing: str = "-") -> str:
    if not rate.cases:
        return nothing
    share = f"{100 * rate.count / rate.cases:.1f} %"
    return f"{share} ({rate.count} of {rate.cases}) [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"
