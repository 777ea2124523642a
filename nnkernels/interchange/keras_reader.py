"""Reading the parameters of an equivalent Keras model, however the model was built."""

from __future__ import annotations

import math
import sys
from typing import Any

from nnkernels.errors import DataError
from nnkernels.interchange.architecture import DENSE, RELU, SOFTMAX, Step, parameters_of_chain
from nnkernels.interchange.keras_import import import_keras
from nnkernels.parameters import Parameters


def from_keras(model: Any, where: str = "the Keras model") -> Parameters:
    """Return a copy of the parameters of a Keras model with the same architecture.

    Parameters
    ----------
    model : keras.Sequential or functional keras.Model
        Two ``Dense`` layers with biases and ReLU between them, optionally followed by softmax. ReLU and softmax may be
        activations or separate layers. ``Flatten`` and ``Dropout`` are allowed where they have no effect at inference.
        A function counts as ReLU or softmax only if it is that of Keras or TensorFlow, regardless of its name. Every
        layer has to compute in float32 or float64. The loss that the model is compiled with is ignored.
    where : str, default: "the Keras model"
        The name of the model, with which each error message begins.

    Returns
    -------
    params : Parameters
        They may contain NaN, as after a training run that diverged.

    Raises
    ------
    DataError
        If the model has another architecture; the message names the layers that were found.
    MissingDependencyError
        If Keras is not installed.

    Notes
    -----
    A model that was loaded from a file may differ from the model that was saved. Keras stores a function by its name,
    and if Keras has a function of that name, loading uses Keras' function instead. So a custom leaky ``relu`` comes
    back as Keras' ReLU, which cannot be detected afterwards.
    """
    keras = import_keras()
    if type(model) is not keras.Sequential:
        _check_chain(model, where)
    shape: Any = getattr(model, "input_shape", None)  # a Sequential that has not been built has none
    features = _features(shape, where)
    rank = len(shape) if isinstance(shape, tuple) else 2
    steps: list[Step] = []
    for layer in model.layers:
        rank = 2 if type(layer) is keras.layers.Flatten else rank
        steps += _steps(keras, layer, rank)
    params = parameters_of_chain(steps, features, where)
    _check_precision(model, where)
    return params


def _check_chain(model: Any, where: str) -> None:
    # The layers of a functional model are in order, but each may use the output of any earlier one.
    kind = type(model)
    is_keras = kind.__module__.split(".")[0] == "keras"  # a user-defined class may compute anything
    if not is_keras or kind.__name__ != "Functional":
        raise DataError(f"{where}: is a {kind.__name__}; expected a Sequential or a functional model of layers")
    tensor = model.inputs[0]
    chained = len(model.inputs) == len(model.outputs) == 1
    for layer in model.layers[1:]:
        # A layer that is used twice has no attribute `input`.
        chained = chained and getattr(layer, "input", None) is tensor
        tensor = getattr(layer, "output", None)
    if not chained or model.outputs[0] is not tensor:
        found = ", ".join(type(layer).__name__ for layer in model.layers[:12])
        raise DataError(f"{where}: the layers ({found}) do not form a chain from one input to one output")


def _features(shape: Any, where: str) -> int | None:
    if not isinstance(shape, tuple):
        return None
    if len(shape) > 2 and None in shape[1:]:
        raise DataError(f"{where}: takes arrays of shape {shape}; expected (None, D), or fixed sizes to flatten")
    return None if None in shape[1:] else math.prod(shape[1:])


def _check_precision(model: Any, where: str) -> None:
    dtypes = [(f"{type(layer).__name__} {layer.name!r} computes in", layer.compute_dtype) for layer in model.layers]
    for what, dtype in [*dtypes, ("takes features of", model.inputs[0].dtype)]:
        if dtype not in ("float32", "float64"):
            raise DataError(
                f"{where}: {what} {dtype}; expected float32 or float64, so build the model with dtype='float32' and "
                "copy the weights into it with set_weights"
            )


def _steps(keras: Any, layer: Any, rank: int) -> list[Step]:
    layers = keras.layers
    kind = type(layer)
    unknown = [Step(f"{kind.__name__} {layer.name!r}")]
    if kind in (layers.InputLayer, layers.Dropout):
        return []
    if kind is layers.Flatten:
        # channels_first transposes the image before flattening it.
        return [] if layer.data_format == "channels_last" else [Step("Flatten of channels_first")]
    if kind is layers.ReLU:
        plain = layer.max_value is None and not layer.negative_slope and not layer.threshold
        return [Step(RELU)] if plain else unknown
    if kind is layers.Softmax:
        return [Step(SOFTMAX)] if layer.axis in (-1, rank - 1) else unknown
    if kind is layers.Activation:
        return _activation(keras, layer.activation)
    if kind is layers.Dense:
        weights = layer.get_weights()
        if len(weights) != 2:
            return [Step(f"Dense {layer.name!r} of {len(weights)} arrays (expected a kernel and a bias)")]
        return [Step(DENSE, *weights), *_activation(keras, layer.activation)]
    return unknown


def _activation(keras: Any, function: Any) -> list[Step]:
    if function is keras.activations.linear:
        return []
    modules = [keras.activations, keras.ops]
    if (tensorflow := sys.modules.get("tensorflow")) is not None:
        modules.append(tensorflow.nn)
    for kind in (RELU, SOFTMAX):  # compare the functions, not their names
        if any(function is getattr(module, kind) for module in modules):
            return [Step(kind)]
    return [Step(f"function {getattr(function, '__name__', function)!s}")]
