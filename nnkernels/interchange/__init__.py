"""Conversion of parameters to and from other libraries' models and files, one format per module."""

from nnkernels.interchange.architecture import fold
from nnkernels.interchange.checks import checked_parameters
from nnkernels.interchange.keras_builder import keras_optimizer, to_keras
from nnkernels.interchange.keras_reader import from_keras
from nnkernels.interchange.onnx_models import from_onnx, to_onnx
from nnkernels.interchange.parameter_files import Network, load_network, load_parameters, save_parameters
from nnkernels.interchange.preprocessing import Preprocessing
from nnkernels.interchange.sklearn_models import from_sklearn

__all__ = [
    "Network",
    "Preprocessing",
    "checked_parameters",
    "fold",
    "from_keras",
    "from_onnx",
    "from_sklearn",
    "keras_optimizer",
    "load_network",
    "load_parameters",
    "save_parameters",
    "to_keras",
    "to_onnx",
]
