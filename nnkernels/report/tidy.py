"""A run as one tidy table, with one row for each benchmark, contender and set of parameters."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from nnkernels.measure.timing.scenarios import FORMER_UNITS, FURTHER_SCENARIOS, SCENARIOS
from nnkernels.report import keras_forms
from nnkernels.report.asv_rows import asv_rows, estimate_columns
from nnkernels.report.ratios import BASELINE, PairedRatio, PairedRatios
from nnkernels.report.runs import Run
from nnkernels.report.shares import shares_of_limits
from nnkernels.statistics import Estimate

PAIRED = "ratios"
WORK = "work"
RATIOS = ("ratio_to_numpy", "ratio_to_keras", "ratio_to_best_keras")
RATIO_COLUMNS = [
    column
    for ratio in RATIOS
    for column in (ratio, f"{ratio}_ci_low", f"{ratio}_ci_high", f"{ratio.removeprefix('ratio_to_')}_threads")
]
IDENTITY_COLUMNS = ["benchmark", "contender", WORK]  # followed by the parameters of the run's benchmarks
VALUE_COLUMNS = ["threads", "value", "unit", "ci_low", "ci_high", "samples", *RATIO_COLUMNS, "best_keras"]
SOURCE_COLUMNS = ["dataset", "commit", "machine", "recorded_at"]
FIXED_COLUMNS = [*IDENTITY_COLUMNS, *VALUE_COLUMNS, *SOURCE_COLUMNS]
SCENARIO_UNITS = {work.name: work.unit for work in (*SCENARIOS, *FURTHER_SCENARIOS)} | FORMER_UNITS


def tidy(run: Run, ratios: PairedRatios | None = None) -> pd.DataFrame:
    """Return the tidy table of a run, or of several pooled ones.

    The rows of the benchmark ``ratios`` come from the interleaved runs, one for each scenario, contender and thread
    setting. Only they have ratios, all of them paired: how many times as fast a contender is as NumPy, ``keras-fit``
    and the best form of Keras at that scenario. Each of these is at its faster thread setting if a process timed both.
    Values from separate processes have no ratio, because the machine drifts between them by more than most contenders
    differ.

    Parameters
    ----------
    run : Run
        The run.
    ratios : PairedRatios, optional
        The ratios of the run, if they have already been computed.

    Returns
    -------
    rows : DataFrame
        The columns are :data:`FIXED_COLUMNS` and, after ``work``, one for each parameter of the run's benchmarks. A
        parameter that a benchmark does not have is an empty string.
    """
    ratios = ratios or PairedRatios(*(one.interleaved for one in run.each))
    rows = [*_interleaved_rows(ratios), *shares_of_limits(run, ratios), *asv_rows(run)]
    parameters = [column for column in dict.fromkeys(itertools.chain(*rows)) if column not in FIXED_COLUMNS]
    table = pd.DataFrame(rows, columns=[*IDENTITY_COLUMNS, *parameters, *VALUE_COLUMNS])
    texts = [*IDENTITY_COLUMNS, *parameters, "best_keras", *(name for name in RATIO_COLUMNS if "threads" in name)]
    table[texts] = table[texts].astype(object).fillna("")
    numbers = ["value", "ci_low", "ci_high", *(name for name in RATIO_COLUMNS if "threads" not in name)]
    table[numbers] = table[numbers].astype(np.float64)
    return table.assign(**{column: getattr(run.record, column) for column in SOURCE_COLUMNS})


def keys(rows: pd.DataFrame) -> list[str]:
    """Return the columns that identify the rows of a run.

    Parameters
    ----------
    rows : DataFrame
        Tidy rows.

    Returns
    -------
    names : list of str
        Benchmark, contender, work, parameters and threads.
    """
    return [*IDENTITY_COLUMNS, *parameter_columns(rows), "threads"]


def parameter_columns(rows: pd.DataFrame) -> list[str]:
    """Return the columns of the benchmarks' parameters other than contender, work and threads.

    Parameters
    ----------
    rows : DataFrame
        Tidy rows.

    Returns
    -------
    names : list of str
        The names of the columns.
    """
    return [column for column in rows.columns if column not in FIXED_COLUMNS]


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Convert the rows of a table to dictionaries.

    Parameters
    ----------
    rows : DataFrame
        Tidy rows.

    Returns
    -------
    records : list of dict of str to object
        One per row.
    """
    return [{str(column): value for column, value in row.items()} for row in rows.to_dict(orient="records")]


def estimate(row: Mapping[str, Any], suffix: str = "") -> Estimate:
    """Return the value of a tidy row with its interval.

    Parameters
    ----------
    row : mapping of str to object
        A tidy row.
    suffix : str, optional
        A suffix of the column names, for rows of two joined runs.

    Returns
    -------
    estimate : Estimate
        The value; NaN if a joined row is missing in this run.
    """
    return Estimate(*(row[f"{column}{suffix}"] for column in ("value", "ci_low", "ci_high", "samples")))


def _interleaved_rows(ratios: PairedRatios) -> Iterator[dict[str, Any]]:
    known = [work for work in SCENARIO_UNITS if work in ratios.scenarios()]
    for work in (*known, *(work for work in ratios.scenarios() if work not in known)):
        best = keras_forms.best(keras_forms.tried(ratios, work))
        others = dict(zip(RATIOS, (BASELINE, keras_forms.DEFAULT, best), strict=True))
        for name, threads in ratios.labels(work):
            seconds = ratios.seconds(work, name, threads)
            assert seconds is not None
            yield {
                "benchmark": PAIRED,
                "contender": name,
                WORK: work,
                "threads": threads,
                "unit": SCENARIO_UNITS.get(work, "seconds"),
                **estimate_columns(seconds),
                "best_keras": best,
                **_ratio_columns(
                    {column: ratios.against(work, (name, threads), other) for column, other in others.items() if other}
                ),
            }


def _ratio_columns(ratios: dict[str, PairedRatio | None]) -> dict[str, float | str]:
    columns: dict[str, float | str] = {}
    for column, found in ratios.items():
        if found:
            columns |= {
                column: found.estimate.value,
                f"{column}_ci_low": found.estimate.low,
                f"{column}_ci_high": found.estimate.high,
                f"{column.removeprefix('ratio_to_')}_threads": found.threads,
            }
    return columns
