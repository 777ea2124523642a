"""A cache of compiled kernels on disk, which replaces Numba's.

The files are in one folder per :attr:`MachineCode.digest <nnkernels.machine_code.MachineCode.digest>`. Errors of the
cache never stop a program: kernels are then compiled again.

A file contains a pickle, Numba's own representation of a compiled function. Unpickling can execute arbitrary code, so
files are read only from a folder that belongs to the user and that no other user can write to.
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
from types import FunctionType, SimpleNamespace
from typing import Any

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.extending import _Intrinsic
from numba.core.serialize import dumps

from nnkernels.data.cache import cache_folder
from nnkernels.errors import one_line
from nnkernels.files import PACKAGE, write_bytes
from nnkernels.machine_code import digest_of, machine_code, python_files

MAX_FOLDERS = 8  # of a few megabytes each
MIN_UNUSED_SECONDS = 24 * 3600.0  # minimum time after its last use until a folder may be removed
CHECKSUM_BYTES = 32

_warned = False


class CompileCacheWarning(UserWarning):
    """Compiled kernels could not be read from the cache or written to it."""


def attach(dispatcher: Any, options: dict[str, Any]) -> None:
    """Attach the cache to a dispatcher, unless its function has no source file.

    Parameters
    ----------
    dispatcher : Dispatcher
        Numba's dispatcher of a function.
    options : dict
        The options with which it compiles. They distinguish cached files, unlike in Numba's own cache.

    Warns
    -----
    CompileCacheWarning
        If the cache cannot be used, at most once per process.
    """
    path = _resolved(inspect.getfile(dispatcher.py_func))
    with _errors_as_warning():
        if path in machine_code().stamps or path.is_file():
            dispatcher._cache = KernelCache(dispatcher.py_func, path, options)


class KernelCache(FunctionCache):
    """The cache of one function, with one file per signature. It implements the interface of Numba's cache.

    The folder depends on the sources of the package. For functions outside the package, such as a plugin's, the file
    also contains a hash of their own package, or of all Python files in their folder.

    Parameters
    ----------
    function : callable
        The Python function.
    path : Path
        Its source file.
    options : dict
        Compile options.
    """

    def __init__(self, function: Callable[..., Any], path: Path, options: dict[str, Any]) -> None:
        # Numba's constructor is not called, because it would determine a location itself.
        self._py_func, self._name = function, repr(function)
        self._impl = _Serializer(function, path)
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
        """Folder of the files; None if there is none."""
        with _errors_as_warning():
            return str(folder())
        return None

    def flush(self) -> None:
        """Delete the cached files of this function."""
        with _errors_as_warning():
            for path in folder().glob(f"{self._prefix}-*"):
                path.unlink(missing_ok=True)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Load the code for a signature.

        Parameters
        ----------
        sig : tuple
            Numba types of the arguments.
        target_context : BaseContext
            Numba's target.

        Returns
        -------
        compiled : CompileResult or None
            The code; None if it is not cached, or if a source file or setting has changed since it was read.
        """
        target_context.refresh()
        with _errors_as_warning():
            if self._enabled and machine_code().is_current():
                return self._load(sig, target_context)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store the code for a signature, unless a source file or setting has changed since it was read.

        Parameters
        ----------
        sig : tuple
            Numba types of the arguments.
        data : CompileResult
            The code.
        """
        with _errors_as_warning():
            if self._enabled and machine_code().is_current() and self._impl.check_cachable(data):
                path, key = self._file(sig, data.codegen)
                compiled = dumps((key, self._impl.reduce(data)))  # type: ignore[no-untyped-call]
                content = pickle.dumps((self._stamp, compiled))
                write_bytes(path, hashlib.sha256(content).digest() + content)

    def _load(self, sig: Any, target_context: Any) -> Any:
        path, key = self._file(sig, target_context.codegen())
        try:
            stored = path.read_bytes()
        except FileNotFoundError:
            return None
        content = stored[CHECKSUM_BYTES:]
        if hashlib.sha256(content).digest() != stored[:CHECKSUM_BYTES]:
            raise ValueError(f"{path.name} is damaged")
        stamp, compiled = pickle.loads(content)
        if stamp != self._stamp:
            return None
        stored_key, reduced = pickle.loads(compiled)
        return self._impl.rebuild(target_context, reduced) if stored_key == key else None

    def _file(self, sig: Any, codegen: Any) -> tuple[Path, Any]:
        closure = [_identity(cell.cell_contents) for cell in self._py_func.__closure__ or ()]
        key = sig, codegen.magic_tuple(), _digest(self._py_func.__code__.co_code), closure
        return folder() / f"{self._prefix}-{_digest(repr((sig, closure)).encode())}.nbc", key


class _Serializer(CompileResultCacheImpl):
    """Numba's serialisation of compiled functions, without its search for a location."""

    def __init__(self, function: Callable[..., Any], path: Path) -> None:
        self._lineno, self._locator = function.__code__.co_firstlineno, SimpleNamespace(_py_file=str(path))


