"""Waiting until the threads that others left behind do not compute any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Set
from pathlib import Path

LONGEST_REST_SECONDS = 0.3
REST_SECONDS = 0.002
BUSY_SHARE = 0.1

TASKS = Path("/proc/self/task")


def rest() -> bool:
    """Wait until no other thread of this process computes; return whether that came within a third of a second.

    The threads of BLAS and of the frameworks spin on after a call, for up to some 40 ms, in case another comes:
    on the CPUs, and at the expense, of whoever is timed next. The wait itself spins: a CPU that has slept begins
    slowly, which would be charged to short segments.
    """
    given_up = time.perf_counter() + LONGEST_REST_SECONDS
    while time.perf_counter() < given_up:
        if not (_seen_computing() if TASKS.is_dir() else _take_up_time()):
            return True
    return False


def computing_threads() -> Set[int]:
    """Return the native ids of this process's other threads that are on a CPU or wait for one, as Linux tells them.

    Their CPU time would not do: Linux counts that of a thread on another CPU a tick late, up to 10 ms.
    """
    states = {int(task.name): _state(task) for task in TASKS.iterdir()}
    return {thread for thread, state in states.items() if state == "R"} - {threading.get_native_id()}


def _state(task: Path) -> str:
    try:
        return (task / "stat").read_text().rpartition(") ")[2][:1]
    except OSError:  # it has ended meanwhile
        return ""


def _seen_computing() -> bool:
    """Return whether, for two milliseconds, any look at the other threads finds one that computes."""
    started = time.perf_counter()
    while time.perf_counter() - started < REST_SECONDS:
        if computing_threads():
            return True
    return False


def _take_up_time() -> bool:
    """Return whether the other threads take up CPU time within two milliseconds."""
    started = time.perf_counter()
    others = time.process_time() - time.thread_time()
    while time.perf_counter() - started < REST_SECONDS:
        pass
    return time.process_time() - time.thread_time() - others >= BUSY_SHARE * REST_SECONDS
