"""Sizes of the CPU's caches, as the system reports them, with assumed sizes if it does not.

py-cpuinfo adds up the L1 and L2 caches of all cores, does not report which CPUs share them, and takes a second.
archspec does not know cache sizes.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SYSFS = Path("/sys/devices/system/cpu")
KIB, MIB = 2**10, 2**20
SUFFIXES = {"K": KIB, "M": MIB, "G": 2**30}


@dataclass(frozen=True)
class Cache:
    """A data cache.

    Attributes
    ----------
    size : int
        Size in bytes.
    sharers : int
        Number of CPUs that share it.
    """

    size: int
    sharers: int = 1


@dataclass(frozen=True)
class Caches:
    """The data caches of a machine.

    Attributes
    ----------
    l1, l2 : Cache
        The first CPU's caches.
    last_level_bytes : int
        Total size of all last-level caches, in bytes.
    known : bool
        Whether the system reported all sizes. Those that it did not report are taken from ``ASSUMED``.
    """

    l1: Cache
    l2: Cache
    last_level_bytes: int
    known: bool = True


ASSUMED = Caches(Cache(32 * KIB), Cache(256 * KIB), 32 * MIB, known=False)


def read_caches(sysfs: Path = SYSFS) -> Caches:
    """Read the sizes of the caches from Linux (``sysfs``) or macOS (``sysctl``).

    Parameters
    ----------
    sysfs : Path
        The folder in which Linux describes the CPUs.

    Returns
    -------
    caches : Caches
        Reported sizes, or assumed ones.
    """
    levels, last_level_bytes = _linux(sysfs)
    if not levels and sys.platform == "darwin":
        levels, last_level_bytes = _macos()
    if max(levels, default=0) < 3:
        # Some systems do not report a last-level cache that different processors share, so one is assumed.
        last_level_bytes = max(last_level_bytes, ASSUMED.last_level_bytes)
    return Caches(
        levels.get(1, ASSUMED.l1), levels.get(2, ASSUMED.l2), last_level_bytes, known={1, 2, 3} <= levels.keys()
    )


def _linux(root: Path) -> tuple[dict[int, Cache], int]:
    """Read the caches from Linux's ``sysfs``.

    Returns
    -------
    levels : dict
        The first CPU's cache of each level.
    last_level_bytes : int
        Total size of all last-level caches.

    References
    ----------
    Linux kernel documentation: "ABI/testing/sysfs-devices-system-cpu", ``cpu*/cache/index*/``.
    """
    levels: dict[int, Cache] = {}
    together: dict[tuple[int, str], int] = {}
    for folder in sorted(root.glob("cpu[0-9]*/cache/index[0-9]*")):
        with contextlib.suppress(OSError, ValueError, KeyError, IndexError):
            level, kind, size, cpus = [
                (folder / name).read_text("ascii").strip() for name in ("level", "type", "size", "shared_cpu_list")
            ]
            if kind == "Instruction":
                continue
            cache = Cache(_bytes(size), _count(cpus))
            together[int(level), cpus] = cache.size  # every CPU that shares a cache reports it
            if folder.parts[-3] == "cpu0":
                levels[int(level)] = cache
    last = max(levels, default=0)
    return levels, sum(size for (level, _), size in together.items() if level == last)


def _bytes(text: str) -> int:
    return int(text[:-1]) * SUFFIXES[text[-1]]


def _count(cpus: str) -> int:
    """Return the number of CPUs in a list such as ``0-3,8``."""
    ends = [[int(end) for end in part.split("-")] for part in cpus.split(",")]
    return sum(part[-1] - part[0] + 1 for part in ends)


def _macos() -> tuple[dict[int, Cache], int]:
    # On processors with two kinds of cores, level 0 is the fast kind. Other processors have only the second name.
    l1 = _sysctl("hw.perflevel0.l1dcachesize") or _sysctl("hw.l1dcachesize")
    l2 = _sysctl("hw.perflevel0.l2cachesize") or _sysctl("hw.l2cachesize")
    l3 = _sysctl("hw.l3cachesize")
    sizes = {1: Cache(l1), 2: Cache(l2, _sysctl("hw.perflevel0.cpusperl2") or 1), 3: Cache(l3)}
    levels = {level: cache for level, cache in sizes.items() if cache.size}
    return levels, l3 or l2


def _sysctl(name: str) -> int:
    """Return the value of a numeric macOS setting; 0 if it does not exist."""
    try:
        answer = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, check=False)
        return int(answer.stdout)
    except (OSError, ValueError):
        return 0
