"""Who can train the network: the protocol of a contender, and the discovery of all of them.

A file in this folder whose name has no leading underscore holds contenders; it imports its framework only
inside its functions. It offers ``contenders()``, which returns its names, each with a :class:`Entry`. A module of
another package does the same through an entry point of the group ``nnkernels.contenders``.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from nnkernels.contenders._apart import ContenderApart
from nnkernels.contenders._protocol import Contender, Entry
from nnkernels.errors import ContractError, InferenceOnlyError, MissingDependencyError, UnknownNameError
from nnkernels.plugins import CONTENDERS_GROUP, installed_plugins
from nnkernels.process_settings import kept_threads

__all__ = [
    "Contender",
    "Entry",
    "create",
    "create_anywhere",
    "entry",
    "install_command",
    "is_installed",
    "names",
    "require_installed",
    "require_trainable",
    "thread_limit",
]


@cache
def _entries() -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for module in _modules():
        for name, found in module.contenders().items():
            if name in entries:
                raise ContractError(f"two contenders are called {name!r}; the second is in {module.__name__}")
            entries[name] = found
    return entries


def _modules() -> Iterator[ModuleType]:
    files = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    for file in ("ours", *(name for name in files if name != "ours")):
        yield import_module(f"{__name__}.{file}")
    for point in installed_plugins(CONTENDERS_GROUP).values():
        yield point.load()


def names() -> tuple[str, ...]:
    """Return the names of all contenders, ours first, installed or not."""
    return tuple(_entries())


def entry(name: str) -> Entry:
    """Return what is known of a contender without importing its framework.

    Raises
    ------
    UnknownNameError
        If there is no such contender.
    """
    if name not in _entries():
        raise UnknownNameError("contender", name, names())
    return _entries()[name]


def is_installed(name: str) -> bool:
    """Return whether the packages that a contender needs are installed."""
    return all(find_spec(package) is not None for package in entry(name).packages)


def install_command(name: str) -> str:
    """Return the command that installs what a contender needs."""
    return f"pip install 'nnkernels[{entry(name).extra}]'" if entry(name).extra else "pip install nnkernels"


def require_installed(name: str) -> Entry:
    """Return what is known of a contender that could be created here.

    Raises
    ------
    UnknownNameError
        If there is no such contender.
    MissingDependencyError
        If a package that it needs is not installed.
    """
    found = entry(name)
    for package in found.packages:
        if find_spec(package) is None:
            raise MissingDependencyError(f"the contender {name}", package, found.extra)
    return found


def require_trainable(name: str) -> Entry:
    """Return what is known of a contender that could be trained here.

    Raises
    ------
    UnknownNameError, MissingDependencyError
        As :func:`require_installed` does.
    InferenceOnlyError
        If it only predicts.
    """
    found = require_installed(name)
    if not found.trains:
        raise InferenceOnlyError(name)
    return found


def create(name: str) -> Contender:
    """Return a new contender in this process, not yet prepared.

    Raises
    ------
    UnknownNameError, MissingDependencyError
        As :func:`require_installed` does.
    ConfigurationError
        If it cannot be in one process with what is imported here; :func:`create_anywhere` has no such limit.
    """
    return require_installed(name).create()


def create_anywhere(name: str) -> Contender:
    """Return a new contender, not yet prepared, in a process of its group if its :class:`Entry` names one.

    It is for everything but timing: what is handed over to another process takes time.

    Raises
    ------
    UnknownNameError, MissingDependencyError
        As :func:`require_installed` does.
    """
    process = require_installed(name).process
    return ContenderApart(name, process) if process else create(name)


@contextmanager
def thread_limit(contender: Contender, threads: int) -> Iterator[None]:
    """Let a contender use that many threads; afterwards BLAS, Numba and PyTorch have those of before.

    TensorFlow, XLA and the process of a contender of :func:`create_anywhere` keep the last number.

    Raises
    ------
    ConfigurationError
        If the contender cannot use that many.
    """
    with kept_threads():
        contender.use_threads(threads)
        yield
