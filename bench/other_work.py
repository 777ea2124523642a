"""How do the contenders compare on other work: Adam, large batches, wider layers, time to accuracy?"""

from __future__ import annotations

from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.measure.timing.scenarios import FURTHER_SCENARIOS, names

from ._common import CONTENDERS, DATASETS
from ._interleaved import _InterleavedBenchmark, measure_interleaved

BASELINES = ("numpy", "keras-graph", "jax-scan")


class _FurtherScenarios(_InterleavedBenchmark):
    params = (CONTENDERS, BASELINES, names(FURTHER_SCENARIOS), DATASETS)
    version = "3"


class OneThread(_FurtherScenarios):
    """All contenders that do not need a separate process, on one thread."""

    def setup_cache(self) -> InterleavedRun:
        """Measure the further scenarios."""
        return measure_interleaved(FURTHER_SCENARIOS, "1")


class AllThreads(_FurtherScenarios):
    """All contenders that do not need a separate process, on all threads."""

    def setup_cache(self) -> InterleavedRun:
        """Measure the further scenarios."""
        return measure_interleaved(FURTHER_SCENARIOS, "all")


class KerasJaxOneThread(_FurtherScenarios):
    """Keras on JAX and the reference contenders, in a separate process, on one thread."""

    def setup_cache(self) -> InterleavedRun:
        """Measure the further scenarios."""
        return measure_interleaved(FURTHER_SCENARIOS, "1", "keras-jax")


class KerasJaxAllThreads(_FurtherScenarios):
    """Keras on JAX and the reference contenders, in a separate process, on all threads."""

    def setup_cache(self) -> InterleavedRun:
        """Measure the further scenarios."""
        return measure_interleaved(FURTHER_SCENARIOS, "all", "keras-jax")


class TorchOneThread(_FurtherScenarios):
    """PyTorch and the reference contenders, in a separate process, on one thread."""

    def setup_cache(self) -> InterleavedRun:
        """Measure the further scenarios."""
        return measure_interleaved(FURTHER_SCENARIOS, "1", "torch")


class TorchAllThreads(_FurtherScenarios):
    """PyTorch and the reference contenders, in a separate process, on all threads."""

    def setup_cache(self) -> InterleavedRun:
        """Measure the further scenarios."""
        return measure_interleaved(FURTHER_SCENARIOS, "all", "torch")
