"""How many threads ``1`` and ``all`` stand for: the CPUs that affinity and the cgroup's quota leave to this process.

loky's ``cpu_count`` gives the same number, but not the quota itself, which is on record; it also obeys an environment
variable of its own, and fails where the quota cannot be read as a number.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

SETTINGS = ("1", "all")
CGROUPS = Path("/sys/fs/cgroup")


def thread_count(setting: str) -> int:
    """Return the number of threads of a setting, ``1`` or ``all``."""
    return available_cpus() if setting == "all" else int(setting)


def available_cpus() -> int:
    """Return the number of CPUs that this process may use at once, at least 1."""
    allowed = affinity()
    quota = cgroup_quota()
    return max(1, allowed if quota is None else min(allowed, math.ceil(quota)))


def affinity() -> int:
    """Return the number of CPUs that this process may be scheduled on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cgroup_quota(root: Path = CGROUPS) -> float | None:
    """Return how many CPUs' worth of time the container's cgroup allows; None without a limit that can be read.

    References
    ----------
    Linux kernel documentation: "Control Group v2", section "CPU Interface Files"; "CFS Bandwidth Control".
    """
    try:
        if (root / "cpu.max").is_file():  # version 2
            quota, period = (root / "cpu.max").read_text("ascii").split()
        else:
            quota = (root / "cpu" / "cpu.cfs_quota_us").read_text("ascii").strip()
            period = (root / "cpu" / "cpu.cfs_period_us").read_text("ascii").strip()
        limit = float("inf") if quota == "max" else float(quota) / float(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
    return limit if 0 < limit < float("inf") else None


def pinning() -> str:
    """Say how far this process is tied to its CPUs."""
    quota = cgroup_quota()
    limit = "no cgroup quota that can be read" if quota is None else f"cgroup quota of {quota:g} CPUs"
    if not hasattr(os, "sched_getaffinity"):
        return f"affinity cannot be read on this system; {limit}"
    return f"affinity to {affinity()} of {os.cpu_count()} CPUs; {limit}; not pinned to single CPUs"
