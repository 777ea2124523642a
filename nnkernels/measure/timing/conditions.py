"""Conditions during a timed segment: steal time, other processes and context switches."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

if sys.platform != "win32":
    import resource

STAT = Path("/proc/stat")

# Positions of the fields of a CPU's line. Guest time is omitted, because Linux includes it in user (or nice) time.
_BUSY = (0, 1, 2, 5, 6)  # user, nice, system, irq, softirq
_STEAL = 7


@dataclass(frozen=True)
class Counters:
    """Cumulative counters. The difference of two readings tells what happened between them.

    Attributes
    ----------
    elapsed : float
        Wall-clock time in seconds, from an arbitrary origin.
    steal : float or None
        CPU seconds that the host gave to other guests while this one was ready to run; None if unknown.
    others : float or None
        CPU seconds of everything except this process and its finished children; None if unknown. Linux counts a CPU's
        time in ticks of about 10 ms but a process' time exactly. So a difference has an error of up to two ticks per
        CPU, and may be negative.
    switches : int or None
        Involuntary context switches of all threads of this process; None if unknown.
    """

    elapsed: float
    steal: float | None
    others: float | None
    switches: int | None


class Machine:
    """The CPUs that this process may run on when the object is created, and their counters.

    Load on the machine's other CPUs takes no time from this process and is not counted.

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
        """Read the counters, which takes a fraction of a millisecond.

        Returns
        -------
        counters : Counters
            The current values.
        """
        busy, steal = _machine_seconds(self.cpus)
        own, switches = _own_seconds_and_switches()
        others = None if busy is None or own is None else busy - own
        return Counters(time.perf_counter(), steal, others, switches)


def _machine_seconds(cpus: frozenset[int]) -> tuple[float, float] | tuple[None, None]:
    """Return the busy and the stolen CPU seconds of these CPUs."""
    try:
        lines = [line.split() for line in STAT.read_text("ascii").splitlines() if line.startswith("cpu")]
        cpu_ticks = [ticks for name, *ticks in lines if name != "cpu" and int(name.removeprefix("cpu")) in cpus]
        busy = sum(int(ticks[place]) for ticks in cpu_ticks for place in _BUSY)
        steal = sum(int(ticks[_STEAL]) for ticks in cpu_ticks)
    except (OSError, ValueError, IndexError):
        return None, None
    if not busy:  # a sandbox whose counters stay 0
        return None, None
    ticks_per_second = os.sysconf("SC_CLK_TCK") if sys.platform == "linux" else 100
    return busy / ticks_per_second, steal / ticks_per_second


def _own_seconds_and_switches() -> tuple[float, int] | tuple[None, None]:
    if sys.platform == "win32":
        return None, None
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime, own.ru_nivcsw
