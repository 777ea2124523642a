"""Interleaved runs of contenders that share a process, and what asv keeps of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from asv_runner.benchmarks.mark import SkipNotImplemented

from nnkernels.errors import MeasurementError
from nnkernels.measure.records.provenance import keras_in_use
from nnkernels.measure.records.run import interleaved_file, save_interleaved, save_keras
from nnkernels.measure.timing.interleaved_run import InterleavedRun, contenders_in_process, run_interleaved
from nnkernels.measure.timing.scenarios import Scenario
from nnkernels.measure.timing.time_to_accuracy import SEEDS

from ._common import OPTIONS, dataset, dataset_at_hand, selected_contenders

ROUNDS = OPTIONS.rounds or 3
TIMEOUT_SECONDS = 900


def measure_interleaved(scenarios: Sequence[Scenario], framework_threads: str, process: str = "") -> InterleavedRun:
    """Measure those contenders of this run that share such a process, at these scenarios."""
    names = contenders_in_process(selected_contenders(), process)
    if not names:
        return InterleavedRun(framework_threads, dataset_at_hand().name, {}, {})
    scenarios = [one for one in scenarios if not OPTIONS.profiles or one.from_profile in OPTIONS.profiles]
    seeds = OPTIONS.seeds_to_accuracy or SEEDS
    # asv keeps one number of this; the driver of a whole run asks for all of it, and shows what there is so far.
    if not OPTIONS.records:
        return run_interleaved(names, dataset_at_hand(), scenarios, framework_threads, ROUNDS, seeds)
    save = partial(save_interleaved, path=interleaved_file(OPTIONS.records))
    measured = run_interleaved(names, dataset_at_hand(), scenarios, framework_threads, ROUNDS, seeds, save)
    save(measured)
    if in_use := keras_in_use():
        save_keras(in_use, OPTIONS.records)
    return measured


class _InterleavedBenchmark:
    """One number for asv of each pair of contenders and each scenario of an interleaved run.

    Each subclass writes its own `setup_cache`: asv takes those that start in one line for the same.
    """

    param_names = ("contender", "against", "work", "dataset")
    timeout = TIMEOUT_SECONDS  # of `setup_cache` too
    unit = "relative time"

    def track_relative_time(
        self, measured: InterleavedRun, contender: str, against: str, scenario: str, dataset_name: str
    ) -> dict[str, object]:
        """Seconds of the contender over seconds of the other; below 1 is faster than it."""
        dataset(dataset_name)
        for name in (contender, against):
            if reason := measured.failure(name, scenario):
                raise MeasurementError(f"{name} has no time. {reason}")
            if not measured.took_part(name, scenario):
                raise SkipNotImplemented(f"{name} has no part in {scenario}, or none in this run")
        if contender == against:
            raise SkipNotImplemented("a contender against itself")
        return {"samples": [measured.relative_time(scenario, contender, against)], "number": 1}
