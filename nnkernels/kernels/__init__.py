"""The mathematics of the network, one module per backend: ``<name>_kernels.py`` is the backend ``<name>``.

A module of another package becomes a backend if it is registered under the entry-point group ``nnkernels.kernels``.
"""

from __future__ import annotations

import pkgutil
import sys
import traceback
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from nnkernels.errors import ContractError, DataError, UnknownNameError, one_line
from nnkernels.kernels.contract import Activations, Backend, OptimizerState, checked, initial_state
from nnkernels.plugins import KERNELS_GROUP, installed_plugins

__all__ = ["Activations", "Backend", "OptimizerState", "initial_state", "load", "load_file", "names", "owner"]

SUFFIX = "_kernels"


@cache
def names() -> tuple[str, ...]:
    """Return the names of all backends, without importing them.

    Returns
    -------
    names : tuple of str
        The reference, ``numpy``, first; the others in alphabetical order.
    """
    return ("numpy", *sorted((_built_in() | set(installed_plugins(KERNELS_GROUP))) - {"numpy"}))


def _built_in() -> set[str]:
    found = {module.name for module in pkgutil.iter_modules(__path__)}
    return {name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX)}


@cache
def load(name: str) -> Backend:
    """Import a backend and check that it implements the contract.

    Parameters
    ----------
    name : str
        Name of the backend.

    Returns
    -------
    backend : Backend
        Its module.

    Raises
    ------
    UnknownNameError
        If there is no such backend.
    ContractError
        If a function of the contract is missing or has other arguments.
    """
    if name not in names():
        raise UnknownNameError("backend", name, names())
    if name in _built_in():  # a plugin cannot replace a built-in backend
        return checked(import_module(f"{__name__}.{name}{SUFFIX}"))
    return checked(installed_plugins(KERNELS_GROUP)[name].load())


def owner(name: str, *functions: str) -> str:
    """Return the backend that owns functions which several backends may share.

    Functions are shared if they are the same object. Their owner is the backend whose module defines them. If they are
    defined elsewhere, it is the first backend in :func:`names` that has them.

    Parameters
    ----------
    name : str
        Name of a backend.
    *functions : str
        Names of some of its functions.

    Returns
    -------
    owner : str
        Name of the owner. It is ``name`` unless another backend owns all of these functions.

    Raises
    ------
    UnknownNameError, ContractError
        If ``name`` cannot be loaded (see :func:`load`).
    """
    wanted = [getattr(load(name), function) for function in functions]
    if name in _built_in() and any(_defined_in(function) == _module_name(name) for function in wanted):
        return name
    sharing = [other for other in names() if other == name or _has(other, functions, wanted)]
    return min(sharing, key=lambda other: (_module_name(other) != _defined_in(wanted[0]), other not in _built_in()))


def _defined_in(function: object) -> str:
    return getattr(function, "__module__", None) or ""


def _module_name(name: str) -> str:
    return f"{__name__}.{name}{SUFFIX}" if name in _built_in() else installed_plugins(KERNELS_GROUP)[name].module


def _has(name: str, functions: tuple[str, ...], wanted: list[object]) -> bool:
    try:
        backend = load(name)
    except Exception:  # a broken plugin is reported when it is loaded by name
        return False
    return all(getattr(backend, function, None) is one for function, one in zip(functions, wanted, strict=True))


def load_file(path: Path) -> Backend:
    """Import kernels from a file of the user, such as an edited copy of ``numpy_kernels.py``.

    They do not become a registered backend, because they may define a different network.

    Parameters
    ----------
    path : Path
        A Python file.

    Returns
    -------
    backend : Backend
        The module.

    Raises
    ------
    DataError
        If there is no such Python file.
    ContractError
        If it cannot be imported, lacks a function of the contract, or a function has other arguments.
    """
    if not path.is_file():
        raise DataError(
            f"{path} is not a file; expected a Python file, such as an edited copy of "
            "nnkernels/kernels/numpy_kernels.py"
        )
    module = ModuleType(f"kernels_from_file_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses and Numba look up the module of a function here
    try:
        # The import system could use stale bytecode after two edits within the resolution of the file's time.
        exec(compile(path.read_bytes(), path, "exec", dont_inherit=True), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[module.__name__]
        line = _line(error, path)
        where = f", line {line}" if line else ""
        raise ContractError(f"{path}{where} cannot be imported: {one_line(error)}") from error
    return checked(module)


def _line(error: BaseException, path: Path) -> int | None:
    """Return the line of a file in which an error was raised, or None if it was raised elsewhere."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return lines[-1] if lines else None
