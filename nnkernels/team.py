"""Teams of threads that run the same kernel and synchronise at barriers inside compiled code.

Numba starts and ends a parallel region for every parallel loop, which takes about ten microseconds. Training on small
batches would do so thousands of times per second. Here, each thread stays in the kernel for all batches of a call.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import types

from nnkernels.jit import device_function, intrinsic
from nnkernels.thread_placement import ThreadPlacement

SPINS_BEFORE_YIELD = 2000  # reads of the counter before a waiting thread yields its CPU
RELEASED = 2**62  # value of the counter that releases all waiting threads, at every barrier

# Only one team runs at a time. Otherwise, two teams could deadlock, each with some of the workers that both need.
_team_lock = Lock()


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="nnkernels")


if hasattr(os, "register_at_fork"):  # a forked process inherits the pool, but not its threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
    # If another thread held the lock during the fork, no thread of the child would ever release it.
    os.register_at_fork(
        before=_team_lock.acquire, after_in_parent=_team_lock.release, after_in_child=_team_lock.release
    )


def run_together(kernel: Callable[..., None], threads: int, *arguments: Any) -> None:
    """Run a kernel on several threads at once, and wait for all of them.

    The calling thread is one of them. Only one team runs at a time; other callers wait. If a thread is interrupted
    before it runs the kernel, all barriers are released, and the results of the other threads are meaningless.

    Parameters
    ----------
    kernel : callable
        Called as ``kernel(thread, threads, barrier, *arguments)`` on each thread, with its number ``thread``. It must
        release the GIL, must not raise exceptions, and must reach each :func:`barrier_wait` on every thread.
    threads : int
        Number of threads.
    *arguments
        Further arguments of the kernel.
    """
    _run_team(threads, lambda thread, barrier: kernel(thread, threads, barrier, *arguments))


def run_partitioned(kernel: Callable[..., None], threads: int, total: int, *arguments: Any) -> None:
    """Run a kernel on several threads, each with a contiguous range of independent items, and wait for all of them.

    Parameters
    ----------
    kernel : callable
        Called as ``kernel(*arguments, start, end)`` on each thread. It should release the GIL.
    threads : int
        Number of threads.
    total : int
        Number of items.
    *arguments
        Further arguments of the kernel.
    """
    _run_team(
        threads,
        lambda thread, _barrier: kernel(*arguments, *partition(total, thread, threads)),
    )


def _run_team(threads: int, work: Callable[[int, npt.NDArray[np.int64]], None]) -> None:
    barrier = np.zeros(8, np.int64)  # the counter of arrivals, padded to a cache line
    if threads == 1:
        work(0, barrier)
        return

    placement = ThreadPlacement()

    def run_member(thread: int) -> None:
        try:
            if thread > 0:
                placement.move_to_free_cpu()
            work(thread, barrier)
        except BaseException:
            barrier[0] = RELEASED
            raise

    others: list[Future[None]] = []
    with _team_lock:
        try:
            placement.move_to_free_cpu()  # registers the caller's CPU before other threads wake up on it
            for thread in range(1, threads):  # an interrupted list comprehension would lose its futures
                others.append(_pool(threads - 1).submit(run_member, thread))  # noqa: PERF401
            run_member(0)
        finally:
            # After an interrupt, the workers may still wait for the caller. Otherwise, no thread is waiting any longer.
            barrier[0] = RELEASED
            for other in others:
                other.result()


@device_function
def partition(total: int, thread: int, threads: int) -> tuple[int, int]:
    """Return a thread's range of items. The sizes of different threads' ranges differ by at most one.

    Parameters
    ----------
    total : int
        Number of items.
    thread, threads : int
        Number of the thread, and number of threads.

    Returns
    -------
    start, end : int
        The range.
    """
    return thread * total // threads, (thread + 1) * total // threads


@device_function
def barrier_wait(barrier: npt.NDArray[np.int64], threads: int, phase: int) -> int:
    """Wait until all threads have reached this barrier.

    What a thread wrote before the barrier is visible to all threads after it. A waiting thread spins, because blocking
    takes longer than the arithmetic of a small batch.

    Parameters
    ----------
    barrier : ndarray of int64, shape (8,)
        Number of arrivals in its first element.
    threads : int
        Number of threads.
    phase : int
        Number of barriers that this thread has passed.

    Returns
    -------
    phase : int
        The number including this barrier.
    """
    if threads == 1:
        return phase
    phase += 1
    atomic_increment(barrier)
    spins = 0
    while atomic_load(barrier) < threads * phase:
        spins += 1
        if spins > SPINS_BEFORE_YIELD:
            yield_cpu()
            spins = 0
    return phase


@intrinsic
def atomic_increment(typingctx: Any, counter: Any) -> Any:
    """``atomic_increment(counter)``: atomically add one to the first element of an int64 array."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(counter)(context, builder, args[0]).data
        builder.atomic_rmw("add", data, ir.Constant(ir.IntType(64), 1), "seq_cst")
        return context.get_dummy_value()

    return types.void(counter), generate


@intrinsic
def atomic_load(typingctx: Any, counter: Any) -> Any:
    """``atomic_load(counter)``: atomically read the first element of an int64 array."""
    # LLVM may move an ordinary read out of a loop, because it does not know that another thread writes the element.

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(counter)(context, builder, args[0]).data
        return builder.load_atomic(data, "seq_cst", 8)

    return types.int64(counter), generate


if sys.platform == "win32":  # Windows has no sched_yield

    @device_function
    def yield_cpu() -> None:
        """Do nothing: the thread continues to spin."""

else:
    _sched_yield = types.ExternalFunction("sched_yield", types.intc())

    @device_function
    def yield_cpu() -> None:
        """Yield the CPU, in case there are more threads than CPUs."""
        _sched_yield()
