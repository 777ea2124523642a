"""Compiled kernels on disk: a folder for each machine code, and no failure of the disk that stops a program.

What a file holds is a pickle: Numba's own form of a compiled function. To read a pickle can mean to run whatever it
says, so they are only read from a folder that belongs to the user and that nobody else can write to.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import pickle
import re
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.serialize import dumps

from nnkernels.data.cache import cache_folder
from nnkernels.errors import one_line
from nnkernels.files import PACKAGE, write_bytes
from nnkernels.machine_code import digest_of, machine_code, python_files

MOST_FOLDERS = 8  # of some megabytes each
KEPT_SECONDS = 24 * 3600.0  # since a folder was last used; until then it stays, however many there are
CHECKSUM_BYTES = 32

_warned = False


class CompileCacheWarning(UserWarning):
    """Compiled kernels could not be read from the disk, or not be kept there."""


def attach(dispatcher: Any, options: dict[str, Any]) -> None:
    """Let a dispatcher keep what it compiles with these options; one whose function has no source file keeps nothing.

    A cache that cannot be used is a :class:`CompileCacheWarning`, once a process, and costs time only.
    """
    path = _resolved(inspect.getfile(dispatcher.py_func))
    with _not_failing():
        if path in machine_code().stamps or path.is_file():
            dispatcher._cache = KernelCache(dispatcher.py_func, path, options)


class KernelCache(FunctionCache):
    """Numba's cache of one function, but with a file for each signature, in the folder of this machine code.

    Of a function that is not among the package's kernels, what is in its package, or in the files beside it, counts
    as well.
    """

    def __init__(self, function: Callable[..., Any], path: Path, options: dict[str, Any]) -> None:
        # Not that of Numba's class, which would look for a place of its own.
        self._py_func, self._name = function, repr(function)
        self._impl = _Results(function, path)
        own = path in machine_code().stamps
        self._stamp = "" if own else _stamp(function, path)
        chosen = {name: sorted(value) if isinstance(value, set) else value for name, value in options.items()}
        where = path.relative_to(PACKAGE) if own else path
        identity = f"{where}:{function.__code__.co_firstlineno}:{function.__qualname__} {chosen}"
        readable = re.sub(r"\W+", "_", function.__qualname__)[-60:]
        self._prefix = f"{readable}-{_digest(identity.encode())}"
        self.enable()  # type: ignore[no-untyped-call]

    @property
    def cache_path(self) -> str | None:
        """The folder of the files; None where there is none."""
        with _not_failing():
            return str(folder())
        return None

    def flush(self) -> None:
        """Delete what is kept of this function."""
        with _not_failing():
            for path in folder().glob(f"{self._prefix}-*"):
                path.unlink(missing_ok=True)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what was compiled for a signature, or None."""
        target_context.refresh()
        with _not_failing():
            if self._enabled and machine_code().is_current():
                return self._load(sig, target_context)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled for a signature."""
        with _not_failing():
            if self._enabled and machine_code().is_current() and self._impl.check_cachable(data):
                path, key = self._file(sig, data.codegen)
                compiled = dumps((key, self._impl.reduce(data)))  # type: ignore[no-untyped-call]
                content = pickle.dumps((self._stamp, compiled))
                write_bytes(path, hashlib.sha256(content).digest() + content)

    def _load(self, sig: Any, target_context: Any) -> Any:
        path, key = self._file(sig, target_context.codegen())
        try:
            kept = path.read_bytes()
        except FileNotFoundError:
            return None
        content = kept[CHECKSUM_BYTES:]
        if hashlib.sha256(content).digest() != kept[:CHECKSUM_BYTES]:
            raise ValueError(f"{path.name} is damaged")
        stamp, compiled = pickle.loads(content)
        if stamp != self._stamp:
            return None
        of_key, reduced = pickle.loads(compiled)
        return self._impl.rebuild(target_context, reduced) if of_key == key else None

    def _file(self, sig: Any, codegen: Any) -> tuple[Path, Any]:
        # The signature, the CPU, and hashes of the function and its closure.
        key = self._index_key(sig, codegen)  # type: ignore[no-untyped-call]
        closure = key[-1][-1]
        return folder() / f"{self._prefix}-{_digest(repr((sig, closure)).encode())}.nbc", key


class _Results(CompileResultCacheImpl):
    """How Numba makes a compiled function storable, and tells whether it can be; without a place for it."""

    def __init__(self, function: Callable[..., Any], path: Path) -> None:
        self._lineno, self._locator = function.__code__.co_firstlineno, SimpleNamespace(_py_file=str(path))


def folder() -> Path:
    """Return the folder of this process' machine code, made if there is none yet.

    Below ``NUMBA_CACHE_DIR`` if that is set, else in the package's own folder, else in the user's cache.

    Raises
    ------
    OSError
        If none of them can be made or belongs to the user alone.
    """
    return _opened(vars(numba.config)["CACHE_DIR"], machine_code().digest)


@cache
def _opened(cache_dir: str, name: str) -> Path:
    error = OSError("no folder for it")
    for place in (
        *([Path(cache_dir, "nnkernels")] if cache_dir else []),
        PACKAGE / "__pycache__" / "machine_code",
        cache_folder() / "machine_code",
    ):
        found = place / name
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            _require_private(place)
            if found.is_dir():
                with suppress(OSError):  # where nothing can be written, reading still helps
                    os.utime(found)
            else:
                found.mkdir(mode=0o700, exist_ok=True)
                _remove_old_folders(place)
        except OSError as reason:
            error = reason
            continue
        return found
    raise error


def _require_private(place: Path) -> None:
    if sys.platform != "win32":
        status = place.stat()
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise PermissionError(f"{place} belongs to somebody else, or others can write to it")


def _remove_old_folders(place: Path) -> None:
    used = {}
    for path in place.iterdir():
        with suppress(FileNotFoundError):  # another process removes it
            if re.fullmatch("[0-9a-f]{32}", path.name) and path.is_dir() and not path.is_symlink():
                used[path] = path.stat().st_mtime
    for path in sorted(used, key=lambda path: used[path], reverse=True)[MOST_FOLDERS:]:
        if time.time() - used[path] > KEPT_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def _stamp(function: Callable[..., Any], path: Path) -> str:
    """Return a hash of what a function that is not ours may be compiled from."""
    package = sys.modules.get(function.__module__.partition(".")[0])
    roots = getattr(package, "__path__", None)
    beside = python_files(Path(roots[0])) if roots else sorted(path.parent.glob("*.py"))
    return digest_of([path, *beside], path.parent)


@cache
def _resolved(path: str) -> Path:
    return Path(path).resolve()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:24]


@contextmanager
def _not_failing() -> Iterator[None]:
    """Turn an error into a warning, the first of a process: whoever wants to compile can do so without a cache."""
    global _warned
    try:
        yield
    except Exception as error:
        if not _warned:
            _warned = True
            warnings.warn(
                f"kernels are compiled without the cache, which takes some seconds: {one_line(error)}",
                CompileCacheWarning,
                stacklevel=2,
            )
