"""Who is how many times as fast at other work: Adam, large batches, wider layers, time to accuracy?"""

from __future__ import annotations

from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.measure.timing.scenarios import FURTHER_SCENARIOS, names

from ._common import CONTENDERS, DATASETS
from ._interleaved import _InterleavedBenchmark, measure_interleaved

AGAINST = ("numpy", "keras-graph", "jax-scan")


class _FurtherScenarios(_InterleavedBenchmark):
    params = (CONTENDERS, AGAINST, names(FURTHER_SCENARIOS), DATASETS)
    version = "3"


class OneThread(_FurtherScenarios):
    """Every contender that needs no process of its own, on one thread."""

    def setup_cache(self) -> InterleavedRun:
        """Measure."""
        return measure_interleaved(FURTHER_SCENARIOS, "1")


class AllThreads(_FurtherScenarios):
    """Every contender that needs no process of its own, on all threads."""

    def setup_cache(self) -> InterleavedRun:
        """Measure."""
        return measure_interleaved(FURTHER_SCENARIOS, "all")


class KerasJaxOneThread(_FurtherScenarios):
    """Keras on JAX, in a process of its own beside the references, on one thread."""

    def setup_cache(self) -> InterleavedRun:
        """Measure."""
        return measure_interleaved(FURTHER_SCENARIOS, "1", "keras-jax")


class KerasJaxAllThreads(_FurtherScenarios):
    """Keras on JAX, in a process of its own beside the references, on all threads."""

    def setup_cache(self) -> InterleavedRun:
        """Measure."""
        return measure_interleaved(FURTHER_SCENARIOS, "all", "keras-jax")


class TorchOneThread(_FurtherScenarios):
    """PyTorch, in a process of its own beside the references, on one thread."""

    def setup_cache(self) -> InterleavedRun:
        """Measure."""
        return measure_interleaved(FURTHER_SCENARIOS, "1", "torch")


class TorchAllThreads(_FurtherScenarios):
    """PyTorch, in a process of its own beside the references, on all threads."""

    def setup_cache(self) -> InterleavedRun:
        """Measure."""
        return measure_interleaved(FURTHER_SCENARIOS, "all", "torch")
