"""Threads of a team, each on a CPU of its own.

A thread that another wakes is often put on the waker's CPU, where both then run one after the other while a second CPU
is idle; it takes the system some milliseconds to notice, and a stretch may be over by then.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Set
from contextlib import suppress
from threading import Lock


class OwnCpus:
    """The CPUs that the threads of one team are on; at first those that are already taken."""

    def __init__(self, taken: Set[int] = frozenset()) -> None:
        self._lock, self._taken = Lock(), set(taken)

    def settle(self) -> None:
        """Move the calling thread to a free CPU, if one of the team has been here before it and there is a free one.

        It is not bound to it: what CPUs it may run on is afterwards what it was. Where the system does not tell CPUs,
        nothing is done.
        """
        if (here := current_cpu()) is None:
            return
        with self._lock, suppress(OSError):
            allowed = os.sched_getaffinity(0)
            if here in self._taken and (free := allowed - self._taken):
                here = min(free)
                try:
                    os.sched_setaffinity(0, {here})
                finally:
                    os.sched_setaffinity(0, allowed)
            self._taken.add(here)


def current_cpu() -> int | None:
    """Return the number of the CPU that the calling thread is on, or None where the system does not tell it."""
    return None if _sched_getcpu is None else _sched_getcpu()


_sched_getcpu = getattr(ctypes.PyDLL(None), "sched_getcpu", None) if hasattr(os, "sched_setaffinity") else None
