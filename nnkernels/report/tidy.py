"""A run as one tidy table: a row a benchmark, contender and set of parameters."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from nnkernels.measure.paired import SecondsByRound, log_ratios
from nnkernels.measure.panel import Panel
from nnkernels.measure.threads import SETTINGS
from nnkernels.measure.works import FORMER_UNITS, FURTHER_WORKS, WORKS
from nnkernels.report.runs import Run
from nnkernels.statistics import Estimate, mean_over_seeds, median_over_processes

COLUMNS = [
    "benchmark",
    "contender",
    "parameters",
    "threads",
    "value",
    "unit",
    "ci_low",
    "ci_high",
    "samples",
    "ratio_to_numpy",
    "ratio_to_keras",
    "dataset",
    "commit",
    "machine",
    "recorded_at",
]
RATIO_COLUMNS = ["ratio_to_numpy", "ratio_to_keras"]
KEYS = ["benchmark", "parameters", "threads"]
PAIRED = "ratios"
WORK_UNITS = {work.name: work.unit for work in (*WORKS, *FURTHER_WORKS)} | FORMER_UNITS
ACCURACY_UNIT = "error_rate"


def tidy(run: Run) -> pd.DataFrame:
    """Return the run's table.

    The rows of the benchmark ``ratios`` come from the panels, those of other work included: their ratios are paired,
    and against the faster thread setting of the other. The ratios of all other rows are quotients of values from
    separate processes, and so indicative. A ratio above 1 means better than the other; the Keras it is against is
    ``keras-fit``.
    """
    rows = pd.DataFrame([*_panel_rows(run.panels), *_asv_rows(run.asv_results)])
    if rows.empty:
        return pd.DataFrame(columns=COLUMNS)
    for baseline, column in (("numpy", "ratio_to_numpy"), ("keras-fit", "ratio_to_keras")):
        values = rows[rows.contender == baseline].set_index(KEYS)["value"]
        quotients = rows.join(values.rename("baseline"), on=KEYS)["baseline"] / rows["value"]
        rows[column] = rows[column].where(rows.benchmark == PAIRED, quotients)
    record = run.record
    rows = rows.assign(
        dataset=record.dataset, commit=record.commit, machine=record.machine, recorded_at=record.recorded_at
    )
    return rows[COLUMNS]


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as plain dictionaries."""
    return [{str(column): value for column, value in row.items()} for row in rows.to_dict(orient="records")]


def paired_ratio(panels: list[Panel], work: str, contender: str, threads: str, against: str) -> Estimate | None:
    """Return how many times as fast a contender is as another, at the other's faster setting.

    Both settings of the other that were measured in one process with the contender are looked at, and the one
    that leaves the contender the smaller ratio counts. None if the two were never in one process.
    """
    at_settings = [ratio_at(panels, work, (contender, threads), (against, setting)) for setting in SETTINGS]
    return min((found for found in at_settings if found), key=lambda estimate: estimate.value, default=None)


def ratio_at(panels: list[Panel], work: str, ours: tuple[str, str], theirs: tuple[str, str]) -> Estimate | None:
    """Return how many times as fast the first is as the second, each a contender with its thread setting.

    None if the two were never in one process.
    """
    label, other = "@".join(ours), "@".join(theirs)
    processes = [
        log_ratios(of_work[other], of_work[label])
        for of_work in _of_work(panels, work)
        if label in of_work and other in of_work
    ]
    return median_over_processes(processes).exp() if processes else None


def _of_work(panels: list[Panel], work: str) -> list[SecondsByRound]:
    return [panel.seconds[work] for panel in panels if work in panel.seconds]


def _panel_rows(panels: list[Panel]) -> Iterator[dict[str, Any]]:
    for work, unit in WORK_UNITS.items():
        measured = _of_work(panels, work)
        labels = dict.fromkeys(label for of_work in measured for label in of_work)
        for label in labels:
            contender, threads = label.split("@")
            processes = [
                np.log(np.ravel(np.asarray(of_work[label], np.float64))) for of_work in measured if label in of_work
            ]
            ratios = {
                column: paired_ratio(panels, work, contender, threads, against)
                for column, against in (("ratio_to_numpy", "numpy"), ("ratio_to_keras", "keras-fit"))
            }
            yield {
                "benchmark": PAIRED,
                "contender": contender,
                "parameters": f"work={work}",
                "threads": threads,
                "unit": unit,
                **_estimate_columns(median_over_processes(processes).exp()),
                **{column: ratio.value if ratio else np.nan for column, ratio in ratios.items()},
            }


def _asv_rows(results: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, columns in results["results"].items():
        of_benchmark = dict(zip(results["result_columns"], columns, strict=False))
        if name.startswith(OF_PANELS) or of_benchmark.get("result") is None:
            continue
        names = results.get("parameter_names", {}).get(name) or VERSION_1_PARAMETERS[name.split(".")[0]]
        unit = results.get("units", {}).get(name, "seconds")
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
            accuracy = name.startswith("accuracy.")
            estimate = (
                mean_over_seeds(np.asarray(sample))
                if accuracy
                else median_over_processes([np.log([measured]) for measured in of_processes]).exp()
            )
            yield {
                "benchmark": name,
                "contender": contender,
                "threads": parameters.pop("threads", "all" if name.startswith(ON_ALL_THREADS) else "1"),
                "parameters": ", ".join(f"{key}={text}" for key, text in parameters.items()),
                "unit": ACCURACY_UNIT if accuracy else unit,
                **_estimate_columns(estimate),
                "ratio_to_numpy": np.nan,
                "ratio_to_keras": np.nan,
            }


# What asv keeps of panels is in the panels.
OF_PANELS = ("ratios.", "other_work.")
# Benchmarks without a parameter for threads: these run on all of them, the others on one.
ON_ALL_THREADS = ("accuracy.", "startup.", "memory.")
SUBJECTS = ("contender", "backend")

# Files of version 1 do not name the parameters.
VERSION_1_PARAMETERS = {
    "accuracy": ("contender", "dataset"),
    "inference": ("contender", "images", "threads", "dataset"),
    "kernels": ("backend", "batch_size", "dataset"),
    "training": ("contender", "threads", "dataset"),
}


def _estimate_columns(estimate: Estimate) -> dict[str, float | int]:
    return {
        "value": estimate.value,
        "ci_low": estimate.low,
        "ci_high": estimate.high,
        "samples": estimate.samples,
    }
