"""Comparison of two runs: verdicts, their order, and which of them are hidden."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.report.runs import Run
from nnkernels.report.side_by_side import show_side_by_side, side_by_side
from nnkernels.report.tidy import records
from nnkernels.report.verdicts import BETTER, NO_INTERVAL, ONE_SIDE, OVERLAP, WORSE, Fact, facts
from tests import synthetic


def changed(factors: dict[str, float]) -> Run:
    """Return the synthetic run with the epochs of some contenders multiplied by the given factors."""
    run = synthetic.run()
    return replace(run, interleaved=[_changed(measured, factors) for measured in run.interleaved])


def _changed(measured: InterleavedRun, factors: dict[str, float]) -> InterleavedRun:
    epochs = {
        label: [[factors.get(label, 1.0) * value for value in values] for values in rounds]
        for label, rounds in measured.seconds["epoch"].items()
    }
    return replace(measured, seconds=measured.seconds | {"epoch": epochs})


def compared(run: Run, other: Run) -> list[Fact]:
    return facts(records(side_by_side(run, other)))


def find_fact(found: list[Fact], contender: str, threads: str, what: str, work: str = "epoch") -> Fact:
    wanted: dict[str, Any] = {"benchmark": "ratios", "work": work, "contender": contender, "threads": threads}
    return next(fact for fact in found if fact.what == what and wanted.items() <= fact.row.items())


def test_faster_is_better_for_seconds_and_for_ratios() -> None:
    found = compared(changed({"numba@1": 0.1, "keras-graph@1": 10.0}), synthetic.run())
    assert find_fact(found, "numba", "1", "value").verdict == BETTER
    assert find_fact(found, "numba", "1", "x Keras fit").verdict == BETTER
    assert find_fact(found, "keras-graph", "1", "value").verdict == WORSE
    assert find_fact(found, "keras-graph", "1", "x NumPy").verdict == WORSE
    assert find_fact(found, "numpy", "1", "value").verdict == OVERLAP
    assert find_fact(found, "numba", "1", "value").change == "-90.0 %"


def test_facts_are_sorted_by_significance_with_overlaps_last() -> None:
    found = compared(changed({"numba@1": 0.1, "numba@all": 0.5, "numpy@1": 1.05}), synthetic.run())
    conclusive = [fact for fact in found if fact.is_conclusive]
    assert found[: len(conclusive)] == conclusive
    significances = [fact.significance for fact in conclusive]
    assert significances == sorted(significances, reverse=True)
    values = [fact.row["threads"] for fact in conclusive if fact.what == "value" and fact.row["contender"] == "numba"]
    assert values[0] == "1"


def test_single_process_and_row_of_only_one_run_have_no_verdict() -> None:
    found = compared(synthetic.run(), synthetic.full_run())
    single = next(fact for fact in found if fact.row["benchmark"] == "training.Epoch.time_epoch")
    assert single.verdict == NO_INTERVAL
    assert find_fact(found, "fused", "1", "value").verdict == ONE_SIDE


def test_error_rates_whose_intervals_reach_below_zero_are_compared() -> None:
    run = synthetic.run()
    columns = run.asv_results["results"]["accuracy.ErrorRate.track_test"]
    columns[-1] = [[0.001, 0.003], [0.08, 0.12]]  # of numpy, over two seeds
    columns[0] = [0.002, 0.10]
    found = compared(run, synthetic.run())
    error = next(fact for fact in found if fact.row["unit"] == "error_rate" and fact.row["contender"] == "numpy")
    assert error.verdict == OVERLAP
    assert error.significance > 0


@pytest.mark.parametrize("everything", [False, True])
def test_overlaps_are_hidden_by_default(everything: bool) -> None:
    console = Console(file=io.StringIO(), record=True)
    run = changed({"numba@1": 0.1})
    show_side_by_side(console, run, synthetic.run(), everything)
    text = console.export_text()
    assert any(line.rstrip().endswith(OVERLAP) for line in text.splitlines()) == everything
    assert ("`--all` shows them" in text) != everything
    lines = [line.split() for line in text.splitlines() if line.startswith("ratios")]
    assert lines[0][-1] == BETTER


def test_equal_runs_have_no_difference() -> None:
    console = Console(file=io.StringIO(), record=True)
    show_side_by_side(console, synthetic.run(), synthetic.run())
    assert "No significant differences." in console.export_text()
