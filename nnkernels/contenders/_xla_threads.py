"""The threads of XLA, on which JAX computes: they can be set once, before it starts, and counted afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nnkernels.process_settings import environment_variables

TASKS = Path("/proc/self/task")
COMPUTE_THREADS = "tf_XLAEigen"  # what XLA calls the threads that it computes on

_started_on: int | None = None  # threads of XLA, once a contender has started it


def start_backend(jax: Any, threads: int) -> int:
    """Start XLA unless it runs already; return how many threads it computes on.

    XLA reads ``NPROC`` once, when it starts, and looks at the CPUs only without it. Where the threads cannot be
    counted, the number that was set is taken for the one that runs.
    """
    global _started_on
    if _started_on is None:
        before = compute_threads()
        with environment_variables(NPROC=str(threads)):
            jax.devices("cpu")
        after = compute_threads()
        _started_on = after - before or after or threads  # none new: somebody had started it, and these are they
    return _started_on


def compute_threads() -> int:
    """Return how many threads of this process are named as XLA names its own; 0 where there is no Linux to say."""
    names = []
    for task in TASKS.iterdir() if TASKS.is_dir() else ():
        try:
            names.append((task / "comm").read_text().strip())
        except OSError:  # it has just ended
            continue
    return names.count(COMPUTE_THREADS)
