"""Who is how many times as fast as whom? Contenders in one process, in turns."""

from __future__ import annotations

from nnkernels.measure.timing.interleaved_run import Panel
from nnkernels.measure.timing.scenarios import WORKS, names

from ._common import CONTENDERS, DATASETS
from ._panels import TIMEOUT_SECONDS, measured_panel, relative_time

AGAINST = ("numpy", "keras-fit", "keras-graph")


class _Ratios:
    params = (CONTENDERS, AGAINST, names(WORKS), DATASETS)
    param_names = ("contender", "against", "work", "dataset")
    version = "3"
    timeout = 60
    unit = "relative time"

    def track_relative_time(
        self, panel: Panel, contender: str, against: str, work: str, dataset_name: str
    ) -> dict[str, object]:
        """Seconds of the contender over seconds of the other; below 1 is faster than it."""
        return relative_time(panel, contender, against, work, dataset_name)


# Each class writes its own `setup_cache`: asv takes those that start in one line for the same.


class OneThread(_Ratios):
    """Every contender that needs no process of its own, on one thread."""

    def setup_cache(self) -> Panel:
        """Measure."""
        return measured_panel(WORKS, "1")

    setup_cache.timeout = TIMEOUT_SECONDS  # type: ignore[attr-defined]


class AllThreads(_Ratios):
    """Every contender that needs no process of its own, on all threads."""

    def setup_cache(self) -> Panel:
        """Measure."""
        return measured_panel(WORKS, "all")

    setup_cache.timeout = TIMEOUT_SECONDS  # type: ignore[attr-defined]


class KerasJaxOneThread(_Ratios):
    """Keras on JAX, in a process of its own beside the references, on one thread."""

    def setup_cache(self) -> Panel:
        """Measure."""
        return measured_panel(WORKS, "1", "keras-jax")

    setup_cache.timeout = TIMEOUT_SECONDS  # type: ignore[attr-defined]


class KerasJaxAllThreads(_Ratios):
    """Keras on JAX, in a process of its own beside the references, on all threads."""

    def setup_cache(self) -> Panel:
        """Measure."""
        return measured_panel(WORKS, "all", "keras-jax")

    setup_cache.timeout = TIMEOUT_SECONDS  # type: ignore[attr-defined]


class TorchOneThread(_Ratios):
    """PyTorch, in a process of its own beside the references, on one thread."""

    def setup_cache(self) -> Panel:
        """Measure."""
        return measured_panel(WORKS, "1", "torch")

    setup_cache.timeout = TIMEOUT_SECONDS  # type: ignore[attr-defined]


class TorchAllThreads(_Ratios):
    """PyTorch, in a process of its own beside the references, on all threads."""

    def setup_cache(self) -> Panel:
        """Measure."""
        return measured_panel(WORKS, "all", "torch")

    setup_cache.timeout = TIMEOUT_SECONDS  # type: ignore[attr-defined]
