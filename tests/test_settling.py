"""Before a contender is timed, the threads of the previous one have to come to rest."""

import threading
import time
from types import SimpleNamespace

import numba
import numpy as np
import pytest

from nnkernels.measure.timing import settling
from nnkernels.measure.timing.settling import IDLE_SECONDS, MAX_WAIT_SECONDS, computing_threads, wait_until_idle
from nnkernels.team import atomic_load

TIMEOUT = 60  # seconds after which the test fails; not a measurement
LINUX = settling.TASKS.is_dir()


@pytest.fixture
def clock(monkeypatch):
    """A fake clock that advances by a tenth of a millisecond per reading."""
    wall = [100.0]

    def perf_counter():
        wall[0] += 1e-4
        return wall[0]

    clock = SimpleNamespace(
        perf_counter=perf_counter, passed=lambda: wall[0] - 100.0, thread_time=lambda: wall[0] - 100.0
    )
    monkeypatch.setattr(settling, "time", clock)
    return clock


def fake_busy_threads(clock, busy_seconds, monkeypatch):
    monkeypatch.setattr(settling, "computing_threads", lambda: {7} if clock.passed() < busy_seconds else set())


def fake_cpu_time(clock, busy_seconds, monkeypatch, tmp_path):
    monkeypatch.setattr(settling, "TASKS", tmp_path / "none")
    clock.process_time = lambda: clock.passed() + min(clock.passed(), busy_seconds)


@pytest.mark.parametrize("source", ["threads", "CPU time"])
@pytest.mark.parametrize(("busy_seconds", "comes_to_rest"), [(0.0, True), (0.04, True), (1.0, False)])
def test_rest_waits_for_spinning_threads_up_to_limit(busy_seconds, comes_to_rest, source, clock, monkeypatch, tmp_path):
    if source == "threads":
        monkeypatch.setattr(settling, "TASKS", tmp_path)
        fake_busy_threads(clock, busy_seconds, monkeypatch)
    else:
        fake_cpu_time(clock, busy_seconds, monkeypatch, tmp_path)
    assert wait_until_idle() == comes_to_rest
    if comes_to_rest:
        assert busy_seconds < clock.passed() <= busy_seconds + 2.5 * IDLE_SECONDS
    else:
        assert clock.passed() == pytest.approx(MAX_WAIT_SECONDS, abs=2 * IDLE_SECONDS)


@numba.njit(nogil=True)
def spin(stop):
    while atomic_load(stop) == 0:
        pass


@pytest.mark.skipif(not LINUX, reason="only Linux lists the threads of a process")
def test_computing_threads_include_spinning_but_not_waiting_thread():
    stop, done = np.zeros(1, np.int64), threading.Event()
    spin(np.ones(1, np.int64))  # compiles the function, and returns at once
    spinning = threading.Thread(target=spin, args=(stop,), daemon=True)
    waiting = threading.Thread(target=done.wait)
    spinning.start()
    waiting.start()
    deadline = time.monotonic() + TIMEOUT  # for one thread to start spinning and the other to start waiting
    try:
        seen = computing_threads()
        while not (spinning.native_id in seen and waiting.native_id not in seen) and time.monotonic() < deadline:
            seen = computing_threads()
    finally:
        stop[0] = 1
        done.set()
        spinning.join()
        waiting.join()
    assert spinning.native_id in seen
    assert waiting.native_id not in seen
    assert threading.get_native_id() not in seen
