"""Reading the parameters of an equivalent Keras model, however the model was built."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nnkernels.errors import DataError
from nnkernels.interchange.architecture import SCALING, Step, parameters_of_chain
from nnkernels.interchange.file_format import Decoded
from nnkernels.interchange.keras_import import import_keras
from nnkernels.interchange.keras_layers import layer_steps
from nnkernels.interchange.preprocessing import Preprocessing, stated_preprocessing
from nnkernels.parameters import Parameters


def from_keras(
    model: Any,
    where: str = "the Keras model",
    *,
    input_range: Sequence[float] | None = None,
    preprocessing: Preprocessing | None = None,
) -> Parameters:
    """Return a copy of the parameters of a Keras model with the same architecture.

    Parameters
    ----------
    model : keras.Sequential or functional keras.Model
        Two ``Dense`` layers and ReLU between them, optionally followed by softmax. ReLU and softmax may be activations
        or separate layers, and models may be nested. ``Flatten``, ``Reshape``, ``Dropout``, noise and augmentation are
        allowed where they have no effect at inference. ``Rescaling``, ``Normalization`` and ``BatchNormalization`` are
        folded into the dense layers. A function counts as ReLU or softmax only if it is that of Keras or TensorFlow,
        regardless of its name. Every layer has to compute in float32 or float64. The loss that the model is compiled
        with is ignored.
    where : str, default: "the Keras model"
        The name of the model, with which each error message begins.
    input_range : sequence of two floats, optional
        What the model takes for a pixel of 0 and for a pixel of 255. By default, a model that begins with a
        ``Rescaling`` by about 1/255 takes ``(0, 255)``, and a model without normalisation ``(0, 1)``.
    preprocessing : Preprocessing, optional
        The preprocessing of the features that the model was trained on, instead of `input_range`.

    Returns
    -------
    params : Parameters
        For features that are pixels / 255. They may contain NaN, as after a training run that diverged.

    Raises
    ------
    DataError
        If the model has another architecture, in which case the message names the layers that were found, or if it
        normalises its input and nothing states the range of this input.
    ConfigurationError
        If `input_range` is invalid, or `preprocessing` is given too.
    MissingDependencyError
        If Keras is not installed.

    Notes
    -----
    A model that was loaded from a file may differ from the model that was saved. Keras stores a function by its name,
    and if Keras has a function of that name, loading uses Keras' function instead. So a custom leaky ``relu`` comes
    back as Keras' ReLU, which cannot be detected afterwards.
    """
    decoded = decoded_model(model, where)
    stated = stated_preprocessing(input_range, preprocessing)
    return parameters_of_chain(decoded.steps, decoded.features, where, stated)


def decoded_model(model: Any, where: str) -> Decoded:
    """Return the steps of a Keras model. See :func:`from_keras` for the accepted models.

    Parameters
    ----------
    model : keras.Sequential or functional keras.Model
        The model.
    where : str
        The name of the model, with which each error message begins.

    Returns
    -------
    decoded : Decoded
        The steps.

    Raises
    ------
    DataError
        If the layers do not form a chain, or if the model takes arrays of an unknown size.
    """
    keras = import_keras()
    shape: Any = getattr(model, "input_shape", None)  # a Sequential that has not been built has none
    if type(model) is not keras.Sequential:
        _check_chain(model, where)
        shape = model.input_shape
    features = _features(shape, where)
    steps: list[Step] = []
    sizes = tuple(shape[1:]) if isinstance(shape, tuple) else None
    for layer in _layers(keras, model, where):
        found, sizes = layer_steps(keras, layer, sizes)
        steps += found
    if steps and getattr(model, "inputs", None):  # a Sequential that has not been built has none
        _check_precision(model, steps, where)
    return Decoded(steps, features)


def _layers(keras: Any, model: Any, where: str) -> list[Any]:
    layers: list[Any] = []
    for layer in model.layers:
        if type(layer) is keras.Sequential:
            layers += _layers(keras, layer, where)
        elif isinstance(layer, keras.Model):
            _check_chain(layer, where)
            layers += _layers(keras, layer, where)
        else:
            layers.append(layer)
    return layers


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


def _check_precision(model: Any, steps: Sequence[Step], where: str) -> None:
    layers = _layers(import_keras(), model, where)
    found = [(f"{type(layer).__name__} {layer.name!r} computes in", layer.compute_dtype) for layer in layers]
    # A normalisation converts whatever it takes, such as uint8.
    if steps[0].kind != SCALING:
        found.append(("takes features of", model.inputs[0].dtype))
    for what, dtype in found:
        if dtype not in ("float32", "float64"):
            raise DataError(
                f"{where}: {what} {dtype}; expected float32 or float64, so build the model with dtype='float32' and "
                "floatx float32 in keras.json, and copy the weights into it with set_weights"
            )
