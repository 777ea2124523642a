"""The number of threads of XLA, which JAX computes with. It can only be set once, before XLA starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nnkernels.process_settings import environment_variables

TASKS = Path("/proc/self/task")
COMPUTE_THREADS = "tf_XLAEigen"  # the name that XLA gives to its compute threads

_thread_count: int | None = None  # number of XLA's threads, once a contender has started XLA


def start_backend(jax: Any, threads: int) -> int:
    """Start XLA if necessary, and return the number of its compute threads.

    XLA reads the environment variable ``NPROC`` once, at its start; without it, XLA uses the number of CPUs. On systems
    where threads cannot be counted, the requested number is returned.

    Parameters
    ----------
    jax : module
        The imported JAX.
    threads : int
        The number of threads to start XLA with.

    Returns
    -------
    threads : int
        The number of threads that XLA runs on. It differs from the requested one if XLA had been started before.
    """
    global _thread_count
    if _thread_count is None:
        before = compute_threads()
        with environment_variables(NPROC=str(threads)):
            jax.devices("cpu")
        after = compute_threads()
        _thread_count = after - before or after or threads  # no new threads: XLA had been started before
    return _thread_count


def compute_threads() -> int:
    """Count the threads of this process that have the name of XLA's compute threads.

    Returns
    -------
    count : int
        The number of threads; 0 on systems other than Linux.
    """
    names = []
    for task in TASKS.iterdir() if TASKS.is_dir() else ():
        try:
            names.append((task / "comm").read_text().strip())
        except OSError:  # the thread has just ended
            continue
    return names.count(COMPUTE_THREADS)
