"""What are the limits of this machine, and which lower bounds on times follow from them?

asv assumes that lower values are better, so the reciprocals of rates are recorded.
``nnkernels.measure.roofline.peaks`` has the rates.
"""

from __future__ import annotations

from functools import cache

from nnkernels.measure.roofline.bounds import Bounds, Workload, epoch_bounds, inference_bounds, workload_of
from nnkernels.measure.roofline.peaks import MachineLimits, measure_limits
from nnkernels.measure.timing.tasks import ten_thousand_images
from nnkernels.measure.timing.threads import thread_count

from ._common import DATASETS, OPTIONS, THREADS, dataset

BOUNDS = ("dense", "sparse")
LEVELS = ("l1", "l2", "dram")
SAMPLES = OPTIONS.samples or 7

Measured = dict[str, MachineLimits]


@cache
def _measured() -> Measured:
    return {threads: measure_limits(thread_count(threads), SAMPLES) for threads in THREADS}


@cache
def _epoch_work(dataset_name: str) -> Workload:
    return workload_of(dataset(dataset_name).X_train, classes=dataset(dataset_name).classes)


@cache
def _inference_work(dataset_name: str) -> Workload:
    data = dataset(dataset_name)
    return workload_of(ten_thousand_images(data), classes=data.classes)


class _Limits:
    version = "1"
    timeout = 120

    def setup_cache(self) -> Measured:
        """Measure all limits once, so that the bounds are derived from the recorded rates."""
        return _measured()

    setup_cache.timeout = 300  # type: ignore[attr-defined]


class Peak(_Limits):
    """The best float32 matrix product, in seconds per GFLOP (1e9 operations; a multiply-add is two operations)."""

    params = (THREADS, DATASETS)
    param_names = ("threads", "dataset")
    unit = "seconds per GFLOP"

    def track_seconds_per_gflop(self, measured: Measured, threads: str, dataset_name: str) -> dict[str, object]:
        """Return the seconds per GFLOP of a matrix product."""
        dataset(dataset_name)
        return _single_sample(1 / measured[threads].peak_gflops)


class Reading(_Limits):
    """Reading from a level of the memory hierarchy, all threads together, in seconds per GB (1e9 bytes)."""

    params = (LEVELS, THREADS, DATASETS)
    param_names = ("level", "threads", "dataset")
    unit = "seconds per GB"

    def track_seconds_per_gb(
        self, measured: Measured, level: str, threads: str, dataset_name: str
    ) -> dict[str, object]:
        """Return the seconds per GB of repeatedly reading half of a cache, or four times the last-level cache."""
        dataset(dataset_name)
        limits = measured[threads]
        rates = (limits.l1_gbytes_per_second, limits.l2_gbytes_per_second, limits.dram_gbytes_per_second)
        return _single_sample(1 / dict(zip(LEVELS, rates, strict=True))[level])


class Bound(_Limits):
    """Lower bounds of the time of 784-20-10, for programs that multiply zero pixels and for programs that skip them."""

    params = (BOUNDS, THREADS, DATASETS)
    param_names = ("bound", "threads", "dataset")
    unit = "seconds"

    def track_epoch(self, measured: Measured, bound: str, threads: str, dataset_name: str) -> dict[str, object]:
        """Return the lower bound for training on all images by SGD with batch size 32, in seconds."""
        return _single_sample(_seconds(epoch_bounds(measured[threads], _epoch_work(dataset_name)), bound))

    def track_inference(self, measured: Measured, bound: str, threads: str, dataset_name: str) -> dict[str, object]:
        """Return the lower bound for predicting 10,000 images, in seconds."""
        return _single_sample(_seconds(inference_bounds(measured[threads], _inference_work(dataset_name)), bound))


def _seconds(bounds: Bounds, bound: str) -> float:
    return bounds.dense_seconds if bound == "dense" else bounds.sparse_seconds


def _single_sample(value: float) -> dict[str, object]:
    return {"samples": [value], "number": 1}
