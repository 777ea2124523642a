"""How many threads ``1`` and ``all`` stand for on this machine."""

from __future__ import annotations

import os

SETTINGS = ("1", "all")


def available_cpus() -> int:
    """Return the number of CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count(setting: str) -> int:
    """Return the number of threads of a setting, ``1`` or ``all``."""
    return available_cpus() if setting == "all" else int(setting)
