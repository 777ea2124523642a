"""What asv measured in processes of its own, as rows: everything of a run but its interleaved runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from nnkernels.measure.asv_driver.bench_files import BenchFile, bench_file
from nnkernels.report.runs import Run
from nnkernels.statistics import Estimate, Floats, student

SUBJECTS = ("contender", "backend")


def asv_rows(run: Run) -> Iterator[dict[str, Any]]:
    """Return the rows of a run that are not of its interleaved runs: each value from processes of its own.

    Of pooled runs, times are the mean over the runs' means. Error rates are the mean over seeds: each run trains from
    the same ones, so a seed's rate is the mean over the runs that have it.
    """
    rows: dict[tuple[tuple[str, str], ...], tuple[dict[str, str], bool, list[Floats]]] = {}
    for one in run.each:
        for row, of_seeds, values in _measured(one.asv_results):
            rows.setdefault(tuple(row.items()), (row, of_seeds, []))[2].append(values)
    for row, of_seeds, of_runs in rows.values():
        if of_seeds:
            by_seed = itertools.zip_longest(*of_runs, fillvalue=np.nan)
            found = student([np.nanmean(rates) for rates in by_seed])
        else:
            logs = [np.log(values) for values in of_runs]
            found = student(logs[0] if len(run.each) == 1 else [of_run.mean() for of_run in logs]).exp()
        yield {**row, **estimate_columns(found)}


def log_values(run: Run, benchmark: str) -> Iterator[tuple[dict[str, str], Floats]]:
    """Return the rows of one of asv's benchmarks of a single run, each with the logarithm of a value a process."""
    for row, _of_seeds, values in _measured(run.asv_results):
        if row["benchmark"] == benchmark:
            yield row, np.log(values)


def _measured(results: dict[str, Any]) -> Iterator[tuple[dict[str, str], bool, Floats]]:
    """Return the rows of asv's results: what was measured, whether its values are of seeds, and the values.

    Those are one a process otherwise.
    """
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
            row = {
                "benchmark": name,
                "contender": contender,
                "threads": parameters.pop("threads", file.threads),
                **parameters,
                "unit": results["units"].get(name, "seconds").replace(" ", "_"),
            }
            yield row, file.once, np.asarray(sample if file.once else of_processes, np.float64)


def estimate_columns(estimate: Estimate) -> dict[str, float | int]:
    """Return the columns of an estimate."""
    return {
        "value": estimate.value,
        "ci_low": estimate.low,
        "ci_high": estimate.high,
        "samples": estimate.samples,
    }
