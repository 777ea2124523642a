"""Parameters to and from Keras; the one builder of the equivalent Keras model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nnkernels.parameters import Parameters

if TYPE_CHECKING:
    from nnkernels.recipes import Optimizer


def to_keras(parameters: Parameters) -> Any:
    """Build the equivalent Keras model: two ``Dense`` layers, ReLU between them, logits at the end.

    The model ends in logits and leaves softmax to the loss (``from_logits=True``), which Keras advises and
    which is both its fastest and its most precise form.

    Parameters
    ----------
    parameters : Parameters
        Copied into the model.

    Returns
    -------
    keras.Sequential
        From features (N, D) to logits (N, C), built.
    """
    import keras

    inputs, hidden = parameters.W1.shape
    classes = parameters.W2.shape[1]
    model = keras.Sequential(
        [
            keras.Input((inputs,)),
            keras.layers.Dense(hidden, activation="relu"),
            keras.layers.Dense(classes),
        ]
    )
    model.set_weights(list(parameters))
    return model


def from_keras(model: Any) -> Parameters:
    """Return the parameters of a model of :func:`to_keras`, copied."""
    return Parameters(*(np.array(weights) for weights in model.get_weights()))


def keras_optimizer(optimizer: Optimizer, learning_rate: Any) -> Any:
    """Return the Keras optimizer that an update rule describes; the learning rate may be a Keras schedule."""
    import keras

    if optimizer.name == "adam":
        return keras.optimizers.Adam(
            learning_rate, beta_1=optimizer.beta_1, beta_2=optimizer.beta_2, epsilon=optimizer.epsilon
        )
    momentum = optimizer.momentum if optimizer.name == "momentum" else 0.0
    return keras.optimizers.SGD(learning_rate, momentum=momentum)
