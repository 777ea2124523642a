"""Evaluation of constant parts of an ONNX graph, such as the shape arithmetic before a Reshape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from nnkernels.interchange.named_arrays import upcast
from nnkernels.parameters import FloatArray

# Stands for an unknown number of samples. A prime that no layer has as its width.
BATCH = 1_000_003
MAX_ENTRIES = 2**24  # far above the weights of such a network

Shape = tuple[int | None, ...]


def fold(
    operator: str, attributes: Mapping[str, Any], inputs: Sequence[FloatArray | None], shape: Shape | None
) -> FloatArray | None:
    """Return the value of an operator on constants, or of Shape on a tensor of a known shape.

    Parameters
    ----------
    operator : str
        The name of the operator.
    attributes : mapping of str to object
        Its attributes.
    inputs : sequence of ndarray or None
        Its inputs; None for one that is not constant.
    shape : tuple or None
        For Shape of a tensor that is not constant, its shape.

    Returns
    -------
    value : ndarray or None
        None if the operator is not one of shape arithmetic, or if an input is unknown.
    """
    if operator == "Constant":
        return _constant(attributes)
    if operator == "Shape":
        sizes: Shape | None = inputs[0].shape if inputs and inputs[0] is not None else shape
        if sizes is None or None in sizes:
            return None
        return np.array(sizes[attributes.get("start", 0) : attributes.get("end", len(sizes))], np.int64)
    arrays = [array for array in inputs if array is not None]
    evaluate = _EVALUATED.get(operator)
    if evaluate is None or len(arrays) != len(inputs) or not arrays:
        return None
    if sum(array.size for array in arrays) > MAX_ENTRIES:
        return None
    value = np.asarray(evaluate(attributes, *arrays))
    return value if value.size <= MAX_ENTRIES else None


def _constant(attributes: Mapping[str, Any]) -> FloatArray | None:
    for name, value in attributes.items():
        if name == "value":
            return upcast(numpy_helper.to_array(value))
        if name in ("value_int", "value_ints"):
            return np.array(value, np.int64)
        if name in ("value_float", "value_floats"):
            return np.array(value, np.float32)
    return None


def _axes(attributes: Mapping[str, Any], axes: Sequence[FloatArray]) -> Any:
    return [int(axis) for axis in axes[0].ravel()] if axes else attributes.get("axes")


def _unsqueeze(attributes: Mapping[str, Any], data: FloatArray, *axes: FloatArray) -> FloatArray:
    return np.expand_dims(data, tuple(_axes(attributes, axes)))


def _squeeze(attributes: Mapping[str, Any], data: FloatArray, *axes: FloatArray) -> FloatArray:
    found = _axes(attributes, axes)
    return np.squeeze(data, None if found is None else tuple(found))


def _slice(attributes: Mapping[str, Any], data: FloatArray, *bounds: FloatArray) -> FloatArray:
    # Before opset 10, the bounds were attributes.
    lists = [list(map(int, bound.ravel())) for bound in bounds] or [
        list(attributes[name]) for name in ("starts", "ends", "axes") if name in attributes
    ]
    starts, ends = lists[:2]
    axes = lists[2] if len(lists) > 2 else range(len(starts))
    steps = lists[3] if len(lists) > 3 else [1] * len(starts)
    place: list[slice] = [slice(None)] * data.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        place[axis] = slice(start, end, step)
    return data[tuple(place)]


def _cast(attributes: Mapping[str, Any], data: FloatArray) -> FloatArray:
    return upcast(data.astype(helper.tensor_dtype_to_np_dtype(attributes["to"])))


def _reshape(_attributes: Mapping[str, Any], data: FloatArray, shape: FloatArray) -> FloatArray:
    return data.reshape([int(size) for size in shape])


_EVALUATED: dict[str, Any] = {
    "Identity": lambda _attributes, data: data,
    "Cast": _cast,
    "Concat": lambda attributes, *parts: np.concatenate(parts, attributes["axis"]),
    "Gather": lambda attributes, data, indices: np.take(data, indices, attributes.get("axis", 0)),
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Transpose": lambda attributes, data: np.transpose(data, attributes.get("perm")),
    "Unsqueeze": _unsqueeze,
    "Add": lambda _attributes, left, right: left + right,
    "Mul": lambda _attributes, left, right: left * right,
    "ReduceProd": lambda _attributes, data, *_axes: np.prod(data, keepdims=True),
}
