"""One network for MNIST digits, written from scratch, benchmarked for speed and accuracy.

The public names load on first use, so that ``import nnkernels`` stays as light as ``import numpy``
and loads neither Numba nor a framework.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
    from nnkernels import contenders, interchange, kernels, plots, steps, transforms
    from nnkernels.accuracy.calibration import expected_calibration_error, reliability
    from nnkernels.accuracy.errors import Answers, answers
    from nnkernels.accuracy.recorded import recorded_accuracy
    from nnkernels.chunked import train_from_file
    from nnkernels.comparing.pair import Comparison, compare
    from nnkernels.data import Dataset, LabelledImages, load_mnist
    from nnkernels.data.image_file import ImageFile
    from nnkernels.estimator import MLPClassifier
    from nnkernels.evaluation import evaluate
    from nnkernels.grading import check_softmax, check_update, gradcheck
    from nnkernels.history import History
    from nnkernels.interchange import Preprocessing, load_network, load_parameters, save_parameters
    from nnkernels.measure.correctness.verification import verify
    from nnkernels.parameters import Parameters, initial_parameters
    from nnkernels.recipes import Optimizer, Recipe, named_recipe
    from nnkernels.training import batch_order, train

# What lies where; a module is its own home.
_HOMES = {
    "Answers": "nnkernels.accuracy.errors",
    "Comparison": "nnkernels.comparing.pair",
    "Dataset": "nnkernels.data",
    "History": "nnkernels.history",
    "ImageFile": "nnkernels.data.image_file",
    "LabelledImages": "nnkernels.data",
    "MLPClassifier": "nnkernels.estimator",
    "Optimizer": "nnkernels.recipes",
    "Parameters": "nnkernels.parameters",
    "Preprocessing": "nnkernels.interchange",
    "Recipe": "nnkernels.recipes",
    "answers": "nnkernels.accuracy.errors",
    "batch_order": "nnkernels.training",
    "check_softmax": "nnkernels.grading",
    "check_update": "nnkernels.grading",
    "compare": "nnkernels.comparing.pair",
    "contenders": "nnkernels.contenders",
    "evaluate": "nnkernels.evaluation",
    "expected_calibration_error": "nnkernels.accuracy.calibration",
    "gradcheck": "nnkernels.grading",
    "initial_parameters": "nnkernels.parameters",
    "interchange": "nnkernels.interchange",
    "kernels": "nnkernels.kernels",
    "load_mnist": "nnkernels.data",
    "load_network": "nnkernels.interchange",
    "load_parameters": "nnkernels.interchange",
    "named_recipe": "nnkernels.recipes",
    "plots": "nnkernels.plots",
    "recorded_accuracy": "nnkernels.accuracy.recorded",
    "reliability": "nnkernels.accuracy.calibration",
    "save_parameters": "nnkernels.interchange",
    "steps": "nnkernels.steps",
    "train": "nnkernels.training",
    "train_from_file": "nnkernels.chunked",
    "transforms": "nnkernels.transforms",
    "verify": "nnkernels.measure.correctness.verification",
}

__all__ = [
    "Answers",
    "Comparison",
    "Dataset",
    "History",
    "ImageFile",
    "LabelledImages",
    "MLPClassifier",
    "Optimizer",
    "Parameters",
    "Preprocessing",
    "Recipe",
    "__version__",
    "answers",
    "batch_order",
    "check_softmax",
    "check_update",
    "compare",
    "contenders",
    "evaluate",
    "expected_calibration_error",
    "gradcheck",
    "initial_parameters",
    "interchange",
    "kernels",
    "load_mnist",
    "load_network",
    "load_parameters",
    "named_recipe",
    "plots",
    "recorded_accuracy",
    "reliability",
    "save_parameters",
    "steps",
    "train",
    "train_from_file",
    "transforms",
    "verify",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        return _installed_version()
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(_HOMES[name])
    return home if home.__name__ == f"{__name__}.{name}" else getattr(home, name)


def __dir__() -> list[str]:
    return __all__


def _installed_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("nnkernels")
    except PackageNotFoundError:
        return "0+unknown"
