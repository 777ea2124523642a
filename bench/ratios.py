"""How fast is each contender relative to the others, if they are timed in turns in one process?"""

from __future__ import annotations

from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.measure.timing.scenarios import SCENARIOS, names

from ._common import CONTENDERS, DATASETS
from ._interleaved import _InterleavedBenchmark, measure_interleaved

BASELINES = ("numpy", "keras-fit", "keras-graph")


class _Ratios(_InterleavedBenchmark):
    params = (CONTENDERS, BASELINES, names(SCENARIOS), DATASETS)
    version = "4"


class OneThread(_Ratios):
    """All contenders that do not need a separate process, on one thread."""

    def setup_cache(self) -> InterleavedRun:
        """Measure the scenarios."""
        return measure_interleaved(SCENARIOS, "1")


class AllThreads(_Ratios):
    """All contenders that do not need a separate process, on all threads."""

    def setup_cache(self) -> InterleavedRun:
        """Measure the scenarios."""
        return measure_interleaved(SCENARIOS, "all")


class KerasJaxOneThread(_Ratios):
    """Keras on JAX and the reference contenders, in a separate process, on one thread."""

    def setup_cache(self) -> InterleavedRun:
        """Measure the scenarios."""
        return measure_interleaved(SCENARIOS, "1", "keras-jax")


class KerasJaxAllThreads(_Ratios):
    """Keras on JAX and the reference contenders, in a separate process, on all threads."""

    def setup_cache(self) -> InterleavedRun:
        """Measure the scenarios."""
        return measure_interleaved(SCENARIOS, "all", "keras-jax")


class TorchOneThread(_Ratios):
    """PyTorch and the reference contenders, in a separate process, on one thread."""

    def setup_cache(self) -> InterleavedRun:
        """Measure the scenarios."""
        return measure_interleaved(SCENARIOS, "1", "torch")


class TorchAllThreads(_Ratios):
    """PyTorch and the reference contenders, in a separate process, on all threads."""

    def setup_cache(self) -> InterleavedRun:
        """Measure the scenarios."""
        return measure_interleaved(SCENARIOS, "all", "torch")
