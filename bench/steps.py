"""How much faster is each step from Python loops to threads, if all are timed in turns in one process?"""

from __future__ import annotations

from asv_runner.benchmarks.mark import SkipNotImplemented

from nnkernels import steps
from nnkernels.errors import MeasurementError
from nnkernels.measure.records.process_files import save_interleaved, steps_file
from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.measure.timing.step_times import STEPS_EPOCH, label, time_steps

from ._common import DATASETS, OPTIONS, available_dataset, dataset

ROUNDS = OPTIONS.rounds or 1


class Steps:
    """An epoch by each step of ``nnkernels.steps``: SGD, batch size 32. No other benchmark measures the steps."""

    params = (steps.names(), DATASETS)
    param_names = ("step", "dataset")
    timeout = 300
    unit = "seconds per epoch"
    version = "1"

    def setup_cache(self) -> InterleavedRun:
        """Time all steps. The run's records contain all times, and asv stores the medians of the requested steps."""
        measured = time_steps(available_dataset(), ROUNDS)
        if OPTIONS.records:
            save_interleaved(measured, steps_file(OPTIONS.records))
        return measured

    def track_epoch(self, measured: InterleavedRun, step: str, dataset_name: str) -> dict[str, object]:
        """Return the median seconds per epoch; times of slow steps, which train on part of an epoch, are scaled."""
        dataset(dataset_name)
        if reason := measured.failures.get(step):
            raise MeasurementError(f"{step} could not be timed: {reason}")
        if label(steps.step(step)) not in measured.seconds[STEPS_EPOCH]:
            raise SkipNotImplemented(f"{step} is not part of this run")
        values = measured.undisturbed(STEPS_EPOCH)[label(steps.step(step))]
        finite = sorted(value for round_ in values for value in round_ if value == value)  # NaN: a disturbed turn
        return {"samples": [finite[len(finite) // 2]], "number": 1}
