"""What can the machine do at most, and how long does the work take at least?

Lower is better in asv, so rates are recorded as their reciprocals;
``nnkernels.measure.roofline.peaks`` has them as rates.
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
    return workload_of(dataset(dataset_name).X_train)


@cache
def _inference_work(dataset_name: str) -> Workload:
    return workload_of(ten_thousand_images(dataset(dataset_name)))


class _Limits:
    version = "1"
    timeout = 120

    def setup_cache(self) -> Measured:
        """Measure once for all, so that the bounds are those of the rates beside them."""
        return _measured()

    setup_cache.timeout = 300  # type: ignore[attr-defined]


class Peak(_Limits):
    """The best float32 matrix product: seconds a GFLOP (1e9 operations; a multiply-add is two)."""

    params = (THREADS, DATASETS)
    param_names = ("threads", "dataset")
    unit = "seconds per GFLOP"

    def track_seconds_per_gflop(self, measured: Measured, threads: str, dataset_name: str) -> dict[str, object]:
        """Multiply."""
        dataset(dataset_name)
        return _one(1 / measured[threads].peak_gflops)


class Reading(_Limits):
    """Reading from a level of memory, all threads together: seconds a GB (1e9 bytes)."""

    params = (LEVELS, THREADS, DATASETS)
    param_names = ("level", "threads", "dataset")
    unit = "seconds per GB"

    def track_seconds_per_gb(
        self, measured: Measured, level: str, threads: str, dataset_name: str
    ) -> dict[str, object]:
        """Read half of a cache's size, or four times the last cache's, again and again."""
        dataset(dataset_name)
        limits = measured[threads]
        rates = (limits.l1_gbytes_per_second, limits.l2_gbytes_per_second, limits.dram_gbytes_per_second)
        return _one(1 / dict(zip(LEVELS, rates, strict=True))[level])


class Bound(_Limits):
    """Seconds that 784-20-10 takes at least, by programs that multiply zero pixels and by those that skip them."""

    params = (BOUNDS, THREADS, DATASETS)
    param_names = ("bound", "threads", "dataset")
    unit = "seconds"

    def track_epoch(self, measured: Measured, bound: str, threads: str, dataset_name: str) -> dict[str, object]:
        """Train on all images by SGD in batches of 32."""
        return _one(_seconds(epoch_bounds(measured[threads], _epoch_work(dataset_name)), bound))

    def track_inference(self, measured: Measured, bound: str, threads: str, dataset_name: str) -> dict[str, object]:
        """Predict 10,000 images."""
        return _one(_seconds(inference_bounds(measured[threads], _inference_work(dataset_name)), bound))


def _seconds(bounds: Bounds, bound: str) -> float:
    return bounds.dense_seconds if bound == "dense" else bounds.sparse_seconds


def _one(value: float) -> dict[str, object]:
    return {"samples": [value], "number": 1}
