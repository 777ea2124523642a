"""The threads of BLAS: NumPy's, and SciPy's, which Numba calls."""

from __future__ import annotations

from threadpoolctl import ThreadpoolController

from nnkernels.errors import ConfigurationError


def limit_blas(threads: int) -> None:
    """Limit both to that many threads; raise ConfigurationError if one reads back as another."""
    import scipy.linalg.cython_blas  # noqa: F401  (loads SciPy's BLAS, so that it can be limited)

    ThreadpoolController().limit(limits=threads, user_api="blas")
    for library in ThreadpoolController().info():
        if library["user_api"] == "blas" and library["num_threads"] != threads:
            raise ConfigurationError(
                f"{library['internal_api']} runs on {library['num_threads']} threads, not {threads}"
            )
