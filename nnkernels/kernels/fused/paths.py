"""Which of several kernels for the same work run on this CPU: the paths of the fused backends.

The setting ``NNKERNELS_FUSED_PATHS`` names the permitted paths, for tests and comparisons. Without it, all paths are
permitted whose instructions Numba compiles for and this CPU has.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from nnkernels.cpu_features import compiled_cpu, compiled_features
from nnkernels.errors import UnknownNameError
from nnkernels.kernels.simd.byte_sums import AVX512_VNNI

SETTING = "NNKERNELS_FUSED_PATHS"
LISTS, TILES, VNNI = "lists", "tiles", "vnni"
# By name, the CPU features without which a path would be slower than the lists of nonzero pixels. The latter suit every
# CPU and every network that the fused kernels support, so they are always permitted. A tile does not fit into the
# sixteen registers of AVX2.
PATHS: dict[str, frozenset[str]] = {LISTS: frozenset(), TILES: frozenset({"avx512f"}), VNNI: AVX512_VNNI}

# The faster path of training, by LLVM's name of the CPU. On other CPUs with AVX-512, both are timed once per process.
# Zen 4 and Emerald Rapids were measured; Sapphire Rapids has the same cores as the latter.
MEASURED_CPUS = {"znver4": TILES, "sapphirerapids": TILES, "emeraldrapids": TILES}


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


def is_permitted(path: str) -> bool:
    """Return whether a path may be used.

    Parameters
    ----------
    path : str
        A key of ``PATHS``.

    Returns
    -------
    permitted : bool
        Whether ``NNKERNELS_FUSED_PATHS`` names the path, or, if it is not set, whether the CPU has its features. The
        setting can name a path without these, because LLVM then generates other instructions for it.

    Raises
    ------
    UnknownNameError
        If the setting contains an unknown name.
    """
    named = _named_paths()
    if named is None:
        return compiled_features() >= PATHS[path]
    return path == LISTS or path in named


def training_paths() -> tuple[str, ...]:
    """Return the paths among which :func:`training_path` chooses.

    Returns
    -------
    paths : tuple of str
        One or both of ``lists`` and ``tiles``.

    Raises
    ------
    UnknownNameError
        If the setting contains an unknown name.
    """
    if not is_permitted(TILES):
        return (LISTS,)
    named = _named_paths()
    if named is not None and LISTS not in named:
        return (TILES,)
    return (LISTS, TILES) if compiled_features() >= PATHS[TILES] else (LISTS,)


@contextmanager
def only_path(path: str) -> Iterator[None]:
    """Train by one path within the block, as far as images are converted there.

    With lists, predictions use lists too. With tiles, they use the path of prediction that is permitted.

    Parameters
    ----------
    path : {"lists", "tiles"}
        The path.
    """
    before = os.environ.get(SETTING)
    os.environ[SETTING] = f"{path},{VNNI}" if path != LISTS and is_permitted(VNNI) else path
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
        If ``NNKERNELS_FUSED_PATHS`` names one of them, this one; otherwise the faster one on this CPU. It stays the
        same for the whole process, unless the setting changes. On a CPU with AVX-512 that nobody has measured, the
        first call takes seconds, because both paths are compiled and timed.

    Raises
    ------
    UnknownNameError
        If the setting contains an unknown name.
    """
    paths = training_paths()
    if len(paths) == 1:
        return paths[0]
    return MEASURED_CPUS.get(compiled_cpu()) or _timed_path()


def _named_paths() -> list[str] | None:
    setting = os.environ.get(SETTING)
    if setting is None:
        return None
    names = [name.strip() for name in setting.split(",")]
    for name in names:
        if name not in PATHS:
            raise UnknownNameError(f"path in the setting {SETTING}", name, tuple(PATHS))
    return names


@cache
def _timed_path() -> str:
    from nnkernels.kernels.fused.path_timing import faster_path  # which imports this module

    return faster_path()
