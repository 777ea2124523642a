"""Threads that run one kernel together: the same function on each, meeting at barriers inside compiled code.

Numba's own parallel loops open and close a region for every loop, some ten microseconds each; a training on small
batches has thousands of them a second. Here each thread stays in the kernel for the whole stretch.
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

from nnkernels.jit import intrinsic, part
from nnkernels.kernels.own_cpus import OwnCpus

SPINS = 2000  # looks at the counter before a thread offers its CPU to others


OPEN = 2**62  # more arrivals than any meeting waits for

# Two teams at once could each hold workers that the other waits for.
_one_team = Lock()


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="nnkernels")


if hasattr(os, "register_at_fork"):  # a forked process has the pool and none of its threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
    # Nor has it the thread that may be in a team just now, and would never let the lock go.
    os.register_at_fork(before=_one_team.acquire, after_in_parent=_one_team.release, after_in_child=_one_team.release)


def run_together(kernel: Callable[..., None], threads: int, *arguments: Any) -> None:
    """Call ``kernel(thread, threads, barrier, *arguments)`` on each of ``threads`` threads, and wait for all.

    The kernel must be compiled without the GIL, raise nothing, and meet every barrier on every thread. One team works
    at a time; another waits. Where the caller is interrupted before its kernel runs, or a thread while the kernel is
    compiled, the others go on without meeting; what they leave is worthless.
    """
    _on_each(threads, lambda thread, barrier: kernel(thread, threads, barrier, *arguments))


def run_shares(kernel: Callable[..., None], threads: int, total: int, *arguments: Any) -> None:
    """Call ``kernel(*arguments, start, end)`` with each thread's share of ``total`` things, and wait for all."""
    _on_each(
        threads,
        lambda thread, _barrier: kernel(*arguments, *share(total, thread, threads)),
    )


def _on_each(threads: int, work: Callable[[int, npt.NDArray[np.int64]], None]) -> None:
    barrier = np.zeros(8, np.int64)  # the counter of arrivals, alone in its cache line
    if threads == 1:
        work(0, barrier)
        return

    cpus = OwnCpus()

    def take_part(thread: int) -> None:
        try:
            if thread > 0:
                cpus.settle()
            work(thread, barrier)
        except BaseException:
            barrier[0] = OPEN
            raise

    others: list[Future[None]] = []
    with _one_team:
        try:
            cpus.settle()  # the caller, before any other wakes up where it is
            for thread in range(1, threads):  # one by one: an interrupt loses a list that is not finished
                others.append(_pool(threads - 1).submit(take_part, thread))  # noqa: PERF401
            take_part(0)
        finally:
            # After an interrupt the workers may still wait for the caller; after its part, nobody waits for it.
            barrier[0] = OPEN
            for other in others:
                other.result()


@part
def share(total: int, thread: int, threads: int) -> tuple[int, int]:
    """Return the first and the end of a thread's part of ``total`` things."""
    return thread * total // threads, (thread + 1) * total // threads


@part
def meet(barrier: npt.NDArray[np.int64], threads: int, meetings: int) -> int:
    """Wait until every thread has come here as often; return the number of meetings so far.

    Everything that a thread wrote before is then seen by the others.
    """
    if threads == 1:
        return meetings
    meetings += 1
    add_one(barrier)
    spins = 0
    while current(barrier) < threads * meetings:
        spins += 1
        if spins > SPINS:
            give_way()
            spins = 0
    return meetings


@intrinsic
def add_one(typingctx: Any, counter: Any) -> Any:
    """``add_one(counter)``: add one to the array's first element, atomically."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(counter)(context, builder, args[0]).data
        builder.atomic_rmw("add", data, ir.Constant(ir.IntType(64), 1), "seq_cst")
        return context.get_dummy_value()

    return types.void(counter), generate


@intrinsic
def current(typingctx: Any, counter: Any) -> Any:
    """``current(counter)``: the array's first element, read anew from memory."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(counter)(context, builder, args[0]).data
        return builder.load_atomic(data, "seq_cst", 8)

    return types.int64(counter), generate


if sys.platform == "win32":  # there a thread that waits keeps spinning

    @part
    def give_way() -> None:
        """Do nothing."""

else:
    _sched_yield = types.ExternalFunction("sched_yield", types.intc())

    @part
    def give_way() -> None:
        """Let another thread have this CPU, where there are more threads than CPUs."""
        _sched_yield()
