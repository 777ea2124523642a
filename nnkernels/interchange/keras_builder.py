"""The one builder of the Keras model that is the same network, and of the Keras optimizer of an update rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
