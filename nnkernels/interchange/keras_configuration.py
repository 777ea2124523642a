"""Reading a Keras model from its configuration and its stored arrays, without Keras.

Keras 3 refuses some files of Keras 2, and files of weights have no model that Keras could build.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nnkernels.errors import DataError
from nnkernels.interchange.architecture import DENSE, RELU, SCALING, SOFTMAX, Step
from nnkernels.interchange.file_format import Decoded
from nnkernels.interchange.keras_layers import IDENTITY_LAYERS
from nnkernels.interchange.keras_normalisations import BATCH, INPUT, StoredNormalisations
from nnkernels.interchange.named_arrays import steps_of_arrays
from nnkernels.parameters import FloatArray

_ACTIVATIONS = {"relu": RELU, "softmax": SOFTMAX, "log_softmax": SOFTMAX, "linear": None}
# <layer>/vars/0 in Keras 3, also with the layers' groups of Keras 2.13; <layer>/kernel:0 in the older layout
_VARIABLE = re.compile(r"(?P<layer>.+)/vars/(?P<index>\d+)")
_WEIGHT = re.compile(r"(?:model_weights/)?(?P<layer>.+/(?:kernel|bias)(?::0)?)")
_NOT_WEIGHTS = re.compile(
    r"(top_level_model_weights|optimizer(_weights)?)/|(layers/.+/)?(optimizer|metrics/[^/]+)/vars/|"
    r".*seed_generator(_\d+)?/vars/|vars/"
)


def steps_of_hdf5(arrays: Mapping[str, FloatArray], where: str) -> list[Step]:
    """Return the steps dense -> ReLU -> dense of the arrays in a file of Keras. That it is ReLU is an assumption.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        The arrays by their path in the file, in the layout of Keras 3 (``layers/dense/vars/0``) or the older one
        (``dense/dense/kernel:0``). The arrays of the optimizer and of metrics are ignored.
    where : str
        The name of the file, with which each error message begins.

    Returns
    -------
    steps : list of Step
        The shapes decide which layer is the first one.

    Raises
    ------
    DataError
        If the arrays are not those of two dense layers.
    """
    named: dict[str, FloatArray] = {}
    for path, array in arrays.items():
        if _NOT_WEIGHTS.match(path):
            continue
        if variable := _VARIABLE.fullmatch(path):
            role = {0: "kernel", 1: "bias"}.get(int(variable["index"]), variable["index"])
            named[f"{variable['layer']}/{role}"] = array
        elif weight := _WEIGHT.fullmatch(path):
            named[weight["layer"]] = array
        else:
            named[path] = array
    return steps_of_arrays(named, where)


def decoded_configuration(configuration: Any, arrays: Mapping[str, FloatArray], where: str) -> Decoded:
    """Return the steps of a model from its configuration and its arrays.

    Parameters
    ----------
    configuration : dict
        The configuration of a Sequential or functional model, as Keras 2 or 3 writes it.
    arrays : mapping of str to ndarray
        The arrays of the file, see :func:`steps_of_hdf5`.
    where : str
        The name of the file, with which each error message begins.

    Returns
    -------
    decoded : Decoded
        The steps in the order of the configuration.

    Raises
    ------
    DataError
        If the layers do not form a chain, or if the arrays are not those of two dense layers.
    """
    layers = list(_layers(configuration, where))
    normalisations = StoredNormalisations(
        {path: array for path, array in arrays.items() if not _NOT_WEIGHTS.match(path)}
    )
    steps = [step for layer in layers for step in _steps(layer, normalisations)]
    dense = [step for step in steps_of_hdf5(normalisations.remaining, where) if step.kind == DENSE]
    if sum(step.kind == DENSE for step in steps) == len(dense):
        stored = iter(dense)
        steps = [next(stored) if step.kind == DENSE else step for step in steps]
    return Decoded(steps, _features(layers))


def _layers(configuration: Any, where: str) -> Iterator[dict[str, Any]]:
    kind, inner = configuration["class_name"], configuration["config"]
    children = inner["layers"] if isinstance(inner, dict) else inner  # a list in the oldest files of Sequential
    names = [_name(child) for child in children]
    for index, child in enumerate(children):
        if kind != "Sequential" and index and _sources(child.get("inbound_nodes"), names) != {names[index - 1]}:
            raise DataError(
                f"{where}: layer {names[index]!r} does not take the output of the layer before it; expected one chain "
                "of two dense layers"
            )
        if child["class_name"] in ("Sequential", "Functional", "Model"):
            yield from _layers(child, where)
        else:
            yield child


def _name(layer: dict[str, Any]) -> str:
    return str(layer.get("name") or layer["config"].get("name"))


def _sources(node: Any, names: list[str]) -> set[str]:
    if isinstance(node, str):
        return {node} & set(names)
    children = list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []
    return set().union(*(_sources(child, names) for child in children))


def _steps(layer: dict[str, Any], normalisations: StoredNormalisations | None = None) -> list[Step]:
    kind, config = layer["class_name"], layer["config"]
    unknown = [Step(f"{kind} {_name(layer)!r}", remedy="load the model in Keras, and save it with model.save")]
    if kind in (*IDENTITY_LAYERS, "Flatten", "Reshape"):
        is_flat = kind != "Reshape" or len(config["target_shape"]) == 1
        return [] if is_flat and config.get("data_format") in (None, "channels_last") else unknown
    if kind == "Dense":
        return [Step(DENSE), *_activation(config.get("activation"))]
    if kind == "Activation":
        return _activation(config["activation"])
    if kind == "ReLU":
        changed = [config.get(name) for name in ("max_value", "negative_slope", "threshold")]
        return unknown if any(changed) or changed[0] == 0 else [Step(RELU)]
    if kind == "Softmax":
        return [Step(SOFTMAX)] if config.get("axis", -1) in (-1, 1) else unknown
    if kind in (BATCH, INPUT) and normalisations is not None:
        taken = normalisations.take(kind, config, _name(layer))
        return unknown if taken is None else [taken]
    if kind == "Rescaling" and np.ndim(config["scale"]) == np.ndim(config["offset"]) == 0:
        return [Step(SCALING, np.asarray(float(config["scale"])), np.asarray(float(config["offset"])))]
    return unknown


def _activation(function: Any) -> list[Step]:
    if isinstance(function, dict):
        if function.get("class_name") == "ReLU":
            return _steps({"name": "ReLU", **function})
        function = function.get("config")
    if function is None:
        return []
    if isinstance(function, str) and function in _ACTIVATIONS:
        kind = _ACTIVATIONS[function]
        return [] if kind is None else [Step(kind)]
    return [Step(f"function {str(function)[:80]}", remedy="train the model with activation='relu'")]


def _features(layers: list[dict[str, Any]]) -> int | None:
    for layer in layers:
        for key in ("batch_shape", "batch_input_shape"):
            shape = layer["config"].get(key)
            if isinstance(shape, list) and None not in shape[1:] and len(shape) > 1:
                return math.prod(shape[1:])
    return None
