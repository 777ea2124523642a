"""Benchmarks of interleaved runs, in which the contenders of one process are timed in turns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from asv_runner.benchmarks.mark import SkipNotImplemented

from nnkernels.errors import MeasurementError
from nnkernels.measure.records.process_files import interleaved_file, save_interleaved, save_keras
from nnkernels.measure.records.provenance import keras_in_use
from nnkernels.measure.timing.interleaved_measuring import contenders_in_process, run_interleaved
from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.measure.timing.scenarios import Scenario
from nnkernels.measure.timing.time_to_accuracy import SEEDS

from ._common import OPTIONS, available_dataset, dataset, selected_contenders

ROUNDS = OPTIONS.rounds or 3
TIMEOUT_SECONDS = 900


def measure_interleaved(scenarios: Sequence[Scenario], framework_threads: str, process: str = "") -> InterleavedRun:
    """Measure the contenders of this run that share a process.

    Parameters
    ----------
    scenarios : sequence of Scenario
        What to time, if the run's profile includes it.
    framework_threads : str
        ``1`` or ``all``: the thread setting of contenders that cannot change it.
    process : str
        Name of the process; empty for contenders that can run in any process.

    Returns
    -------
    measured : InterleavedRun
        Times, failures and conditions. They are also saved if the run has a folder of records.
    """
    names = contenders_in_process(selected_contenders(), process)
    if not names:
        return InterleavedRun(framework_threads, available_dataset().name, {}, {})
    scenarios = [one for one in scenarios if not OPTIONS.profiles or one.from_profile in OPTIONS.profiles]
    seeds = OPTIONS.seeds_to_accuracy or SEEDS
    # asv keeps a single number. `nnkernels bench` needs all of them, and shows those so far.
    if not OPTIONS.records:
        return run_interleaved(names, available_dataset(), scenarios, framework_threads, ROUNDS, seeds)
    save = partial(save_interleaved, path=interleaved_file(OPTIONS.records))
    measured = run_interleaved(names, available_dataset(), scenarios, framework_threads, ROUNDS, seeds, save)
    save(measured)
    if in_use := keras_in_use():
        save_keras(in_use, OPTIONS.records)
    return measured


class _InterleavedBenchmark:
    """A benchmark of an interleaved run, with one number per scenario and pair of contenders.

    Each subclass defines its own ``setup_cache``, because asv identifies it by the line on which it starts.
    """

    param_names = ("contender", "against", "work", "dataset")
    timeout = TIMEOUT_SECONDS  # also for `setup_cache`
    unit = "relative time"

    def track_relative_time(
        self, measured: InterleavedRun, contender: str, against: str, scenario: str, dataset_name: str
    ) -> dict[str, object]:
        """Return the median ratio of the contender's time to the other's; below 1 if the contender is faster."""
        dataset(dataset_name)
        for name in (contender, against):
            if reason := measured.failure(name, scenario):
                raise MeasurementError(f"{name} could not be timed: {reason}")
            if not measured.took_part(name, scenario):
                raise SkipNotImplemented(f"{name} does not take part in {scenario}, or not in this run")
        if contender == against:
            raise SkipNotImplemented("the contender and the baseline are the same")
        return {"samples": [measured.relative_time(scenario, contender, against)], "number": 1}
