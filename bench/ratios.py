"""Who is how many times as fast as whom? Contenders in one process, in turns."""

from __future__ import annotations

from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.measure.timing.scenarios import SCENARIOS, names

from ._common import CONTENDERS, DATASETS
from ._interleaved import _InterleavedBenchmark, measure_interleaved

AGAINST = ("numpy", "keras-fit", "keras-graph")


class _Ratios(_InterleavedBenchmark):
    params = (CONTENDERS, AGAINST, names(SCENARIOS), DATASETS)
    version = "4"


class OneThread(_Ratios):
    """Every contender that needs no process of its own, on one thread."""

    def setup_cache(self) -> InterleavedRun:
        """Measure."""
        return measure_interleaved(SCENARIOS, "1")


class AllThreads(_Ratios):
    """Every contender that needs no process of its own, on all threads."""

    def setup_cache(self) -> InterleavedRun:
        """Measure."""
        return measure_interleaved(SCENARIOS, "all")


class KerasJaxOneThread(_Ratios):
    """Keras on JAX, in a process of its own beside the references, on one thread."""

    def setup_cache(self) -> InterleavedRun:
        """Measure."""
        return measure_interleaved(SCENARIOS, "1", "keras-jax")


class KerasJaxAllThreads(_Ratios):
    """Keras on JAX, in a process of its own beside the references, on all threads."""

    def setup_cache(self) -> InterleavedRun:
        """Measure."""
        return measure_interleaved(SCENARIOS, "all", "keras-jax")


class TorchOneThread(_Ratios):
    """PyTorch, in a process of its own beside the references, on one thread."""

    def setup_cache(self) -> InterleavedRun:
        """Measure."""
        return measure_interleaved(SCENARIOS, "1", "torch")


class TorchAllThreads(_Ratios):
    """PyTorch, in a process of its own beside the references, on all threads."""

    def setup_cache(self) -> InterleavedRun:
        """Measure."""
        return measure_interleaved(SCENARIOS, "all", "torch")