def folder() -> Path:
    """Return the cache folder of this process. It is created if it does not exist.

    The first usable location is used: ``NUMBA_CACHE_DIR`` if it is set, the folder of the package, the user's cache.

    Returns
    -------
    folder : Path
        The folder, named after the digest of the machine code.

    Raises
    ------
    OSError
        If no location can be created, or if the existing ones are not private to the user.
    """
    return _open_folder(vars(numba.config)["CACHE_DIR"], machine_code().digest)


@cache
def _open_folder(cache_dir: str, name: str) -> Path:
    error = OSError("no location for the cache")
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
                with suppress(OSError):  # a read-only cache can still be read
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
            raise PermissionError(f"{place} belongs to another user, or other users can write to it")


def _remove_old_folders(place: Path) -> None:
    used = {}
    for path in place.iterdir():
        with suppress(FileNotFoundError):  # another process has removed it
            if re.fullmatch("[0-9a-f]{32}", path.name) and path.is_dir() and not path.is_symlink():
                used[path] = path.stat().st_mtime
    for path in sorted(used, key=lambda path: used[path], reverse=True)[MAX_FOLDERS:]:
        if time.time() - used[path] > MIN_UNUSED_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def _stamp(function: Callable[..., Any], path: Path) -> str:
    """Return a hash of the source files from which a function outside the package may be compiled."""
    package = sys.modules.get(function.__module__.partition(".")[0])
    roots = getattr(package, "__path__", None)
    others = python_files(Path(roots[0])) if roots else sorted(path.parent.glob("*.py"))
    return digest_of([path, *others], path.parent)


def _identity(value: Any) -> Any:
    """Return what identifies a value in the closure of a function, in every process.

    Parameters
    ----------
    value : object
        The value.

    Returns
    -------
    identity : object
        Equal for equal values. It can be pickled.
    """
    # Numba's key has pickles of such values. But the pickle of an intrinsic contains a random number, and so does that
    # of a nested function, which contains all that the function uses. Functions of this package need no pickle, because
    # the folder of the cache is named after their sources.
    if isinstance(value, _Intrinsic):
        value = value._defn
    if isinstance(value, FunctionType) and _resolved(value.__code__.co_filename) in machine_code().stamps:
        cells = [_identity(cell.cell_contents) for cell in value.__closure__ or ()]
        return value.__module__, value.__qualname__, value.__code__.co_firstlineno, cells
    return dumps(value)  # type: ignore[no-untyped-call]


@cache
def _resolved(path: str) -> Path:
    return Path(path).resolve()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:24]


@contextmanager
def _errors_as_warning() -> Iterator[None]:
    """Turn exceptions into a warning, once per process, because kernels can be compiled without the cache."""
    global _warned
    try:
        yield
    except Exception as error:
        if not _warned:
            _warned = True
            warnings.warn(
                f"kernels are compiled without the cache, which takes several seconds: {one_line(error)}",
                CompileCacheWarning,
                stacklevel=2,
            )
