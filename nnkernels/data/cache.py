"""The user's cache of data sets. Every file is verified when it is read; a lock allows one writer at a time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from nnkernels.data.dataset import Dataset
from nnkernels.data.npz import read_npz, write_npz
from nnkernels.errors import DataError


def cache_folder() -> Path:
    """Return the folder of cached data.

    Returns
    -------
    folder : Path
        The environment variable ``NNKERNELS_CACHE`` if it is set, otherwise the platform's cache folder for nnkernels.
    """
    import platformdirs  # imported lazily, like filelock below: users with their own images need neither

    chosen = os.environ.get("NNKERNELS_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("nnkernels")


def read_cached(name: str) -> Dataset | None:
    """Read a data set from the cache.

    Parameters
    ----------
    name : str
        The name of the data set, such as ``mnist``.

    Returns
    -------
    dataset : Dataset or None
        None if the data set is not cached, or if the content of the file does not match its name.
    """
    try:
        dataset = read_npz(cache_folder() / f"{name}.npz")
    except DataError:
        return None
    return dataset if dataset.name == name else None


def cached(name: str, fetch: Callable[[], Dataset]) -> Dataset:
    """Read a data set from the cache, or fetch, verify and cache it.

    If two processes call this at the same time, only one of them fetches the data. If the cache is not writable, the
    data are fetched without being cached.

    Parameters
    ----------
    name : str
        The name of the data set, such as ``mnist``.
    fetch : callable
        ``fetch() -> Dataset``; called if the data set is not in the cache.

    Returns
    -------
    dataset : Dataset
        The data set of this name.

    Raises
    ------
    DataError
        If the fetched data are not the data set of this name.
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
        for leftover in cache_folder().glob(f".*.part.{name}.npz"):  # left by a process that was killed
            leftover.unlink(missing_ok=True)
        dataset = _verified(name, fetch())
        with contextlib.suppress(OSError):  # a full disk does not keep this process from using the data
            write_npz(cache_folder() / f"{name}.npz", dataset)
        return dataset
    finally:
        lock.release()


def _verified(name: str, dataset: Dataset) -> Dataset:
    if dataset.name != name:
        raise DataError(
            f"the data fetched as {name} have the sha256 {dataset.sha256}, which is not {name}'s; point "
            "NNKERNELS_DATA at a copy that you trust"
        )
    return dataset
