"""How large the caches are: what the machine tells of them, and what is assumed where it tells nothing.

py-cpuinfo adds the L1 and L2 of all cores up, does not say who shares them, and takes a second; archspec has no caches.
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
    """One cache of data.

    Attributes
    ----------
    size : int
        In bytes.
    sharers : int
        CPUs that use it together.
    """

    size: int
    sharers: int = 1


@dataclass(frozen=True)
class Caches:
    """The caches of a machine.

    Attributes
    ----------
    l1, l2 : Cache
        Of the first CPU.
    last_level_bytes : int
        Of the last level, all of its caches together.
    known : bool
        Whether the machine told each of them; what it did not tell is that of ``ASSUMED``.
    """

    l1: Cache
    l2: Cache
    last_level_bytes: int
    known: bool = True


ASSUMED = Caches(Cache(32 * KIB), Cache(256 * KIB), 32 * MIB, known=False)


def read_caches(sysfs: Path = SYSFS) -> Caches:
    """Return the caches, as Linux (``sysfs``) or macOS (``sysctl``) describes them."""
    levels, last_level_bytes = _linux(sysfs)
    if not levels and sys.platform == "darwin":
        levels, last_level_bytes = _macos()
    if max(levels, default=0) < 3:
        # A last level that several kinds of processors share is often not told: better assume that there is one.
        last_level_bytes = max(last_level_bytes, ASSUMED.last_level_bytes)
    return Caches(
        levels.get(1, ASSUMED.l1), levels.get(2, ASSUMED.l2), last_level_bytes, known={1, 2, 3} <= levels.keys()
    )


def _linux(root: Path) -> tuple[dict[int, Cache], int]:
    """Return the first CPU's cache of each level, and the bytes of the last level's.

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
            together[int(level), cpus] = cache.size  # each of those who share it describes it
            if folder.parts[-3] == "cpu0":
                levels[int(level)] = cache
    last = max(levels, default=0)
    return levels, sum(size for (level, _), size in together.items() if level == last)


def _bytes(text: str) -> int:
    return int(text[:-1]) * SUFFIXES[text[-1]]


def _count(cpus: str) -> int:
    """Return how many CPUs a list like ``0-3,8`` names."""
    ends = [[int(end) for end in part.split("-")] for part in cpus.split(",")]
    return sum(part[-1] - part[0] + 1 for part in ends)


def _macos() -> tuple[dict[int, Cache], int]:
    # Processors of two kinds of cores describe the fast ones as level 0; others know only the second name.
    l1 = _sysctl("hw.perflevel0.l1dcachesize") or _sysctl("hw.l1dcachesize")
    l2 = _sysctl("hw.perflevel0.l2cachesize") or _sysctl("hw.l2cachesize")
    l3 = _sysctl("hw.l3cachesize")
    sizes = {1: Cache(l1), 2: Cache(l2, _sysctl("hw.perflevel0.cpusperl2") or 1), 3: Cache(l3)}
    levels = {level: cache for level, cache in sizes.items() if cache.size}
    return levels, l3 or l2


def _sysctl(name: str) -> int:
    """Return a number of macOS; 0 if there is none of that name."""
    try:
        answer = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, check=False)
        return int(answer.stdout)
    except (OSError, ValueError):
        return 0
