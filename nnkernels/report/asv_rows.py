"""Tidy rows of what asv measured, each value in a separate process. Interleaved runs are not included."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from nnkernels.errors import ResultsError
from nnkernels.measure.asv_driver.bench_files import BenchFile, bench_file
from nnkernels.measure.records.run import REMEDY
from nnkernels.report.runs import Run
from nnkernels.statistics import Estimate, Floats, student

SUBJECTS = ("contender", "backend")


def asv_rows(run: Run) -> Iterator[dict[str, Any]]:
    """Return the rows of a run that asv measured, without those of its interleaved runs.

    For pooled runs, a time is the mean over the runs' means. An error rate is the mean over seeds. Every run trains
    from the same seeds, so the rate of a seed is first averaged over the runs that have it.

    Parameters
    ----------
    run : Run
        A single run or several pooled ones.

    Yields
    ------
    row : dict of str to str, float or int
        The columns of a tidy row: ``benchmark``, ``contender``, ``threads``, ``unit``, one for each further parameter
        of the benchmark, and those of :func:`estimate_columns`.
    """
    rows: dict[tuple[tuple[str, str], ...], tuple[dict[str, str], bool, list[Floats]]] = {}
    for one in run.each:
        for row, samples_are_seeds, values in measured_rows(one.asv_results):
            rows.setdefault(tuple(row.items()), (row, samples_are_seeds, []))[2].append(values)
    for row, samples_are_seeds, run_values in rows.values():
        if samples_are_seeds:
            by_seed = itertools.zip_longest(*run_values, fillvalue=np.nan)
            found = student([np.nanmean(rates) for rates in by_seed])
        else:
            logs = [np.log(values) for values in run_values]
            found = student(logs[0] if len(run.each) == 1 else [run_logs.mean() for run_logs in logs]).exp()
        yield {**row, **estimate_columns(found)}


def log_values(run: Run, benchmark: str) -> Iterator[tuple[dict[str, str], Floats]]:
    """Return the rows of one benchmark of a single run, with the logarithms of the measured values.

    Parameters
    ----------
    run : Run
        The run. If several are pooled, only the newest one is read.
    benchmark : str
        The name of one of asv's benchmarks, for example ``limits.Bound.track_epoch``.

    Yields
    ------
    row : dict of str to str
        The benchmark, its parameters and its unit.
    logs : ndarray of float64, shape (processes,)
        The natural logarithm of the value from each process.
    """
    for row, _samples_are_seeds, values in measured_rows(run.asv_results):
        if row["benchmark"] == benchmark:
            yield row, np.log(values)


def measured_rows(results: dict[str, Any]) -> Iterator[tuple[dict[str, str], bool, Floats]]:
    """Return the rows of asv's results with the measured values, one per seed or one per process.

    Parameters
    ----------
    results : dict
        The results of asv of one run.

    Yields
    ------
    row : dict of str to str
        The benchmark, its parameters and its unit.
    samples_are_seeds : bool
        Whether there is one value per seed.
    values : ndarray of float64
        The values, one per seed or one per process.

    Raises
    ------
    ResultsError
        If a result has no such values.
    """
    for name, columns in results["results"].items():
        columns_by_name = dict(zip(results["result_columns"], columns, strict=False))
        file = bench_file(name) or BenchFile(name, name)  # a benchmark that no longer exists
        if file.interleaved or columns_by_name.get("result") is None:
            continue
        names = results["parameter_names"][name]
        combinations = list(itertools.product(*columns_by_name["params"]))
        samples = columns_by_name.get("samples") or [None] * len(combinations)
        processes = results.get("processes", {}).get(name) or [[value] for value in columns_by_name["result"]]
        for combination, value, sample, process_values in zip(
            combinations, columns_by_name["result"], samples, processes, strict=True
        ):
            if value is None:
                continue
            values = sample if file.single_pass else process_values
            if not values:
                raise ResultsError(
                    f"asv.json: {name} has no values, one per {'seed' if file.single_pass else 'process'}; {REMEDY}"
                )
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
            yield row, file.single_pass, np.asarray(values, np.float64)


def estimate_columns(estimate: Estimate) -> dict[str, float | int]:
    """Return the columns of a tidy row that contain an estimate.

    Parameters
    ----------
    estimate : Estimate
        A value with its 95 % interval.

    Returns
    -------
    columns : dict of str to float or int
        ``value``, ``ci_low``, ``ci_high`` and ``samples``.
    """
    return {
        "value": estimate.value,
        "ci_low": estimate.low,
        "ci_high": estimate.high,
        "samples": estimate.samples,
    }
