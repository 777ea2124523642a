"""The contenders: the protocol, and the discovery of all implementations.

Each file in this folder defines contenders, unless its name starts with an underscore. Its function ``contenders()``
returns an :class:`Entry` for each name. It imports its framework only inside functions. Other packages can add
contenders with an entry point in the group ``nnkernels.contenders`` that refers to such a module.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from nnkernels.contenders._protocol import Contender, Entry, ReplacesImages, ReplacesParameters, SharesImages
from nnkernels.contenders._subprocess import SubprocessContender
from nnkernels.errors import ContractError, InferenceOnlyError, MissingDependencyError, UnknownNameError
from nnkernels.plugins import CONTENDERS_GROUP, installed_plugins
from nnkernels.process_settings import preserved_thread_counts

__all__ = [
    "Contender",
    "Entry",
    "ReplacesImages",
    "ReplacesParameters",
    "SharesImages",
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
                raise ContractError(f"two contenders are named {name!r}: rename the one in {module.__name__}")
            entries[name] = found
    return entries


def _modules() -> Iterator[ModuleType]:
    files = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    for file in ("ours", *(name for name in files if name != "ours")):
        yield import_module(f"{__name__}.{file}")
    for point in installed_plugins(CONTENDERS_GROUP).values():
        yield point.load()


def names() -> tuple[str, ...]:
    """Return the names of all contenders, installed or not.

    Returns
    -------
    names : tuple of str
        The contenders of nnkernels' own kernels come first.
    """
    return tuple(_entries())


def entry(name: str) -> Entry:
    """Return the entry of a contender, without importing its framework.

    Parameters
    ----------
    name : str
        The name of a contender.

    Returns
    -------
    entry : Entry
        What is known about the contender.

    Raises
    ------
    UnknownNameError
        If there is no such contender.
    """
    if name not in _entries():
        raise UnknownNameError("contender", name, names())
    return _entries()[name]


def is_installed(name: str) -> bool:
    """Return whether the packages that a contender requires are installed.

    Parameters
    ----------
    name : str
        The name of a contender.

    Returns
    -------
    installed : bool
        True if all required packages are installed.

    Raises
    ------
    UnknownNameError
        If there is no such contender.
    """
    return all(find_spec(package) is not None for package in entry(name).packages)


def install_command(name: str) -> str:
    """Return the command that installs the packages of a contender.

    Parameters
    ----------
    name : str
        The name of a contender.

    Returns
    -------
    command : str
        A pip command.

    Raises
    ------
    UnknownNameError
        If there is no such contender.
    """
    return f"pip install 'nnkernels[{entry(name).extra}]'" if entry(name).extra else "pip install nnkernels"


def require_installed(name: str) -> Entry:
    """Return the entry of a contender whose packages are installed.

    Parameters
    ----------
    name : str
        The name of a contender.

    Returns
    -------
    entry : Entry
        What is known about the contender.

    Raises
    ------
    UnknownNameError
        If there is no such contender.
    MissingDependencyError
        If a required package is not installed.
    """
    found = entry(name)
    for package in found.packages:
        if find_spec(package) is None:
            raise MissingDependencyError(f"the contender {name}", package, found.extra)
    return found


def require_trainable(name: str) -> Entry:
    """Return the entry of a contender that is installed and can train.

    Parameters
    ----------
    name : str
        The name of a contender.

    Returns
    -------
    entry : Entry
        What is known about the contender.

    Raises
    ------
    UnknownNameError, MissingDependencyError
        As :func:`require_installed`.
    InferenceOnlyError
        If the contender only supports inference.
    """
    found = require_installed(name)
    if not found.trains:
        raise InferenceOnlyError(name)
    return found


def create(name: str) -> Contender:
    """Create a contender in this process. It still has to be prepared.

    Parameters
    ----------
    name : str
        The name of a contender.

    Returns
    -------
    contender : Contender
        A new contender.

    Raises
    ------
    UnknownNameError, MissingDependencyError
        As :func:`require_installed`.
    ConfigurationError
        If the contender conflicts with a package imported in this process; :func:`create_anywhere` has no such limit.
    """
    return require_installed(name).create()


def create_anywhere(name: str) -> Contender:
    """Create a contender, in a separate process if its :class:`Entry` names one. It still has to be prepared.

    Do not use it for timing, because transferring data to another process takes time.

    Parameters
    ----------
    name : str
        The name of a contender.

    Returns
    -------
    contender : Contender
        A new contender.

    Raises
    ------
    UnknownNameError, MissingDependencyError
        As :func:`require_installed`.
    """
    process = require_installed(name).process
    return SubprocessContender(name, process) if process else create(name)


@contextmanager
def thread_limit(contender: Contender, threads: int) -> Iterator[None]:
    """Set the number of threads of a contender within the block.

    Afterwards BLAS, Numba and PyTorch have their previous numbers of threads. TensorFlow, XLA and the separate process
    of a contender of :func:`create_anywhere` keep the new number.

    Parameters
    ----------
    contender : Contender
        The contender.
    threads : int
        The number of threads.

    Raises
    ------
    ConfigurationError
        If the contender cannot use this number of threads.
    """
    with preserved_thread_counts():
        contender.use_threads(threads)
        yield
