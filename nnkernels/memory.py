"""The memory that a process may use, so that too large a request is refused before it is made."""

from __future__ import annotations

import os
from pathlib import Path

from nnkernels.errors import ConfigurationError

# Files of the kernel that contain the limit of a container: cgroup v2, then v1.
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def limit() -> int | None:
    """Return the memory of the machine, or the smaller limit of its container.

    Returns
    -------
    size : int or None
        In bytes. None if the operating system does not say.
    """
    try:
        sizes = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    except (AttributeError, ValueError, OSError):  # AttributeError on Windows
        return None
    for path in CGROUP_LIMITS:
        try:
            sizes.append(int(path.read_text()))
        except (OSError, ValueError):  # no such control group, or "max"
            continue
    return min(sizes)


def require(size: int, what: str, advice: str) -> None:
    """Check that something fits into memory.

    Parameters
    ----------
    size : int
        What is needed, in bytes.
    what : str
        What needs it; the beginning of the message.
    advice : str
        What to do; the end of the message.

    Raises
    ------
    ConfigurationError
        If it needs more than the memory of this machine or container.
    """
    available = limit()
    if available is not None and size > available:
        raise ConfigurationError(
            f"{what} needs at least {size / 1e9:,.0f} GB of memory, and this machine has {available / 1e9:,.0f} GB: "
            f"{advice}"
        )
