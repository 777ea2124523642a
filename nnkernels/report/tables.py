"""Results on the terminal, and in the formats that other programs read."""

from __future__ import annotations

import pandas as pd
from rich import box
from rich.markup import escape
from rich.table import Table

from nnkernels.errors import ConfigurationError
from nnkernels.measure.gate import IMAGES, PREDICTION_TOLERANCE, GateResult
from nnkernels.report import formats
from nnkernels.report.summary import Summary

FORMATS = ("table", "json", "csv", "md")


def summary_table(summary: Summary) -> Table:
    """Return the table that ends `nnkernels bench`: a row a contender."""
    record = summary.run.record
    table = Table(
        title=f"One epoch of SGD, batch 32, on {record.dataset} ({_images(summary)} training images)",
        caption="[] 95 % interval over processes or seeds; each contender on its faster thread setting",
        box=box.SIMPLE_HEAVY,
    )
    table.add_column("contender", no_wrap=True)
    table.add_column("threads", justify="right")
    for heading in ("epoch", "x NumPy", "x Keras fit", "x best Keras", "one image", "10,000 images", "test error"):
        table.add_column(heading, justify="right")
    for row in summary.contenders:
        table.add_row(
            row.name,
            row.threads,
            formats.duration(row.epoch_seconds.value),
            formats.ratio(row.to_numpy),
            formats.ratio(row.to_keras),
            formats.ratio(row.to_best_keras),
            formats.duration(row.one_image_seconds),
            formats.duration(row.ten_thousand_seconds),
            formats.percent(row.test_error),
        )
    for name, command in record.not_installed.items():
        table.add_row(name, "", "not installed", command)
    return table


def rows_table(rows: pd.DataFrame) -> Table:
    """Return every row of a run, with what is the same in all of them as the caption."""
    first = rows.iloc[0]
    table = Table(
        box=box.SIMPLE_HEAVY,
        caption=f"{first.dataset}, commit {first.commit[:8]}, {first.machine}, {first.recorded_at}",
    )
    headings = ("benchmark", "contender", "parameters", "threads", "value", "95 % interval", "samples", "x NumPy", "x Keras")
    for heading in headings:
        table.add_column(heading, justify="left" if heading in headings[:3] else "right")
    for row in rows.itertuples():
        show = _as_percent if row.unit == "error_rate" else formats.duration
        interval = "" if pd.isna(row.ci_low) else f"{show(row.ci_low)} to {show(row.ci_high)}"
        table.add_row(
            str(row.benchmark),
            str(row.contender),
            str(row.parameters),
            str(row.threads),
            show(row.value),
            interval,
            str(row.samples),
            _plain_ratio(row.ratio_to_numpy),
            _plain_ratio(row.ratio_to_keras),
        )
    return table


def gate_table(judged: list[GateResult], not_installed: dict[str, str], dataset: str) -> Table:
    """Return the verdict on each contender."""
    table = Table(
        title=f"{IMAGES:,} images of {dataset} trained beside the float64 oracle (SGD, batch 32)",
        caption="largest absolute differences; NaN fails",
        box=box.SIMPLE_HEAVY,
    )
    table.add_column("contender", no_wrap=True)
    for heading in ("parameters off by", "at most", "predictions off by", "at most"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for result in judged:
        table.add_row(
            result.contender,
            f"{result.max_abs_difference:.1e}",
            f"{result.tolerance:.0e}",
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
        return "" if pd.isna(value) else f"{value:.6g}"
    return str(value)


def _as_percent(value: float) -> str:
    return f"{100 * value:.2f} %"


def _plain_ratio(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.2f}"


def _images(summary: Summary) -> str:
    return f"{summary.run.record.provenance['dataset']['training_images']:,}"
