"""The network's mathematics, one file a backend: ``<name>_kernels.py`` in this folder is the backend ``<name>``.

A module of another package becomes a backend by an entry point of the group ``nnkernels.kernels``.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from nnkernels.errors import UnknownNameError
from nnkernels.kernels.contract import Activations, Backend, OptimizerState, checked, initial_state
from nnkernels.plugins import KERNELS_GROUP, installed_plugins

__all__ = ["Activations", "Backend", "OptimizerState", "initial_state", "load", "names"]

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
