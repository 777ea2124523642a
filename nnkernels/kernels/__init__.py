"""The network's mathematics, one file a backend: ``<name>_kernels.py`` in this folder is the backend ``<name>``."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from nnkernels.errors import UnknownNameError
from nnkernels.kernels.contract import Activations, Backend, OptimizerState, checked, initial_state

__all__ = ["Activations", "Backend", "OptimizerState", "initial_state", "load", "names"]

SUFFIX = "_kernels"


@cache
def names() -> tuple[str, ...]:
    """Return the names of all backends, the reference (``numpy``) first; imports none of them."""
    found = {module.name for module in pkgutil.iter_modules(__path__)}
    backends = {name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX)}
    return ("numpy", *sorted(backends - {"numpy"}))


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
    return checked(import_module(f"{__name__}.{name}{SUFFIX}"))
