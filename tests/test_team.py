"""Threads that run a kernel together always finish, even with concurrent teams, exceptions or interrupts."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest

from nnkernels import team
from nnkernels.team import barrier_wait, run_together

TIMEOUT = 60  # seconds after which a test reports a deadlock; not a measurement


@numba.njit(nogil=True)
def count_rounds(thread, threads, barrier, rounds, counts, seen):
    """Increment this thread's counter each round; after the barrier, count the threads whose counter differs."""
    phase = 0
    for number in range(rounds):
        counts[thread, 0] += 1
        phase = barrier_wait(barrier, threads, phase)
        for other in range(threads):
            if counts[other, 0] != number + 1:
                seen[thread] += 1
        phase = barrier_wait(barrier, threads, phase)


def run_counting_team(threads, rounds=50):
    counts, strays = np.zeros((threads, 8), np.int64), np.zeros(threads, np.int64)
    run_together(count_rounds, threads, rounds, counts, strays)
    return counts[:, 0].tolist(), strays.tolist()


def run_concurrently(*functions):
    """Run functions concurrently in daemon threads, which cannot keep the tests from ending; return their results."""
    results, errors = {}, []

    def note(i, function):
        try:
            results[i] = function()
        except BaseException as error:
            errors.append(error)

    workers = [threading.Thread(target=note, args=pair, daemon=True) for pair in enumerate(functions)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(TIMEOUT)
    assert not any(worker.is_alive() for worker in workers), "the threads are deadlocked"
    if errors:
        raise errors[0]
    return [results[i] for i in range(len(functions))]


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_writes_before_barrier_are_visible_after_it(threads):
    counts, strays = run_counting_team(threads)
    assert counts == [50] * threads
    assert strays == [0] * threads


class YieldingPool(ThreadPoolExecutor):
    """A pool that lets other threads run after each submission."""

    def submit(self, *arguments):
        future = super().submit(*arguments)
        time.sleep(1e-3)
        return future


def test_concurrent_teams_do_not_deadlock_on_shared_pool(monkeypatch):
    # If half of one team and half of another took all threads, each would wait for its other half forever.
    pool = YieldingPool(2)
    monkeypatch.setattr(team, "_pool", lambda workers: pool)

    def often():
        return [run_counting_team(3, rounds=3) for _ in range(10)]

    for results in run_concurrently(often, often, often, often):
        assert results == [([3] * 3, [0] * 3)] * 10
    pool.shutdown()


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("who", [0, 1])
def test_exception_in_one_thread_leaves_no_other_thread_waiting(threads, who):
    # As on Ctrl-C while the first call compiles: the others must not spin at the barrier beyond the program's end.
    def breaks(thread, threads, barrier, *arguments):
        if thread == min(who, threads - 1):
            raise KeyboardInterrupt
        count_rounds(thread, threads, barrier, *arguments)

    def attempt():
        with pytest.raises(KeyboardInterrupt):
            run_together(breaks, threads, 5, np.zeros((threads, 8), np.int64), np.zeros(threads, np.int64))
        return run_counting_team(threads)

    (after,) = run_concurrently(attempt)
    assert after == ([50] * threads, [0] * threads)


class InterruptedAt:
    """A trace function that raises KeyboardInterrupt at the given call of the named function, as Ctrl-C would."""

    def __init__(self, name, call):
        self.name, self.left = name, call

    def __call__(self, frame, event, argument):
        if event == "call" and frame.f_code.co_name == self.name:
            self.left -= 1
            if self.left == 0:
                sys.settrace(None)
                raise KeyboardInterrupt


# With three threads: before the first worker is started, between the two workers, after both but before the
# caller's own part, and while the caller waits for them.
@pytest.mark.parametrize(("name", "call"), [("submit", 1), ("submit", 2), ("run_member", 1), ("result", 1)])
def test_interrupt_while_work_is_distributed_leaves_no_thread_waiting(name, call):
    barriers = []

    def kernel(thread, threads, barrier, *arguments):
        barriers.append(barrier)
        count_rounds(thread, threads, barrier, *arguments)

    def attempt():
        sys.settrace(InterruptedAt(name, call))
        try:
            with pytest.raises(KeyboardInterrupt):
                run_together(kernel, 3, 5, np.zeros((3, 8), np.int64), np.zeros(3, np.int64))
        finally:
            sys.settrace(None)
        return run_counting_team(3)  # on the same workers

    try:
        (after,) = run_concurrently(attempt)
    finally:
        for barrier in barriers:  # no thread spins on, even if the test fails
            barrier[0] = team.RELEASED
    assert after == ([50] * 3, [0] * 3)


FORKED = """
import os, sys, warnings
warnings.simplefilter("ignore")
from tests.test_team import run_counting_team
assert run_counting_team(2) == ([50] * 2, [0] * 2)
child = os.fork()
if child == 0:
    os._exit(0 if run_counting_team(2) == ([50] * 2, [0] * 2) else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forked_process_starts_its_own_threads():
    process = subprocess.Popen([sys.executable, "-c", FORKED], start_new_session=True)
    try:
        assert process.wait(TIMEOUT) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # the forked process as well
            process.wait()
