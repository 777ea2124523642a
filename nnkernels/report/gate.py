"""The table of the correctness gate on the terminal."""

from __future__ import annotations

from rich.console import Console

from nnkernels.measure.correctness.gate_result import PREDICTION_TOLERANCE, GateResult
from nnkernels.measure.correctness.gate_training import IMAGES
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
        Column("contender", [*(result.label for result in judged), *not_installed], identity=True),
        Column("verdict", [*verdicts, *["not installed"] * len(not_installed)]),
        Column("parameter error (limit)", [*trained, *absent], right=True),
        Column("prediction error (limit)", [*predicted, *absent], right=True),
    ]
    notes = ["Errors: largest absolute differences from the oracle, with the tolerance in brackets. NaN fails."]
    if any(result.path for result in judged):
        notes.append("In brackets after a contender: its path of training. Each one that this CPU may take is checked.")
    if any(not result.trained for result in judged):
        notes.append("-: only predicts, with parameters that the oracle trained.")
    notes += [f"{result.label} failed: {result.error}" for result in judged if not result.passed and result.error]
    notes += [f"{result.label}, with extreme inputs: {result.extremes}" for result in judged if result.extremes]
    notes += [f"{result.label}, evaluation: {result.evaluation}" for result in judged if result.evaluation]
    notes += [
        f"{result.label} must give the same bits for any number of threads, but differs by "
        f"{result.threads_difference:.1e} on one thread"
        for result in judged
        if result.threads_difference != 0
    ]
    notes += [f"{name} is not installed: {command}" for name, command in not_installed.items()]
    title = f"Agreement with the float64 oracle after training on {IMAGES:,} images of {dataset} (SGD, batches of 32)"
    show(console, title, columns, notes)


def _within(difference: float, tolerance: float) -> str:
    return f"{difference:.1e} ({tolerance:.0e})"
