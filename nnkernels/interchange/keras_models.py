"""Parameters to and from Keras; the one builder of the equivalent Keras model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nnkernels.errors import DataError
from nnkernels.interchange.architecture import DENSE, RELU, SOFTMAX, Step, parameters_of_chain
from nnkernels.interchange.keras_dtype import float32_floatx
from nnkernels.interchange.keras_import import import_keras
from nnkernels.parameters import Parameters, native

if TYPE_CHECKING:
    from nnkernels.recipes import Optimizer


def to_keras(parameters: Parameters) -> Any:
    """Build the equivalent Keras model: two ``Dense`` layers, ReLU between them, logits at the end.

    The model ends in logits and leaves softmax to the loss (``from_logits=True``), which Keras advises and
    which is both its fastest and its most precise form.

    Parameters
    ----------
    parameters : Parameters
        Copied into the model, which computes in their dtype, whatever Keras' ``floatx`` and dtype policy are.

    Returns
    -------
    keras.Sequential
        From features (N, D) to logits (N, C), built.

    Raises
    ------
    MissingDependencyError
        If Keras is not installed.
    """
    keras = import_keras()
    parameters = native(parameters)
    inputs, hidden = parameters.W1.shape
    classes = parameters.W2.shape[1]
    dtype = parameters.W1.dtype.name
    model = keras.Sequential(
        [
            keras.Input((inputs,), dtype=dtype),
            keras.layers.Dense(hidden, activation="relu", dtype=dtype, name="hidden"),
            keras.layers.Dense(classes, dtype=dtype, name="logits"),
        ]
    )
    model.dtype_policy = dtype  # else the policy of the process: mixed_float16 would cast the layers' weights
    model.set_weights(list(parameters))
    return model


def from_keras(model: Any, where: str = "the Keras model") -> Parameters:
    """Return the parameters of a Keras model that is the same network, copied.

    Parameters
    ----------
    model : keras.Sequential or functional keras.Model
        Two ``Dense`` layers with bias and ReLU between them; then softmax, or nothing. ReLU and softmax may be
        activations or layers of their own, and ``Flatten`` and ``Dropout`` may stand where they change nothing.
    where : str
        The beginning of each error message.

    Returns
    -------
    params : Parameters
        They may hold NaN, as the weights of a training that diverged do.

    Raises
    ------
    DataError
        If the model is another network; the message says which layers were found.
    """
    keras = import_keras()
    if not isinstance(model, keras.Sequential):
        _check_chain(model, where)
    steps = [step for layer in model.layers for step in _steps(keras, layer)]
    shape: Any = getattr(model, "input_shape", None)  # a Sequential that was never built has none
    known = isinstance(shape, tuple) and None not in shape[1:]
    return parameters_of_chain(steps, math.prod(shape[1:]) if known else None, where)


def keras_optimizer(optimizer: Optimizer, learning_rate: Any) -> Any:
    """Return the Keras optimizer that an update rule describes; the learning rate may be a Keras schedule."""
    import keras

    with float32_floatx(keras):
        if optimizer.name == "adam":
            return keras.optimizers.Adam(
                learning_rate, beta_1=optimizer.beta_1, beta_2=optimizer.beta_2, epsilon=optimizer.epsilon
            )
        momentum = optimizer.momentum if optimizer.name == "momentum" else 0.0
        return keras.optimizers.SGD(learning_rate, momentum=momentum)


def _check_chain(model: Any, where: str) -> None:
    # The layers of a functional model come in order, but each may take any earlier one's output.
    if type(model).__name__ != "Functional":
        raise DataError(f"{where}: is a {type(model).__name__}; expected a Sequential or a functional model of layers")
    tensor = model.inputs[0]
    chained = len(model.inputs) == len(model.outputs) == 1
    for layer in model.layers[1:]:
        # A layer that is used twice has no single `input`.
        chained = chained and getattr(layer, "input", None) is tensor
        tensor = getattr(layer, "output", None)
    if not chained or model.outputs[0] is not tensor:
        found = ", ".join(type(layer).__name__ for layer in model.layers[:12])
        raise DataError(f"{where}: the layers ({found}) are no chain from one input to one output")


def _steps(keras: Any, layer: Any) -> list[Step]:
    layers = keras.layers
    kind = type(layer)
    unknown = [Step(f"{kind.__name__} {layer.name!r}")]
    if kind in (layers.InputLayer, layers.Dropout):
        return []
    if kind is layers.Flatten:
        # The other format transposes the image before it flattens it.
        return [] if layer.data_format == "channels_last" else [Step("Flatten of channels_first")]
    if kind is layers.ReLU:
        plain = layer.max_value is None and not layer.negative_slope and not layer.threshold
        return [Step(RELU)] if plain else unknown
    if kind is layers.Softmax:
        return [Step(SOFTMAX)] if layer.axis in (-1, 1) else unknown
    if kind is layers.Activation:
        return _activation(keras, layer)
    if kind is layers.Dense:
        weights = layer.get_weights()
        if len(weights) != 2:
            return [Step(f"Dense {layer.name!r} of {len(weights)} arrays (expected kernel and bias)")]
        return [Step(DENSE, *weights), *_activation(keras, layer)]
    return unknown


def _activation(keras: Any, layer: Any) -> list[Step]:
    activations = keras.activations
    known = {activations.linear: [], activations.relu: [Step(RELU)], activations.softmax: [Step(SOFTMAX)]}
    return known.get(layer.activation, [Step(getattr(layer.activation, "__name__", str(layer.activation)))])
