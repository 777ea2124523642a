"""Recognition of the two dense layers among named arrays, such as a state dict of PyTorch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from nnkernels.errors import DataError
from nnkernels.interchange.architecture import DENSE, RELU, Step
from nnkernels.interchange.checks import check_names
from nnkernels.interchange.file_format import Reading
from nnkernels.parameters import FloatArray, Parameters

READINGS = (
    Reading("a state dict of PyTorch", "two pairs such as `0.weight` and `0.bias`, weights (outputs, inputs)"),
    Reading("weights of Keras or Flax", "two pairs such as `dense/kernel` and `dense/bias`, kernels (inputs, outputs)"),
    Reading("`model.get_weights()` of Keras", "`arr_0` to `arr_3` or `0` to `3`: kernel, bias, kernel, bias"),
)

# The last part of a name: the role, and whether the weights are stored as (outputs, inputs).
_ROLES = {"weight": True, "kernel": False, "bias": None}
_NAME = re.compile(r"(?:(?P<layer>.+)[./])?(?P<role>weight|kernel|bias)(?::0)?")
# Floats that float32 represents exactly. NumPy knows the other ones only by the package ml_dtypes.
_NARROW_FLOATS = re.compile(r"float16|bfloat16|float8_\w+")


class _Layer(NamedTuple):
    name: str
    W: FloatArray
    b: FloatArray | None


def steps_of_arrays(arrays: Mapping[str, Any], where: str) -> list[Step]:
    """Return the steps dense -> ReLU -> dense of named arrays. That the activation is ReLU is an assumption.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        ``W1``, ``b1``, ``W2`` and ``b2``; or two pairs ``<layer>.weight`` (outputs, inputs) and ``<layer>.bias``, as in
        PyTorch; or two pairs ``<layer>/kernel`` (inputs, outputs) and ``<layer>/bias``, as in Keras and Flax; or
        ``arr_0`` to ``arr_3``, as ``numpy.savez(file, *model.get_weights())`` writes them. The shapes decide which
        layer is the first one. Missing biases are zeros.
    where : str
        The source of the arrays, with which each error message begins.

    Returns
    -------
    steps : list of Step
        Floats of 8 or 16 bits are converted to float32, which is exact.

    Raises
    ------
    DataError
        If the arrays are not those of two dense layers.
    """
    arrays = {name: upcast(np.asarray(array)) for name, array in arrays.items()}
    for prefix in ("arr_", ""):
        numbered = [f"{prefix}{index}" for index in range(4)]
        if sorted(arrays) == numbered:
            arrays = dict(zip(Parameters._fields, (arrays[name] for name in numbered), strict=True))
    layers = None if set(arrays) & set(Parameters._fields) else _layers(arrays, where)
    if layers is None:
        check_names(arrays, where)
        first, second = _Layer("1", arrays["W1"], arrays["b1"]), _Layer("2", arrays["W2"], arrays["b2"])
    else:
        first, second = _in_order(layers, where)
    return [Step(DENSE, first.W, first.b), Step(RELU), Step(DENSE, second.W, second.b)]


def upcast(array: FloatArray) -> FloatArray:
    """Convert floats of 8 or 16 bits to float32, which represents each of them exactly.

    Parameters
    ----------
    array : ndarray
        Any array.

    Returns
    -------
    array : ndarray
        float32, or the array itself if it has another dtype.
    """
    return array.astype(np.float32) if _NARROW_FLOATS.fullmatch(array.dtype.name) else array


def _layers(arrays: Mapping[str, FloatArray], where: str) -> list[_Layer] | None:
    found: dict[str, dict[str, FloatArray]] = {}
    unknown = []
    for name, array in arrays.items():
        match = _NAME.fullmatch(name)
        if match is None:
            unknown.append(name)
        else:
            found.setdefault(match["layer"] or "", {})[match["role"]] = array
    if not found:
        return None
    if unknown:
        raise DataError(
            f"{where}: also contains {', '.join(sorted(unknown)[:10])}; expected the weights and biases of two dense "
            "layers and nothing else. If the model has other layers, such as batch normalisation, save it as .keras or "
            "export it to ONNX"
        )
    layers = []
    for name, roles in sorted(found.items(), key=lambda item: natural_order(item[0])):
        kinds = [role for role in roles if role != "bias"]
        if len(kinds) != 1 or roles[kinds[0]].ndim != 2:
            shapes = ", ".join(f"{role} {array.shape}" for role, array in roles.items())
            raise DataError(
                f"{where}: layer {name!r} has {shapes}; expected a weight matrix of a dense layer, and a bias"
            )
        W = roles[kinds[0]]
        layers.append(_Layer(name, W.T if _ROLES[kinds[0]] else W, roles.get("bias")))
    return layers


def _in_order(layers: list[_Layer], where: str) -> tuple[_Layer, _Layer]:
    listed = ", ".join(f"{layer.name!r} {layer.W.shape[0]} -> {layer.W.shape[1]}" for layer in layers[:12])
    if len(layers) != 2:
        raise DataError(
            f"{where}: has {len(layers)} dense layers ({listed}); expected two, so train a model with one hidden layer"
        )
    first, second = layers
    if first.W.shape[1] == second.W.shape[0]:
        return first, second
    if second.W.shape[1] == first.W.shape[0]:  # the names are not in the order of the layers
        return second, first
    raise DataError(
        f"{where}: the shapes do not form a network ({listed}, read as inputs -> outputs); expected two layers, the "
        "second of which takes the outputs of the first. Weights are (outputs, inputs), kernels (inputs, outputs)"
    )


def natural_order(name: str) -> list[tuple[int, str]]:
    """Return the key that sorts names with the numbers in them by value: ``dense_2`` before ``dense_10``.

    Parameters
    ----------
    name : str
        The name.

    Returns
    -------
    key : list
        The key.
    """
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
