"""Temporary settings of the process: threads of BLAS, Numba and PyTorch, and environment variables."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController

from nnkernels.errors import ConfigurationError


@contextmanager
def preserved_thread_counts() -> Iterator[None]:
    """Restore the numbers of threads of BLAS, Numba and PyTorch at the end of a block or of a decorated function."""
    blas = [(library, library.num_threads) for library in _libraries().lib_controllers]
    others = {name: sys.modules[name].get_num_threads() for name in ("numba", "torch") if name in sys.modules}
    try:
        yield
    finally:
        if "numba" not in others and (numba := sys.modules.get("numba")):  # imported within the block
            others["numba"] = numba.config.NUMBA_NUM_THREADS
        for name, threads in others.items():
            sys.modules[name].set_num_threads(threads)
        for library, threads in blas:
            library.set_num_threads(threads)


def limit_blas(threads: int) -> None:
    """Set the number of threads of all loaded BLAS libraries: NumPy's, and SciPy's, which Numba calls.

    Parameters
    ----------
    threads : int
        The number of threads, for the whole process, until it is set again.

    Raises
    ------
    ConfigurationError
        If a library runs on another number of threads afterwards.
    """
    libraries = _libraries()
    libraries.limit(limits=threads, user_api="blas")
    for library in libraries.info():
        if library["user_api"] == "blas" and library["num_threads"] != threads:
            raise ConfigurationError(
                f"{library['internal_api']} runs on {library['num_threads']} threads instead of {threads}"
            )


def _libraries() -> ThreadpoolController:
    import scipy.linalg.cython_blas  # noqa: F401  (loads SciPy's BLAS, so that it can be limited)

    return _find_libraries(len(sys.modules))


@lru_cache(maxsize=1)
def _find_libraries(_modules: int) -> ThreadpoolController:
    # Searching the loaded libraries takes up to 14 ms, and setting a number 30 us. So the search is repeated only after
    # new imports.
    return ThreadpoolController()


@contextmanager
def environment_variables(**settings: str) -> Iterator[None]:
    """Set environment variables within a block, and restore their previous values afterwards.

    Parameters
    ----------
    **settings : str
        Values by the name of the variable.
    """
    previous = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in previous.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
