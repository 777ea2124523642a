"""Construction of the equivalent Keras model, and of the Keras optimizer of an update rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nnkernels.data.pixels import PIXEL_SCALE
from nnkernels.interchange.keras_dtype import float32_floatx
from nnkernels.interchange.keras_import import import_keras
from nnkernels.interchange.preprocessing import Preprocessing
from nnkernels.parameters import Parameters, native

if TYPE_CHECKING:
    from nnkernels.recipes import Optimizer


def to_keras(parameters: Parameters, preprocessing: Preprocessing | None = None) -> Any:
    """Build the equivalent Keras model: ``Dense``, ReLU, ``Dense``.

    The model returns logits. Softmax is left to the loss (``from_logits=True``), as Keras recommends: this is both the
    fastest and the most accurate form.

    Parameters
    ----------
    parameters : Parameters
        Copied into the model. The model computes in their dtype, regardless of Keras' ``floatx`` and dtype policy.
    preprocessing : Preprocessing, optional
        The preprocessing of the features that the parameters take, if these are not pixels / 255. The model then takes
        pixels from 0 to 255, and begins with ``Rescaling`` layers.

    Returns
    -------
    model : keras.Sequential
        A built model from features (N, D) to logits (N, C).

    Raises
    ------
    DataError
        If the arrays are neither all float32 nor all float64.
    ConfigurationError
        If `preprocessing` deskews images.
    MissingDependencyError
        If Keras is not installed.
    """
    preprocessing = preprocessing or Preprocessing()
    preprocessing.require_no_deskewing("a Keras model")
    keras = import_keras()
    parameters = native(parameters)
    inputs, hidden = parameters.W1.shape
    classes = parameters.W2.shape[1]
    dtype = parameters.W1.dtype.name
    model = keras.Sequential(
        [
            keras.Input((inputs,), dtype=dtype),
            *_rescaling(keras, preprocessing, dtype),
            keras.layers.Dense(hidden, activation="relu", dtype=dtype, name="hidden"),
            keras.layers.Dense(classes, dtype=dtype, name="logits"),
        ]
    )
    model.dtype_policy = dtype  # otherwise the global policy applies: mixed_float16 would cast the layers' weights
    model.set_weights(list(parameters))
    return model


def _rescaling(keras: Any, preprocessing: Preprocessing, dtype: str) -> list[Any]:
    if preprocessing.is_default:
        return []
    gain, offset = preprocessing.affine()
    # The first layer states that the model takes pixels.
    pixels = keras.layers.Rescaling(PIXEL_SCALE, dtype=dtype, name="pixels")
    normalised = keras.layers.Rescaling(gain.tolist(), offset.tolist(), dtype=dtype, name="preprocessing")
    return [pixels, normalised]


def keras_optimizer(optimizer: Optimizer, learning_rate: Any) -> Any:
    """Return the Keras optimizer that corresponds to an update rule.

    Parameters
    ----------
    optimizer : Optimizer
        The update rule and its hyperparameters.
    learning_rate : float or keras.optimizers.schedules.LearningRateSchedule
        The learning rate, or a schedule of it.

    Returns
    -------
    optimizer : keras.optimizers.Optimizer
        A new optimizer, whose state has not been built yet.
    """
    import keras

    weight_decay = optimizer.weight_decay or None
    with float32_floatx(keras):
        if optimizer.name == "adam":
            return keras.optimizers.Adam(
                learning_rate,
                beta_1=optimizer.beta_1,
                beta_2=optimizer.beta_2,
                epsilon=optimizer.epsilon,
                weight_decay=weight_decay,
            )
        momentum = optimizer.momentum if optimizer.name == "momentum" else 0.0
        return keras.optimizers.SGD(learning_rate, momentum=momentum, weight_decay=weight_decay)
