"""Conversion of parameters to and from other libraries' models and files, one format per module."""

from nnkernels.interchange.checks import checked_parameters
from nnkernels.interchange.keras_builder import keras_optimizer, to_keras
from nnkernels.interchange.keras_reader import from_keras
from nnkernels.interchange.onnx_files import from_onnx, to_onnx
from nnkernels.interchange.parameter_files import load_parameters, save_parameters

__all__ = [
    "checked_parameters",
    "from_keras",
    "from_onnx",
    "keras_optimizer",
    "load_parameters",
    "save_parameters",
    "to_keras",
    "to_onnx",
]
