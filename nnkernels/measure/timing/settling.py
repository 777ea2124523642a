"""Waiting until threads that earlier work left behind stop computing."""

from __future__ import annotations

import threading
import time
from collections.abc import Set
from pathlib import Path

MAX_WAIT_SECONDS = 0.3
IDLE_SECONDS = 0.002
BUSY_SHARE = 0.1

TASKS = Path("/proc/self/task")


def wait_until_idle() -> bool:
    """Wait until no other thread of this process computes, for at most 0.3 seconds.

    The threads of BLAS and of the frameworks keep spinning for up to about 40 ms after a call, in case another call
    follows. They would slow down the contender that is timed next. The wait is a busy loop, because a CPU that wakes
    from idle starts slowly, which would distort short segments.

    Returns
    -------
    at_rest : bool
        Whether all other threads were at rest before the time limit.
    """
    deadline = time.perf_counter() + MAX_WAIT_SECONDS
    while time.perf_counter() < deadline:
        if not (_busy_by_state() if TASKS.is_dir() else _busy_by_cpu_time()):
            return True
    return False


def computing_threads() -> Set[int]:
    """Return this process' other threads that are running or waiting for a CPU (Linux only).

    CPU times of threads cannot be used instead: Linux updates those of threads on other CPUs only once per tick, which
    may be 10 ms late.

    Returns
    -------
    threads : set of int
        Native thread identifiers.
    """
    states = {int(task.name): _state(task) for task in TASKS.iterdir()}
    return {thread for thread, state in states.items() if state == "R"} - {threading.get_native_id()}


def _state(task: Path) -> str:
    try:
        return (task / "stat").read_text().rpartition(") ")[2][:1]
    except OSError:  # the thread has ended
        return ""


def _busy_by_state() -> bool:
    """Return whether another thread is found computing at any time within two milliseconds."""
    started = time.perf_counter()
    while time.perf_counter() - started < IDLE_SECONDS:
        if computing_threads():
            return True
    return False


def _busy_by_cpu_time() -> bool:
    """Return whether other threads use a significant share of CPU time within two milliseconds."""
    started = time.perf_counter()
    others = time.process_time() - time.thread_time()
    while time.perf_counter() - started < IDLE_SECONDS:
        pass
    return time.process_time() - time.thread_time() - others >= BUSY_SHARE * IDLE_SECONDS
