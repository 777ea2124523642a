"""A run as one tidy table: a row a benchmark, contender and set of parameters."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from nnkernels.measure.asv_driver.bench_files import BenchFile, bench_file
from nnkernels.measure.timing.scenarios import FORMER_UNITS, FURTHER_SCENARIOS, SCENARIOS
from nnkernels.report import keras_forms
from nnkernels.report.ratios import BASELINE, PairedRatio, PairedRatios
from nnkernels.report.runs import Run
from nnkernels.statistics import Estimate, mean_over_seeds, median_over_processes

PAIRED = "ratios"
WORK = "work"
RATIOS = ("ratio_to_numpy", "ratio_to_keras", "ratio_to_best_keras")
RATIO_COLUMNS = [
    column
    for ratio in RATIOS
    for column in (ratio, f"{ratio}_ci_low", f"{ratio}_ci_high", f"{ratio.removeprefix('ratio_to_')}_threads")
]
IDENTITY_COLUMNS = ["benchmark", "contender", WORK]  # and the parameters of the run's benchmarks, in between
VALUE_COLUMNS = ["threads", "value", "unit", "ci_low", "ci_high", "samples", *RATIO_COLUMNS, "best_keras"]
SOURCE_COLUMNS = ["dataset", "commit", "machine", "recorded_at"]
FIXED_COLUMNS = [*IDENTITY_COLUMNS, *VALUE_COLUMNS, *SOURCE_COLUMNS]
SCENARIO_UNITS = {work.name: work.unit for work in (*SCENARIOS, *FURTHER_SCENARIOS)} | FORMER_UNITS
SUBJECTS = ("contender", "backend")


def tidy(run: Run, ratios: PairedRatios | None = None) -> pd.DataFrame:
    """Return the run's table.

    The rows of the benchmark ``ratios`` come from the interleaved runs, a row a scenario, contender and thread setting.
    They alone have ratios, all paired: how many times as fast it is as NumPy, as ``keras-fit`` and as the best form of
    Keras at that scenario, each at its faster thread setting where a process holds both. Values of separate processes
    have no ratio: the machine drifts between them by more than most contenders differ.

    Parameters
    ----------
    ratios : PairedRatios, optional
        Those of the run's interleaved runs, where they are at hand.

    Returns
    -------
    DataFrame
        Its columns are :data:`FIXED_COLUMNS`, and after ``work`` one for each parameter that a benchmark of the run
        has: texts, empty where a benchmark has no such parameter.
    """
    rows = [*_interleaved_rows(ratios or PairedRatios(run.interleaved)), *asv_rows(run.asv_results)]
    parameters = [column for column in dict.fromkeys(itertools.chain(*rows)) if column not in FIXED_COLUMNS]
    table = pd.DataFrame(rows, columns=[*IDENTITY_COLUMNS, *parameters, *VALUE_COLUMNS])
    texts = [*IDENTITY_COLUMNS, *parameters, "best_keras", *(name for name in RATIO_COLUMNS if "threads" in name)]
    table[texts] = table[texts].astype(object).fillna("")
    numbers = ["value", "ci_low", "ci_high", *(name for name in RATIO_COLUMNS if "threads" not in name)]
    table[numbers] = table[numbers].astype(np.float64)
    return table.assign(**{column: getattr(run.record, column) for column in SOURCE_COLUMNS})


def keys(rows: pd.DataFrame) -> list[str]:
    """Return the columns that tell the rows of a run apart: benchmark, contender, parameters and threads."""
    return [*IDENTITY_COLUMNS, *parameter_columns(rows), "threads"]


def parameter_columns(rows: pd.DataFrame) -> list[str]:
    """Return the columns of the parameters that the run's benchmarks have beside contender, work and threads."""
    return [column for column in rows.columns if column not in FIXED_COLUMNS]


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as plain dictionaries."""
    return [{str(column): value for column, value in row.items()} for row in rows.to_dict(orient="records")]


def estimate(row: Mapping[str, Any], suffix: str = "") -> Estimate:
    """Return the value of a row with its interval; ``suffix`` is that of the columns' names."""
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
                **_estimate_columns(seconds),
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


def asv_rows(results: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return the rows of a run that are not of its interleaved runs: each value from processes of its own."""
    for name, columns in results["results"].items():
        of_benchmark = dict(zip(results["result_columns"], columns, strict=False))
        file = bench_file(name) or BenchFile(name, name)  # one that is gone
        if file.interleaved or of_benchmark.get("result") is None:
            continue
        names = results["parameter_names"][name]
        combinations = list(itertools.product(*of_benchmark["params"]))
        samples = of_benchmark.get("samples") or [None] * len(combinations)
        processes = results.get("processes", {}).get(name) or [[value] for value in of_benchmark["result"]]
        for combination, value, sample, of_processes in zip(
            combinations, of_benchmark["result"], samples, processes, strict=True
        ):
            if value is None:
                continue
            parameters = dict(zip(names, (text.strip("'") for text in combination), strict=True))
            contender = next((parameters.pop(key) for key in SUBJECTS if key in parameters), "")
            parameters.pop("dataset", None)
            estimate = (
                mean_over_seeds(np.asarray(sample))
                if file.once
                else median_over_processes([np.log([measured]) for measured in of_processes]).exp()
            )
            yield {
                "benchmark": name,
                "contender": contender,
                "threads": parameters.pop("threads", file.threads),
                **parameters,
                "unit": results["units"].get(name, "seconds").replace(" ", "_"),
                **_estimate_columns(estimate),
            }


def _estimate_columns(estimate: Estimate) -> dict[str, float | int]:
    return {
        "value": estimate.value,
        "ci_low": estimate.low,
        "ci_high": estimate.high,
        "samples": estimate.samples,
    }
