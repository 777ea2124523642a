"""What else the machine did while something was timed, from counters that are read outside the clock."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

if sys.platform != "win32":
    import resource

STAT = Path("/proc/stat")

# The fields of a CPU by place. Guests' time is no field of its own here: Linux counts it as user's (or nice) too.
_BUSY = (0, 1, 2, 5, 6)  # user, nice, system, irq, softirq
_STEAL = 7


@dataclass(frozen=True)
class Counters:
    """Running totals: what happened between two readings is their difference.

    Attributes
    ----------
    elapsed : float
        Seconds.
    steal : float or None
        CPU seconds that the host gave to other guests while this one had work for them; None where it is not told.
    others : float or None
        CPU seconds of everything but this process and its children (those that have ended and been waited for); None
        where it is not told. Linux counts a CPU's time in ticks of some 10 ms and a process' time exactly, so a
        difference is wrong by up to two ticks a CPU, and may be negative.
    switches : int or None
        Involuntary context switches of all threads of this process, since the kernels' teams compute in several; None
        where it is not told.
    """

    elapsed: float
    steal: float | None
    others: float | None
    switches: int | None


class Machine:
    """The CPUs that this process may run on at the start, and their counters.

    What happens on other CPUs of the machine takes no time from this process, and is not counted.

    Attributes
    ----------
    cpus : frozenset of int
        Numbers of the CPUs.
    """

    def __init__(self) -> None:
        if sys.platform == "linux":
            self.cpus = frozenset(os.sched_getaffinity(0))
        else:
            self.cpus = frozenset(range(os.cpu_count() or 1))

    def read(self) -> Counters:
        """Return the counters as they are now: a fraction of a millisecond of work."""
        busy, steal = _machine_seconds(self.cpus)
        own, switches = _own_seconds_and_switches()
        others = None if busy is None or own is None else busy - own
        return Counters(time.perf_counter(), steal, others, switches)


def _machine_seconds(cpus: frozenset[int]) -> tuple[float, float] | tuple[None, None]:
    """Return how many seconds these CPUs have been busy and stolen."""
    try:
        lines = [line.split() for line in STAT.read_text("ascii").splitlines() if line.startswith("cpu")]
        of_cpu = [ticks for name, *ticks in lines if name != "cpu" and int(name.removeprefix("cpu")) in cpus]
        busy = sum(int(ticks[place]) for ticks in of_cpu for place in _BUSY)
        steal = sum(int(ticks[_STEAL]) for ticks in of_cpu)
    except (OSError, ValueError, IndexError):
        return None, None
    if not busy:  # a sandbox that has the file and counts nothing
        return None, None
    ticks_per_second = os.sysconf("SC_CLK_TCK") if sys.platform == "linux" else 100
    return busy / ticks_per_second, steal / ticks_per_second


def _own_seconds_and_switches() -> tuple[float, int] | tuple[None, None]:
    if sys.platform == "win32":
        return None, None
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime, own.ru_nivcsw
