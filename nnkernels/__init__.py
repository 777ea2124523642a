"""One network for MNIST digits, written from scratch, benchmarked for speed and accuracy.

The public names load on first use, so that ``import nnkernels`` stays as light as ``import numpy``
and loads neither Numba nor a framework.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from nnkernels.data import Dataset, load_mnist
    from nnkernels.history import History
    from nnkernels.measure.gate import verify
    from nnkernels.parameters import Parameters, initial_parameters
    from nnkernels.recipes import Recipe
    from nnkernels.training import train

_HOMES = {
    "Dataset": "nnkernels.data",
    "load_mnist": "nnkernels.data",
    "verify": "nnkernels.measure.gate",
    "Parameters": "nnkernels.parameters",
    "initial_parameters": "nnkernels.parameters",
    "Recipe": "nnkernels.recipes",
    "History": "nnkernels.history",
    "train": "nnkernels.training",
}

__all__ = [
    "Dataset",
    "History",
    "Parameters",
    "Recipe",
    "__version__",
    "initial_parameters",
    "load_mnist",
    "train",
    "verify",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
