"""Which backend owns a shared function, so that a function used by several backends is timed only once."""

from __future__ import annotations

from nnkernels import kernels

# The benchmarks of kernels, without the prefix ``time_``, and the backend functions that each calls.
KERNEL_BENCHMARKS = {
    "forward": ("forward",),
    "backward": ("backward",),
    "step": ("forward", "backward", "sgd_update_inplace"),
}


def kernel_owner(benchmark: str, backend: str) -> str:
    """Return the backend whose row of a benchmark contains this backend's time.

    Parameters
    ----------
    benchmark : str
        A key of :data:`KERNEL_BENCHMARKS`.
    backend : str
        Name of the backend.

    Returns
    -------
    owner : str
        The backend that defines the benchmark's functions; ``backend`` itself if it shares them with no other, or if it
        cannot be loaded.
    """
    try:
        return kernels.owner(backend, *KERNEL_BENCHMARKS[benchmark])
    except Exception:  # if the backend cannot be loaded, its own benchmark reports the error
        return backend


def prediction_owner(contender: str) -> str:
    """Return the contender whose predictions have this contender's time.

    A backend predicts with its ``predictor``, or with its forward pass if it has none.

    Parameters
    ----------
    contender : str
        Name of the contender.

    Returns
    -------
    owner : str
        The backend that defines the function; ``contender`` itself if it is not a backend, or if it cannot be loaded.
    """
    if contender not in kernels.names():
        return contender
    try:
        function = "predictor" if hasattr(kernels.load(contender), "predictor") else "forward"
    except Exception:  # if the backend cannot be loaded, its own benchmark reports the error
        return contender
    return kernels.owner(contender, function)
