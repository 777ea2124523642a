"""Who is how many times as fast at other work: Adam, large batches, wider layers, time to accuracy?"""

from __future__ import annotations

from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.measure.timing.scenarios import FURTHER_SCENARIOS, names

from ._common import CONTENDERS, DATASETS
from ._interleaved import TIMEOUT_SECONDS, measure_interleaved, relative_time

AGAINST = ("numpy", "keras-graph", "jax-scan")


class _FurtherScenarios:
    params = (CONTENDERS, AGAINST, names(FURTHER_SCENARIOS), DATASETS)
    param_names = ("contender", "against", "work", "dataset")
    version = "2"
    timeout = 60
    unit = "relative time"

    def track_relative_time(
        self, measured: InterleavedRun, contender: str, against: str, work: str, dataset_name: str
    ) -> dict[str, object]:
        """Seconds of the contender over seconds of the other; below 1 is faster than it."""
        return relative_time(measured, contender, against, work, dataset_name)


# Each class writes its own `setup_cache`: asv takes those that start in one line for the same.


class OneThread(_FurtherScenarios):
    """Every contender that needs no process of its own, on one thread."""

    def setup_cache(self) -> InterleavedRun:
        """Measure."""
        return measure_interleaved(FURTHER_SCENARIOS, "1")

    setup_cache.timeout = TIMEOUT_SECONDS  # type: ignore[attr-defined]


class AllThreads(_FurtherScenarios):
    """Every contender that needs no process of its own, on all threads."""

    def setup_cache(self) -> InterleavedRun:
        """Measure."""
        return measure_interleaved(FURTHER_SCENARIOS, "all")

    setup_cache.timeout = TIMEOUT_SECONDS  # type: ignore[attr-defined]


class KerasJaxOneThread(_FurtherScenarios):
    """Keras on JAX, in a process of its own beside the references, on one thread."""

    def setup_cache(self) -> InterleavedRun:
        """Measure."""
        return measure_interleaved(FURTHER_SCENARIOS, "1", "keras-jax")

    setup_cache.timeout = TIMEOUT_SECONDS  # type: ignore[attr-defined]


class KerasJaxAllThreads(_FurtherScenarios):
    """Keras on JAX, in a process of its own beside the references, on all threads."""

    def setup_cache(self) -> InterleavedRun:
        """Measure."""
        return measure_interleaved(FURTHER_SCENARIOS, "all", "keras-jax")

    setup_cache.timeout = TIMEOUT_SECONDS  # type: ignore[attr-defined]


class TorchOneThread(_FurtherScenarios):
    """PyTorch, in a process of its own beside the references, on one thread."""

    def setup_cache(self) -> InterleavedRun:
        """Measure."""
        return measure_interleaved(FURTHER_SCENARIOS, "1", "torch")

    setup_cache.timeout = TIMEOUT_SECONDS  # type: ignore[attr-defined]


class TorchAllThreads(_FurtherScenarios):
    """PyTorch, in a process of its own beside the references, on all threads."""

    def setup_cache(self) -> InterleavedRun:
        """Measure."""
        return measure_interleaved(FURTHER_SCENARIOS, "all", "torch")

    setup_cache.timeout = TIMEOUT_SECONDS  # type: ignore[attr-defined]
