"""The table of the correctness gate on the terminal."""

from __future__ import annotations

from rich.console import Console

from nnkernels.measure.correctness.gate import IMAGES, PREDICTION_TOLERANCE, GateResult
from nnkernels.report.layout import Column, show


def show_gate(console: Console, judged: list[GateResult], not_installed: dict[str, str], dataset: str) -> None:
    """Print the results of the correctness gate, and below the table why a contender failed or is missing.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    judged : list of GateResult
        The result of each contender.
    not_installed : dict of str to str
        The contenders that are not installed, with the command that installs each.
    dataset : str
        The name of the data set.
    """
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
