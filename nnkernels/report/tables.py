"""Tables of results for the terminal, and export to formats for other programs."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from rich.console import Console

from nnkernels.errors import ConfigurationError
from nnkernels.report import formats, glance
from nnkernels.report.layout import Column, markdown, show, show_notes
from nnkernels.report.summary import Summary
from nnkernels.report.tidy import WORK, estimate, parameter_columns, records
from nnkernels.statistics import Estimate

FORMATS = ("table", "json", "csv", "md")
RATIOS_NOTE = (
    "x: how many times as fast as the named contender at its faster thread setting, or at the row's own setting if no "
    "process timed the faster one (exports name the setting); geometric mean of paired ratios. Brackets: 95 % "
    "confidence intervals."
)
RATIO_HEADINGS = {"ratio_to_numpy": "x NumPy", "ratio_to_keras": "x Keras fit", "ratio_to_best_keras": "x best Keras"}


def show_summary(console: Console, summary: Summary) -> None:
    """Print the summary table of a run, then the forms of Keras that were tried.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    summary : Summary
        The summary of the run.
    """
    record = summary.run.record
    images = f"{record.provenance['dataset']['training_images']:,}"
    title = f"Training by SGD in batches of 32 on {record.dataset} ({images} images), and prediction"
    show(console, title, glance.columns(summary), glance.notes(summary))
    if summary.keras_forms:
        show(console, "Forms of Keras tried", glance.forms_columns(summary), glance.forms_notes(summary))


def show_rows(console: Console, rows: pd.DataFrame) -> None:
    """Print all tidy rows of a run, one table per benchmark and scenario.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    rows : DataFrame
        The rows, as :func:`~nnkernels.report.tidy.tidy` returns them.
    """
    for (benchmark, work), group in rows.groupby(["benchmark", WORK], sort=False):
        columns = [*identity_columns(group, parameter_columns(rows)), *number_columns(records(group))]
        best = best_keras(group["best_keras"])
        show(console, title(str(benchmark), str(work)), columns, [f"Best Keras: {best}."] if best else [])
    first = records(rows)[0]
    source = (first["dataset"], f"commit {first['commit'][:8]}", first["machine"], first["recorded_at"])
    show_notes(console, [", ".join(source), RATIOS_NOTE, *glance.caveats(set(rows["contender"]))])


def best_keras(forms: pd.Series[str]) -> str:
    """Return the name of the best form of Keras at a scenario.

    Parameters
    ----------
    forms : Series of str
        The column ``best_keras`` of the rows of the scenario.

    Returns
    -------
    name : str
        Empty if there is none.
    """
    return next((name for name in forms if name and isinstance(name, str)), "")


def title(benchmark: str, work: str) -> str:
    """Return the title of the table of a benchmark.

    Parameters
    ----------
    benchmark : str
        The name of the benchmark.
    work : str
        The scenario; empty if the benchmark has none.

    Returns
    -------
    title : str
        For example ``ratios: epoch``.
    """
    return f"{benchmark}: {work}" if work else benchmark


def identity_columns(rows: pd.DataFrame, parameters: list[str]) -> list[Column]:
    """Return the columns that identify the rows of a benchmark.

    Parameters
    ----------
    rows : DataFrame
        The rows of the benchmark.
    parameters : list of str
        The names of the parameter columns.

    Returns
    -------
    columns : list of Column
        Contender, parameters and threads, without empty columns.
    """
    names = ["contender", *parameters, "threads"]
    return [
        Column(name, [str(text) for text in rows[name]], identity=True, right=name == "threads")
        for name in names
        if rows[name].astype(bool).any()
    ]


def number_columns(rows: list[dict[str, Any]]) -> list[Column]:
    """Return the columns of the measurements: value, number of samples, and ratios.

    Parameters
    ----------
    rows : list of dict
        Tidy rows.

    Returns
    -------
    columns : list of Column
        One row per tidy row.
    """
    return [
        estimate_column("value", rows),
        Column("samples", [str(row["samples"]) for row in rows], right=True),
        *(_ratio_column(column, rows) for column in RATIO_HEADINGS),
    ]


def estimate_column(heading: str, rows: list[dict[str, Any]], suffix: str = "") -> Column:
    """Return a column of values with their units and intervals.

    Parameters
    ----------
    heading : str
        The heading.
    rows : list of dict
        Tidy rows.
    suffix : str, optional
        A suffix of the column names, for rows of two joined runs.

    Returns
    -------
    column : Column
        The formatted values.
    """
    return Column.of_estimates(heading, lambda interval: [value_text(row, suffix, interval) for row in rows])


def ratio_text(row: dict[str, Any], column: str, suffix: str = "", interval: bool = True) -> str:
    """Format a ratio of a tidy row.

    Parameters
    ----------
    row : dict
        A tidy row.
    column : str
        The column of the ratio, for example ``ratio_to_numpy``.
    suffix : str, optional
        A suffix of the column names, for rows of two joined runs.
    interval : bool, default: True
        Whether to append the 95 % interval.

    Returns
    -------
    text : str
        Empty if the row has no such ratio.
    """
    found = ratio_estimate(row, column, suffix)
    return formats.ratio(found, interval) if found else ""


def ratio_estimate(row: dict[str, Any], column: str, suffix: str = "") -> Estimate | None:
    """Return a ratio of a tidy row.

    Parameters
    ----------
    row : dict
        A tidy row.
    column : str
        The column of the ratio, for example ``ratio_to_numpy``.
    suffix : str, optional
        A suffix of the column names, for rows of two joined runs.

    Returns
    -------
    ratio : Estimate or None
        None if the row has no such ratio. The number of samples is not known and set to 0.
    """
    value, low, high = (row[f"{column}{end}{suffix}"] for end in ("", "_ci_low", "_ci_high"))
    return None if math.isnan(value) else Estimate(value, low, high, 0)


def _ratio_column(column: str, rows: list[dict[str, Any]]) -> Column:
    return Column.of_estimates(
        RATIO_HEADINGS[column], lambda interval: [ratio_text(row, column, interval=interval) for row in rows]
    )


def value_text(row: dict[str, Any], suffix: str = "", interval: bool = True) -> str:
    """Format the value of a tidy row with its unit.

    Parameters
    ----------
    row : dict
        A tidy row.
    suffix : str, optional
        A suffix of the column names, for rows of two joined runs.
    interval : bool, default: True
        Whether to append the 95 % interval.

    Returns
    -------
    text : str
        Empty if the value is NaN.
    """
    found = estimate(row, suffix)
    return "" if math.isnan(found.value) else formats.estimate(found, row["unit"], interval)


def check_format(format_name: str) -> None:
    """Check the name of an export format.

    Parameters
    ----------
    format_name : str
        The name.

    Raises
    ------
    ConfigurationError
        If it is not one of :data:`FORMATS`.
    """
    if format_name not in FORMATS:
        raise ConfigurationError(f"unknown format {format_name!r}; expected one of: {', '.join(FORMATS)}")


def export(rows: pd.DataFrame, format_name: str) -> str:
    """Format tidy rows for other programs.

    Parameters
    ----------
    rows : DataFrame
        The rows.
    format_name : str
        ``json`` (a list of records) or ``csv``. The other formats give a Markdown table.

    Returns
    -------
    text : str
        The formatted rows.

    Raises
    ------
    ConfigurationError
        If the format is not one of :data:`FORMATS`.
    """
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
