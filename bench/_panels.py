"""Panels of contenders that share a process, and what asv keeps of them."""

from __future__ import annotations

import os
from collections.abc import Sequence

from asv_runner.benchmarks.mark import SkipNotImplemented

from nnkernels.errors import MeasurementError
from nnkernels.measure.records.provenance import keras_in_use
from nnkernels.measure.records.run import save_keras, save_panel
from nnkernels.measure.timing.interleaved_run import Panel, panel_members, run_panel
from nnkernels.measure.timing.scenarios import Work
from nnkernels.measure.timing.time_to_accuracy import SEEDS as ALL_SEEDS

from ._common import dataset, dataset_at_hand, selected_contenders

ROUNDS = int(os.environ.get("NNKERNELS_BENCH_ROUNDS", "3"))
SEEDS = int(os.environ.get("NNKERNELS_BENCH_SEEDS", ALL_SEEDS))
TIMEOUT_SECONDS = 900


def measured_panel(works: Sequence[Work], framework_threads: str, process: str = "") -> Panel:
    """Measure those contenders of this run that share such a process, at these works."""
    names = panel_members(selected_contenders(), process)
    if not names:
        return Panel(framework_threads, dataset_at_hand().name, {}, {})
    panel = run_panel(names, dataset_at_hand(), works, framework_threads, ROUNDS, SEEDS)
    # asv keeps one number of this; the driver of a whole run asks for all of it.
    if folder := os.environ.get("NNKERNELS_BENCH_RECORDS"):
        save_panel(panel, folder)
        if in_use := keras_in_use():
            save_keras(in_use, folder)
    return panel


def relative_time(panel: Panel, contender: str, against: str, work: str, dataset_name: str) -> dict[str, object]:
    """Return seconds of the contender over seconds of the other as asv takes it, or skip what was not measured."""
    dataset(dataset_name)
    for name in (contender, against):
        if reason := panel.failure(name, work):
            raise MeasurementError(f"{name} has no time. {reason}")
        if not panel.took_part(name, work):
            raise SkipNotImplemented(f"{name} has no part in {work}, or none in this run")
    if contender == against:
        raise SkipNotImplemented("a contender against itself")
    return {"samples": [panel.relative_time(work, contender, against)], "number": 1}
