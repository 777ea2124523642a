"""Results on the terminal, and in the formats that other programs read."""

from __future__ import annotations

import math

import pandas as pd
from rich import box
from rich.markup import escape
from rich.table import Table

from nnkernels.errors import ConfigurationError
from nnkernels.measure.gate import IMAGES, PREDICTION_TOLERANCE, GateResult
from nnkernels.report import formats, targets
from nnkernels.report.runs import Run
from nnkernels.report.summary import Summary
from nnkernels.report.tidy import RATIO_COLUMNS, records

WIDTH_FOR_INTERVALS = 140
FORMATS = ("table", "json", "csv", "md")


def summary_table(summary: Summary, width: int) -> Table:
    """Return the table that ends `nnkernels bench`: a row a contender, with intervals where the terminal is wide."""
    record = summary.run.record
    intervals = width >= WIDTH_FOR_INTERVALS
    notes = [
        "each contender on its faster number of threads, against the other's faster; "
        + ("[] 95 % interval" if intervals else "intervals: see the page"),
        *(f"{name} is not installed: {escape(command)}" for name, command in record.not_installed.items()),
    ]
    table = Table(
        title=f"An epoch of SGD, batch 32, on {record.dataset} ({_images(summary)} training images)",
        caption="\n".join(notes),
        box=box.SIMPLE_HEAVY,
        collapse_padding=True,
        pad_edge=False,
    )
    table.add_column("contender", no_wrap=True)
    for heading in ("threads", "epoch", "x NumPy", "x Keras\nfit", "x best\nKeras", "one\nimage", "test\nerror"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in summary.contenders:
        table.add_row(
            row.name,
            row.threads,
            formats.duration(row.epoch_seconds.value),
            *(formats.ratio(ratio, intervals) for ratio in (row.to_numpy, row.to_keras, row.to_best_keras)),
            formats.duration(row.one_image_seconds),
            formats.percent(row.test_error, intervals),
        )
    return table


def rows_table(rows: pd.DataFrame) -> Table:
    """Return every row of a run, with what is the same in all of them as the caption."""
    first = records(rows)[0]
    table = Table(
        box=box.SIMPLE_HEAVY,
        collapse_padding=True,
        pad_edge=False,
        caption=f"{first['dataset']}, commit {first['commit'][:8]}, {first['machine']}, {first['recorded_at']}",
    )
    for heading in ("benchmark", "contender", "parameters"):
        table.add_column(heading, overflow="fold")
    for heading in ("threads", "value", "95 % interval", "samples", "x NumPy", "x Keras"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in records(rows):
        low, high = (formats.quantity(row[bound], row["unit"]) for bound in ("ci_low", "ci_high"))
        table.add_row(
            *(row[column] for column in ("benchmark", "contender", "parameters", "threads")),
            formats.quantity(row["value"], row["unit"]),
            f"{low} - {high}" if low else "",
            str(row["samples"]),
            *("" if math.isnan(row[column]) else formats.significant(row[column]) for column in RATIO_COLUMNS),
        )
    return table


def targets_table(of_run: list[targets.Row], run: Run) -> Table:
    """Return what the fused kernels were asked to reach, row by row, and what the run has of it."""
    table = Table(
        title=f"asked and reached, run {run.record.run_id} on {run.record.dataset}",
        caption=escape(f"{targets.LEGEND} {targets.elsewhere(run)}"),
        box=box.SIMPLE_HEAVY,
        collapse_padding=True,
        pad_edge=False,
    )
    for heading in targets.HEADINGS:
        table.add_column(heading, overflow="fold")
    for row in of_run:
        table.add_row(*(escape(cell) for cell in row.cells()))
    return table


def gate_table(judged: list[GateResult], not_installed: dict[str, str], dataset: str) -> Table:
    """Return the verdict on each contender."""
    inference_only = any(not result.trained for result in judged)
    table = Table(
        title=f"{IMAGES:,} images of {dataset} trained beside the float64 oracle (SGD, batch 32)",
        caption="largest absolute differences; NaN fails"
        + ("; - only predicts, from parameters that the oracle trained" if inference_only else ""),
        box=box.SIMPLE_HEAVY,
    )
    table.add_column("contender", no_wrap=True)
    for heading in ("parameters off by", "at most", "predictions off by", "at most"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for result in judged:
        table.add_row(
            result.contender,
            *((f"{result.max_abs_difference:.1e}", f"{result.tolerance:.0e}") if result.trained else ("-", "-")),
            f"{result.prediction_difference:.1e}",
            f"{PREDICTION_TOLERANCE:.0e}",
            "[green]passed[/]" if result.passed else f"[bold red]failed[/] {escape(result.error)}",
        )
    for name, command in not_installed.items():
        table.add_row(name, "", "", "", "", f"not installed: {escape(command)}")
    return table


def check_format(format_name: str) -> None:
    """Raise ConfigurationError for a format that :func:`export` does not know."""
    if format_name not in FORMATS:
        raise ConfigurationError(f"unknown format {format_name!r}; known are: {', '.join(FORMATS)}")


def export(rows: pd.DataFrame, format_name: str) -> str:
    """Return the rows as ``json`` (a list of records), ``csv`` or ``md`` (a Markdown table)."""
    check_format(format_name)
    if format_name == "json":
        return rows.to_json(orient="records", indent=1, double_precision=15)
    if format_name == "csv":
        return rows.to_csv(index=False).rstrip("\n")
    cells = [[_markdown(value) for value in row] for row in rows.itertuples(index=False)]
    lines = [list(rows.columns), ["---"] * len(rows.columns), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _markdown(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value)


def _images(summary: Summary) -> str:
    return f"{summary.run.record.provenance['dataset']['training_images']:,}"
