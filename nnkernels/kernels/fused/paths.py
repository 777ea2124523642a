"""Which of several paths the fused kernels take: what the setting permits, and what is fastest on this CPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from nnkernels.cpu_features import compiled_cpu, compiled_features
from nnkernels.errors import ConfigurationError

SETTING = "NNKERNELS_FUSED_PATHS"
LISTS, TILES = "lists", "tiles"
PATHS = (LISTS, TILES)

# The faster path of training, by LLVM's name of the CPU. On other CPUs with AVX-512, both are timed once per process.
# Without AVX-512, lists are faster, because a tile does not fit into sixteen registers.
MEASURED_CPUS = {
    "znver4": TILES,
    "sapphirerapids": TILES,
    "emeraldrapids": TILES,
}


def with_path(name: str, path: str) -> str:
    """Describe a backend or contender whose path is known.

    Parameters
    ----------
    name : str
        Its name.
    path : str
        The path; empty if there is only one.

    Returns
    -------
    label : str
        Such as ``numpy`` or ``fused (tiles)``.
    """
    return f"{name} ({path})" if path else name


def permitted_paths() -> tuple[str, ...]:
    """Return the paths that the environment variable ``NNKERNELS_FUSED_PATHS`` permits.

    Returns
    -------
    paths : tuple of str
        The names in the variable, which are separated by commas. All paths if it is not set.

    Raises
    ------
    ConfigurationError
        If there is no path of one of the names, or if none is left for training.
    """
    names = tuple(name.strip() for name in os.environ.get(SETTING, "").split(",") if name.strip())
    if not names:
        return PATHS
    unknown = [name for name in names if name not in PATHS]
    if unknown:
        raise ConfigurationError(f"{SETTING} names {unknown[0]!r}; expected some of {', '.join(PATHS)}")
    if not {LISTS, TILES}.intersection(names):
        raise ConfigurationError(f"{SETTING} is {','.join(names)}; expected {LISTS} or {TILES} too, to train with")
    return names


def training_paths() -> tuple[str, ...]:
    """Return the paths by which uint8 images may be trained on in this process.

    Returns
    -------
    paths : tuple of str
        The permitted ones of ``lists`` and ``tiles``. Without AVX-512, tiles only if lists are not permitted.
    """
    permitted = tuple(path for path in permitted_paths() if path in (LISTS, TILES))
    if len(permitted) > 1 and "avx512f" not in compiled_features():
        return (LISTS,)
    return permitted


@contextmanager
def only_path(path: str) -> Iterator[None]:
    """Train by one path within the block, as far as images are converted there.

    Parameters
    ----------
    path : {"lists", "tiles"}
        The path.
    """
    others = [name for name in permitted_paths() if name not in (LISTS, TILES)]
    before = os.environ.get(SETTING)
    os.environ[SETTING] = ",".join((path, *others))
    try:
        yield
    finally:
        if before is None:
            del os.environ[SETTING]
        else:
            os.environ[SETTING] = before


def training_path() -> str:
    """Return the path by which uint8 images are trained on.

    Returns
    -------
    path : {"lists", "tiles"}
        The only permitted path, if there is only one; otherwise the faster one on this CPU. It stays the same for the
        whole process, unless the setting changes. On a CPU with AVX-512 that nobody has measured, the first call takes
        seconds, because both paths are compiled and timed.
    """
    paths = training_paths()
    if len(paths) == 1:
        return paths[0]
    return MEASURED_CPUS.get(compiled_cpu()) or _timed_path()


@cache
def _timed_path() -> str:
    from nnkernels.kernels.fused.path_timing import faster_path  # which imports this module

    return faster_path()
