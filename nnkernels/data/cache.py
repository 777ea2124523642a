"""The user's cache of data sets: each file verified when it is read, and written by one process at a time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from nnkernels.data.dataset import Dataset
from nnkernels.data.npz import read_npz, write_npz
from nnkernels.errors import DataError


def cache_folder() -> Path:
    """Return the folder of cached data: ``NNKERNELS_CACHE``, or the platform's place for caches."""
    import platformdirs  # here, like filelock below: whoever brings images of their own pays for neither

    chosen = os.environ.get("NNKERNELS_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("nnkernels")


def read_cached(name: str) -> Dataset | None:
    """Return the cached data set of that name, or None if there is none or its content is not what it should be."""
    try:
        dataset = read_npz(cache_folder() / f"{name}.npz")
    except DataError:
        return None
    return dataset if dataset.name == name else None


def cached(name: str, fetch: Callable[[], Dataset]) -> Dataset:
    """Return the cached data set of that name, or fetch, verify and cache it.

    Two processes that start at once fetch it once. A cache that cannot be written only costs time.
    """
    from filelock import FileLock

    if (dataset := read_cached(name)) is not None:
        return dataset
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        lock = FileLock(cache_folder() / f"{name}.lock", timeout=300)
        lock.acquire()
    except (OSError, TimeoutError):
        return _verified(name, fetch())
    try:
        if (dataset := read_cached(name)) is not None:
            return dataset
        for left_over in cache_folder().glob(f".*.part.{name}.npz"):  # of a process that was killed
            left_over.unlink(missing_ok=True)
        dataset = _verified(name, fetch())
        with contextlib.suppress(OSError):  # a full disk: this process has its data all the same
            write_npz(cache_folder() / f"{name}.npz", dataset)
        return dataset
    finally:
        lock.release()


def _verified(name: str, dataset: Dataset) -> Dataset:
    if dataset.name != name:
        raise DataError(f"the data fetched as {name} hash to {dataset.sha256}, which is not {name}")
    return dataset
