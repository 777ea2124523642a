"""Synthetic collections of runs, for tests of the dashboard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.report.dashboard.collection import Collection, MachineRuns
from nnkernels.report.runs import Run
from tests import synthetic

EVIL = "<script>alert(1)</script>"


def machine(*runs: Run, label: str = "Some CPU", shown: Run | None = None) -> MachineRuns:
    """Return a machine with runs; the last one is shown unless another one is named."""
    return MachineRuns(runs[0].record.machine, label, runs, shown or runs[-1])


def collection(root: Path, *machines: MachineRuns) -> Collection:
    """Return a collection of machines."""
    return Collection(root, machines, ())


def run_at(second: int, **changes: Any) -> Run:
    """Return a synthetic run with its own id."""
    stamp = f"2026010{1 + second // 86400}T{second // 3600 % 24:02}{second // 60 % 60:02}{second % 60:02}Z"
    return synthetic.full_run(run_id=f"{stamp}-0123abcd", **changes)


def with_contender(run: Run, name: str, like: str) -> Run:
    """Return a run in which another contender took part, as fast as a known one."""

    def added(measured: InterleavedRun) -> InterleavedRun:
        seconds = {
            scenario: labels
            | {
                f"{name}@{label.rpartition('@')[2]}": times
                for label, times in labels.items()
                if label.rpartition("@")[0] == like
            }
            for scenario, labels in measured.seconds.items()
        }
        return replace(measured, seconds=seconds)

    return replace(run, interleaved=[added(measured) for measured in run.interleaved])


def with_error_rates(run: Run, rates: dict[str, list[float]]) -> Run:
    """Return a run in which these contenders have these error rates, one per seed."""
    results = dict(run.asv_results)
    results["results"] = results["results"] | {
        "accuracy.ErrorRate.track_test": [
            [sum(values) / len(values) for values in rates.values()],
            [[f"'{name}'" for name in rates], ["'mnist'"]],
            "1",
            0,
            0,
            list(rates.values()),
        ]
    }
    return replace(run, asv_results=results)
