"""The network's mathematics, one file a backend: ``<name>_kernels.py`` in this folder is the backend ``<name>``.

A module of another package becomes a backend by an entry point of the group ``nnkernels.kernels``.
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
    """Return the names of all backends, the reference (``numpy``) first; imports none of them."""
    return ("numpy", *sorted((_own() | set(installed_plugins(KERNELS_GROUP))) - {"numpy"}))


def _own() -> set[str]:
    found = {module.name for module in pkgutil.iter_modules(__path__)}
    return {name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX)}


@cache
def load(name: str) -> Backend:
    """Import a backend and check that it keeps the contract.

    Raises
    ------
    UnknownNameError
        If there is no such backend.
    ContractError
        If it lacks a function of the contract, or a function has other arguments.
    """
    if name not in names():
        raise UnknownNameError("backend", name, names())
    if name in _own():  # a plugin cannot take the place of one of ours
        return checked(import_module(f"{__name__}.{name}{SUFFIX}"))
    return checked(installed_plugins(KERNELS_GROUP)[name].load())


def owner(name: str, *functions: str) -> str:
    """Return the backend whose functions of these names a backend has: itself, or the one that it takes all from.

    Only the same function object counts. The owner is the backend whose module defines it; of a function from
    elsewhere, the first in :func:`names` that has it.

    Raises
    ------
    UnknownNameError, ContractError
        As :func:`load` does, of the backend ``name``.
    """
    wanted = [getattr(load(name), function) for function in functions]
    if name in _own() and any(_defined_in(function) == _module_name(name) for function in wanted):
        return name
    sharing = [other for other in names() if other == name or _has(other, functions, wanted)]
    return min(sharing, key=lambda other: (_module_name(other) != _defined_in(wanted[0]), other not in _own()))


def _defined_in(function: object) -> str:
    return getattr(function, "__module__", None) or ""


def _module_name(name: str) -> str:
    return f"{__name__}.{name}{SUFFIX}" if name in _own() else installed_plugins(KERNELS_GROUP)[name].module


def _has(name: str, functions: tuple[str, ...], wanted: list[object]) -> bool:
    try:
        backend = load(name)
    except Exception:  # somebody's broken plugin says so where it is asked for itself
        return False
    return all(getattr(backend, function, None) is one for function, one in zip(functions, wanted, strict=True))


def load_file(path: Path) -> Backend:
    """Import somebody's own kernels from a file, an edited copy of ``numpy_kernels.py`` say.

    They are no backend of the suite: their mathematics may be another, and nothing discovers them.

    Raises
    ------
    DataError
        If there is no such Python file.
    ContractError
        If it cannot be imported, lacks a function of the contract, or a function has other arguments.
    """
    if not path.is_file():
        raise DataError(f"{path} is no Python file; copy nnkernels/kernels/numpy_kernels.py and change the copy")
    module = ModuleType(f"kernels_from_file_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where dataclasses and Numba look a function's module up
    try:
        # Not by the import system, whose bytecode beside the file could outlive a quick edit.
        exec(compile(path.read_bytes(), path, "exec", dont_inherit=True), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[module.__name__]
        line = _line(error, path)
        where = f", line {line}" if line else ""
        raise ContractError(f"{path}{where} cannot be imported: {one_line(error)}") from error
    return checked(module)


def _line(error: BaseException, path: Path) -> int | None:
    """Return the line of a file where an error came up, if it was there."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return lines[-1] if lines else None
