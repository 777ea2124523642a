"""Results on the terminal, and in the formats that other programs read."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from rich.console import Console

from nnkernels.errors import ConfigurationError
from nnkernels.measure.correctness.gate import IMAGES, PREDICTION_TOLERANCE, GateResult
from nnkernels.report import formats, glance
from nnkernels.report.layout import Column, markdown, show, show_notes
from nnkernels.report.summary import Summary
from nnkernels.report.tidy import WORK, estimate, parameter_columns, records
from nnkernels.statistics import Estimate

FORMATS = ("table", "json", "csv", "md")
RATIOS_NOTE = (
    "x: how many times as fast, the geometric mean of paired ratios, against the other's faster number of threads, or "
    "against the row's own where no process held the faster one (exports name it). In brackets: 95 % intervals."
)
RATIO_HEADINGS = {"ratio_to_numpy": "x NumPy", "ratio_to_keras": "x Keras fit", "ratio_to_best_keras": "x best Keras"}


def show_summary(console: Console, summary: Summary) -> None:
    """Print the tables that end `nnkernels bench`: a row a contender, then the forms of Keras that were tried."""
    record = summary.run.record
    images = f"{record.provenance['dataset']['training_images']:,}"
    title = f"An epoch of SGD, batch 32, on {record.dataset} ({images} training images)"
    show(console, title, glance.columns(summary), glance.notes(summary))
    if summary.keras_forms:
        show(console, "Forms of Keras tried", glance.forms_columns(summary), glance.forms_notes(summary))


def show_rows(console: Console, rows: pd.DataFrame) -> None:
    """Print every row of a run, a table a benchmark and work."""
    for (benchmark, work), of_benchmark in rows.groupby(["benchmark", WORK], sort=False):
        found = records(of_benchmark)
        columns = [*identity_columns(of_benchmark, parameter_columns(rows)), *number_columns(found)]
        best = best_keras(of_benchmark["best_keras"])
        show(console, title(str(benchmark), str(work)), columns, [f"Best Keras: {best}."] if best else [])
    first = records(rows)[0]
    source = (first["dataset"], f"commit {first['commit'][:8]}", first["machine"], first["recorded_at"])
    show_notes(console, [", ".join(source), RATIOS_NOTE, *glance.caveats(set(rows["contender"]))])


def best_keras(forms: pd.Series[str]) -> str:
    """Return the best form of Keras at a work, of which each row has the name; empty where there is none."""
    return next((name for name in forms if name and isinstance(name, str)), "")


def title(benchmark: str, work: str) -> str:
    """Return what heads the table of a benchmark, and of a work in it."""
    return f"{benchmark}: {work}" if work else benchmark


def identity_columns(rows: pd.DataFrame, parameters: list[str]) -> list[Column]:
    """Return the columns that tell the rows of a benchmark apart, those without any content left out."""
    names = ["contender", *parameters, "threads"]
    return [
        Column(name, [str(text) for text in rows[name]], identity=True, right=name == "threads")
        for name in names
        if rows[name].astype(bool).any()
    ]


def number_columns(rows: list[dict[str, Any]]) -> list[Column]:
    """Return the columns of what was measured: values, their samples, and ratios."""
    return [
        estimate_column("value", rows),
        Column("samples", [str(row["samples"]) for row in rows], right=True),
        *(_ratio_column(column, rows) for column in RATIO_HEADINGS),
    ]


def estimate_column(heading: str, rows: list[dict[str, Any]], suffix: str = "") -> Column:
    """Return a column of values with their units and intervals."""
    return Column.of_estimates(heading, lambda interval: [value_text(row, suffix, interval) for row in rows])


def ratio_text(row: dict[str, Any], column: str, suffix: str = "", interval: bool = True) -> str:
    """Return a ratio with its interval; empty where there is none."""
    found = ratio_estimate(row, column, suffix)
    return formats.ratio(found, interval) if found else ""


def ratio_estimate(row: dict[str, Any], column: str, suffix: str = "") -> Estimate | None:
    """Return a ratio of a row, or None where there is none."""
    value, low, high = (row[f"{column}{end}{suffix}"] for end in ("", "_ci_low", "_ci_high"))
    return None if math.isnan(value) else Estimate(value, low, high, 0)


def _ratio_column(column: str, rows: list[dict[str, Any]]) -> Column:
    return Column.of_estimates(
        RATIO_HEADINGS[column], lambda interval: [ratio_text(row, column, interval=interval) for row in rows]
    )


def value_text(row: dict[str, Any], suffix: str = "", interval: bool = True) -> str:
    """Return the value of a row with its unit and interval; empty where there is none."""
    found = estimate(row, suffix)
    return "" if math.isnan(found.value) else formats.estimate(found, row["unit"], interval)


def show_gate(console: Console, judged: list[GateResult], not_installed: dict[str, str], dataset: str) -> None:
    """Print the verdict on each contender, and below the table why one failed or is not there."""
    verdicts = ["passed" if result.passed else "failed" for result in judged]
    trained = [_within(result.max_abs_difference, result.tolerance) if result.trained else "-" for result in judged]
    predicted = [_within(result.prediction_difference, PREDICTION_TOLERANCE) for result in judged]
    absent = [""] * len(not_installed)
    columns = [
        Column("contender", [*(result.contender for result in judged), *not_installed], identity=True),
        Column("verdict", [*verdicts, *["not installed"] * len(not_installed)]),
        Column("parameters off by (at most)", [*trained, *absent], right=True),
        Column("predictions off by (at most)", [*predicted, *absent], right=True),
    ]
    notes = ["Largest absolute differences; NaN fails."]
    if any(not result.trained for result in judged):
        notes.append("-: only predicts, from parameters that the oracle trained.")
    notes += [f"{result.contender} failed: {result.error}" for result in judged if not result.passed and result.error]
    notes += [f"{result.contender}, of the extreme inputs: {result.extremes}" for result in judged if result.extremes]
    notes += [
        f"{result.contender} promises the same bits on any number of threads, and is off by "
        f"{result.threads_difference:.1e} on one"
        for result in judged
        if result.threads_difference != 0
    ]
    notes += [f"{name} is not installed: {command}" for name, command in not_installed.items()]
    show(console, f"{IMAGES:,} images of {dataset} trained beside the float64 oracle (SGD, batch 32)", columns, notes)


def _within(difference: float, tolerance: float) -> str:
    return f"{difference:.1e} ({tolerance:.0e})"


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
    return markdown([Column(name, list(map(_text, rows[name]))) for name in rows.columns])


def _text(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value)
