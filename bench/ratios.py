"""Who is how many times as fast as whom? All contenders in one process, in turns."""

from __future__ import annotations

import os

from asv_runner.benchmarks.mark import SkipNotImplemented

from nnkernels.errors import MeasurementError
from nnkernels.measure.panel import WORKS, Panel, run_panel
from nnkernels.measure.records import save_panel
from nnkernels.recipes import SGD

from ._common import CONTENDERS, DATASETS, dataset, dataset_at_hand, selected_contenders

AGAINST = ("numpy", "keras-fit", "keras-graph")
ROUNDS = int(os.environ.get("NNKERNELS_BENCH_ROUNDS", "3"))
TIMEOUT_SECONDS = 900


def _panel(framework_threads: str) -> Panel:
    panel = run_panel(selected_contenders(), dataset_at_hand(), SGD, framework_threads, ROUNDS)
    # asv keeps one number of this; the driver of a whole run asks for all of it.
    if folder := os.environ.get("NNKERNELS_BENCH_RECORDS"):
        save_panel(panel, folder)
    return panel


class _Ratios:
    params = (CONTENDERS, AGAINST, WORKS, DATASETS)
    param_names = ("contender", "against", "work", "dataset")
    version = "1"
    timeout = 60
    unit = "relative time"

    def track_relative_time(
        self, panel: Panel, contender: str, against: str, work: str, dataset_name: str
    ) -> dict[str, object]:
        """Seconds of the contender over seconds of the other; below 1 is faster than it."""
        dataset(dataset_name)
        for name in (contender, against):
            if name in panel.failures:
                raise MeasurementError(f"{name} has no time. {panel.failures[name]}")
            if not any(label.startswith(f"{name}@") for label in panel.seconds[work]):
                raise SkipNotImplemented(f"{name} is not part of this run")
        if contender == against:
            raise SkipNotImplemented("a contender against itself")
        return {"samples": [panel.relative_time(work, contender, against)], "number": 1}


class OneThread(_Ratios):
    """Every contender on one thread."""

    def setup_cache(self) -> Panel:
        """Measure."""
        return _panel("1")

    setup_cache.timeout = TIMEOUT_SECONDS  # type: ignore[attr-defined]


class AllThreads(_Ratios):
    """Every contender on all threads."""

    def setup_cache(self) -> Panel:
        """Measure."""
        return _panel("all")

    setup_cache.timeout = TIMEOUT_SECONDS  # type: ignore[attr-defined]
