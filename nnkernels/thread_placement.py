"""Placement of the threads of a team on different CPUs.

The scheduler often starts a woken thread on the CPU of the thread that woke it. Both then take turns on this CPU while
another one is idle. The scheduler moves one of them only after a few milliseconds, which is longer than a short
training call.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Set
from contextlib import suppress
from threading import Lock


class ThreadPlacement:
    """The CPUs that the threads of a team occupy.

    Parameters
    ----------
    occupied : set of int
        Numbers of the CPUs that are occupied at the start.
    """

    def __init__(self, occupied: Set[int] = frozenset()) -> None:
        self._lock, self._occupied = Lock(), set(occupied)

    def move_to_free_cpu(self) -> None:
        """Move the calling thread to a free CPU if another thread of the team occupies its current one.

        The thread is not pinned: its affinity mask is restored afterwards. Nothing is done if no CPU is free, or on
        systems without affinity masks.
        """
        if (here := current_cpu()) is None:
            return
        with self._lock, suppress(OSError):
            allowed = os.sched_getaffinity(0)
            if here in self._occupied and (free := allowed - self._occupied):
                here = min(free)
                try:
                    os.sched_setaffinity(0, {here})
                finally:
                    os.sched_setaffinity(0, allowed)
            self._occupied.add(here)


def current_cpu() -> int | None:
    """Return the number of the CPU on which the calling thread runs.

    Returns
    -------
    cpu : int or None
        The number; None if the system does not report it.
    """
    return None if _sched_getcpu is None else _sched_getcpu()


_sched_getcpu = getattr(ctypes.PyDLL(None), "sched_getcpu", None) if hasattr(os, "sched_setaffinity") else None
