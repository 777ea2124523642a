"""One function, one row: of backends that share functions, which one's rows have their time."""

from __future__ import annotations

from nnkernels import kernels

# The benchmarks of kernels, ``time_`` left out, each with the functions of a backend that it calls.
KERNEL_BENCHMARKS = {
    "forward": ("forward",),
    "backward": ("backward",),
    "step": ("forward", "backward", "sgd_update_inplace"),
}


def kernel_owner(benchmark: str, backend: str) -> str:
    """Return the backend whose row of a benchmark of :data:`KERNEL_BENCHMARKS` has this backend's time."""
    try:
        return kernels.owner(backend, *KERNEL_BENCHMARKS[benchmark])
    except Exception:  # a backend that cannot be loaded says so where it is measured
        return backend


def prediction_owner(contender: str) -> str:
    """Return the contender whose predictions have this one's time: itself, unless it is a backend with another's code.

    A backend predicts by its ``predictor``, and without one by its forward pass.
    """
    if contender not in kernels.names():
        return contender
    try:
        function = "predictor" if hasattr(kernels.load(contender), "predictor") else "forward"
    except Exception:  # a backend that cannot be loaded says so where it is measured
        return contender
    return kernels.owner(contender, function)
