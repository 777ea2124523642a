"""The numbers of threads that ``1`` and ``all`` stand for, from CPU affinity and the cgroup's quota.

loky's ``cpu_count`` returns the same number, but not the quota, which is recorded. It also obeys an environment
variable of its own, and fails if the quota is not a number.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

SETTINGS = ("1", "all")
CGROUPS = Path("/sys/fs/cgroup")


def thread_count(setting: str) -> int:
    """Return the number of threads of a setting.

    Parameters
    ----------
    setting : str
        ``1`` or ``all``.

    Returns
    -------
    threads : int
        1, or the number of available CPUs.
    """
    return available_cpus() if setting == "all" else int(setting)


def available_cpus() -> int:
    """Return the number of CPUs that this process may use at the same time.

    Returns
    -------
    cpus : int
        The smaller of affinity and quota (rounded up), at least 1.
    """
    allowed = affinity()
    quota = cgroup_quota()
    return max(1, allowed if quota is None else min(allowed, math.ceil(quota)))


def affinity() -> int:
    """Return the number of CPUs that this process may be scheduled on.

    Returns
    -------
    cpus : int
        All CPUs of the machine if the system does not tell.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cgroup_quota(root: Path = CGROUPS) -> float | None:
    """Return the CPU quota of the container's cgroup.

    Parameters
    ----------
    root : Path
        Mount point of the cgroup file system.

    Returns
    -------
    quota : float or None
        CPU time per wall-clock time, in CPUs; None if there is no quota, or if it cannot be read.

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
    """Describe how this process is bound to CPUs.

    Returns
    -------
    text : str
        Affinity and quota, in words.
    """
    quota = cgroup_quota()
    limit = "no cgroup quota that can be read" if quota is None else f"cgroup quota of {quota:g} CPUs"
    if not hasattr(os, "sched_getaffinity"):
        return f"affinity cannot be read on this system; {limit}"
    return f"affinity to {affinity()} of {os.cpu_count()} CPUs; {limit}; not pinned to single CPUs"
