"""Who is how many times as fast at other work: Adam, large batches, wider layers, time to accuracy?"""

from __future__ import annotations

from nnkernels.measure.timing.interleaved_run import Panel
from nnkernels.measure.timing.scenarios import FURTHER_WORKS, names

from ._common import CONTENDERS, DATASETS
from ._panels import TIMEOUT_SECONDS, measured_panel, relative_time

AGAINST = ("numpy", "keras-graph", "jax-scan")


class _OtherWork:
    params = (CONTENDERS, AGAINST, names(FURTHER_WORKS), DATASETS)
    param_names = ("contender", "against", "work", "dataset")
    version = "2"
    timeout = 60
    unit = "relative time"

    def track_relative_time(
        self, panel: Panel, contender: str, against: str, work: str, dataset_name: str
    ) -> dict[str, object]:
        """Seconds of the contender over seconds of the other; below 1 is faster than it."""
        return relative_time(panel, contender, against, work, dataset_name)


# Each class writes its own `setup_cache`: asv takes those that start in one line for the same.


class OneThread(_OtherWork):
    """Every contender that needs no process of its own, on one thread."""

    def setup_cache(self) -> Panel:
        """Measure."""
        return measured_panel(FURTHER_WORKS, "1")

    setup_cache.timeout = TIMEOUT_SECONDS  # type: ignore[attr-defined]


class AllThreads(_OtherWork):
    """Every contender that needs no process of its own, on all threads."""

    def setup_cache(self) -> Panel:
        """Measure."""
        return measured_panel(FURTHER_WORKS, "all")

    setup_cache.timeout = TIMEOUT_SECONDS  # type: ignore[attr-defined]


class KerasJaxOneThread(_OtherWork):
    """Keras on JAX, in a process of its own beside the references, on one thread."""

    def setup_cache(self) -> Panel:
        """Measure."""
        return measured_panel(FURTHER_WORKS, "1", "keras-jax")

    setup_cache.timeout = TIMEOUT_SECONDS  # type: ignore[attr-defined]


class KerasJaxAllThreads(_OtherWork):
    """Keras on JAX, in a process of its own beside the references, on all threads."""

    def setup_cache(self) -> Panel:
        """Measure."""
        return measured_panel(FURTHER_WORKS, "all", "keras-jax")

    setup_cache.timeout = TIMEOUT_SECONDS  # type: ignore[attr-defined]


class TorchOneThread(_OtherWork):
    """PyTorch, in a process of its own beside the references, on one thread."""

    def setup_cache(self) -> Panel:
        """Measure."""
        return measured_panel(FURTHER_WORKS, "1", "torch")

    setup_cache.timeout = TIMEOUT_SECONDS  # type: ignore[attr-defined]


class TorchAllThreads(_OtherWork):
    """PyTorch, in a process of its own beside the references, on all threads."""

    def setup_cache(self) -> Panel:
        """Measure."""
        return measured_panel(FURTHER_WORKS, "all", "torch")

    setup_cache.timeout = TIMEOUT_SECONDS  # type: ignore[attr-defined]
