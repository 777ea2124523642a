"""The layers of Keras as steps of a network."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.interchange.architecture import DENSE, RELU, SCALING, SOFTMAX, Step
from nnkernels.parameters import FloatArray

Sizes = tuple[int | None, ...] | None

# Layers that return their input at inference.
IDENTITY_LAYERS = (
    "InputLayer",
    "Dropout",
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "ActivityRegularization",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "RandomContrast",
)


def layer_steps(keras: Any, layer: Any, sizes: Sizes) -> tuple[list[Step], Sizes]:
    """Return the steps of a layer.

    Parameters
    ----------
    keras : module
        The imported Keras.
    layer : keras.layers.Layer
        The layer.
    sizes : tuple of int or None
        The shape of a sample before the layer, None if it is unknown.

    Returns
    -------
    steps : list of Step
        Empty for a layer without effect at inference. A layer that a network of ours does not have becomes a step of
        its name.
    sizes : tuple of int or None
        The shape of a sample after the layer.
    """
    layers = keras.layers
    kind = type(layer)  # a subclass may compute anything
    if kind in [getattr(layers, name) for name in IDENTITY_LAYERS if hasattr(layers, name)]:
        return [], sizes
    if kind is layers.Flatten:
        flat = None if sizes is None or None in sizes else (math.prod(size or 0 for size in sizes),)
        # channels_first transposes the image before flattening it.
        is_plain = layer.data_format == "channels_last"
        return ([] if is_plain else [Step("Flatten of channels_first", remedy=_DATA_FORMAT)]), flat
    if kind is layers.Reshape:
        return _reshape(layer, sizes)
    if kind is layers.Dense:
        return _dense(keras, layer, sizes)
    if kind in (layers.Rescaling, layers.Normalization, layers.BatchNormalization):
        return _scaling(keras, layer, sizes), sizes
    return _activation_layer(keras, layer, sizes), sizes


_DATA_FORMAT = "build the model with keras.layers.Flatten() of images (28, 28, 1)"


def _name(layer: Any) -> str:
    return f"{type(layer).__name__} {layer.name!r}"


def _reshape(layer: Any, sizes: Sizes) -> tuple[list[Step], Sizes]:
    target = tuple(layer.target_shape)
    if len(target) == 1:
        flat = None if sizes is None or None in sizes else math.prod(size or 0 for size in sizes)
        if flat is None or target[0] in (-1, flat):
            return [], (flat,) if flat else None
    elif (
        sizes is not None
        and None not in sizes
        and -1 not in target
        and math.prod(target) == math.prod(size or 0 for size in sizes)
    ):
        return [], target  # whether rows are kept apart is decided by the layers that follow
    return [Step(_name(layer), remedy="reshape each sample to one row: keras.layers.Flatten()")], sizes


def _dense(keras: Any, layer: Any, sizes: Sizes) -> tuple[list[Step], Sizes]:
    weights = layer.get_weights()
    if len(weights) != 1 + bool(layer.use_bias):
        what = f"Dense {layer.name!r} of {len(weights)} arrays (expected a kernel and a bias)"
        return [Step(what, remedy="build the model, by calling it on a sample")], sizes
    after = None if sizes is None else (*sizes[:-1], layer.units)
    return [Step(DENSE, *weights), *_activation(keras, layer.activation, after)], after


def _scaling(keras: Any, layer: Any, sizes: Sizes) -> list[Step]:
    layers = keras.layers
    try:
        if type(layer) is layers.Rescaling:
            if np.ndim(layer.scale) and keras.config.image_data_format() == "channels_first":
                raise ValueError("one factor per channel, with the channels first")
            gain, offset = np.asarray(layer.scale, np.float64), np.asarray(layer.offset, np.float64)
        elif type(layer) is layers.Normalization:
            gain, offset = _normalization(keras, layer)
        else:
            gain, offset = _batch_normalization(keras, layer, sizes)
        return [Step(SCALING, _per_feature(gain, sizes), _per_feature(offset, sizes))]
    except (TypeError, ValueError):  # not built or adapted, or the shapes do not fit
        return [Step(_name(layer), remedy="build and adapt it, for samples of a fixed shape")]


def _normalization(keras: Any, layer: Any) -> tuple[FloatArray, FloatArray]:
    mean, variance = (_float64(keras, value) for value in (layer.mean, layer.variance))
    deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
    # mean and variance have a leading dimension for the samples
    mean, deviation = (value[0] if value.ndim else value for value in (mean, deviation))
    return (deviation, mean) if layer.invert else (1 / deviation, -mean / deviation)


def _batch_normalization(keras: Any, layer: Any, sizes: Sizes) -> tuple[FloatArray, FloatArray]:
    if sizes is None:
        raise ValueError("unknown shape")
    mean, variance = (_float64(keras, value) for value in (layer.moving_mean, layer.moving_variance))
    gain = 1 / np.sqrt(variance + layer.epsilon)
    if layer.scale:
        gain = gain * _float64(keras, layer.gamma)
    offset = -mean * gain + (_float64(keras, layer.beta) if layer.center else 0.0)
    axis = layer.axis if layer.axis < 0 else layer.axis - 1 - len(sizes)
    shape = (-1, *(1 for _axis in range(-axis - 1)))
    return gain.reshape(shape), offset.reshape(shape)


def _float64(keras: Any, value: Any) -> npt.NDArray[np.float64]:
    if value is None:
        raise ValueError("not built")
    return np.asarray(keras.ops.convert_to_numpy(value), np.float64)


def _per_feature(value: npt.ArrayLike, sizes: Sizes) -> FloatArray:
    array = np.asarray(value, np.float64)
    if array.size == 1:
        return array.reshape(())
    if sizes is None or None in sizes:
        raise ValueError("unknown shape")
    return np.broadcast_to(array, [size or 0 for size in sizes]).ravel()


def _activation_layer(keras: Any, layer: Any, sizes: Sizes) -> list[Step]:
    layers = keras.layers
    kind = type(layer)
    if kind is layers.ReLU:
        plain = layer.max_value is None and not layer.negative_slope and not layer.threshold
        return [Step(RELU)] if plain else [Step(_name(layer), remedy=_RELU_ONLY)]
    if kind is layers.Softmax:
        last = (-1,) if sizes is None else (-1, len(sizes))
        return [Step(SOFTMAX)] if layer.axis in last else [Step(_name(layer), remedy="apply softmax to the last axis")]
    if kind is layers.Activation:
        return _activation(keras, layer.activation, sizes)
    return [Step(_name(layer), remedy="remove it, and train again")]


_RELU_ONLY = "train the model with activation='relu'"


def _activation(keras: Any, function: Any, sizes: Sizes) -> list[Step]:
    if function is keras.activations.linear:
        return []
    if isinstance(function, keras.layers.Layer):  # such as keras.layers.ReLU()
        return _activation_layer(keras, function, sizes)
    modules = [keras.activations, keras.ops]
    if (tensorflow := sys.modules.get("tensorflow")) is not None:
        modules.append(tensorflow.nn)
    # The logarithm of log_softmax only changes the output, not the network.
    for name, kind in (("relu", RELU), ("softmax", SOFTMAX), ("log_softmax", SOFTMAX)):
        if any(function is getattr(module, name, None) for module in modules):  # the functions, not their names
            return [Step(kind)]
    return [Step(f"function {getattr(function, '__name__', function)!s}", remedy=_RELU_ONLY)]
