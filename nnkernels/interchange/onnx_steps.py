"""The operators of an ONNX graph as steps of a network. This module requires onnx."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto

from nnkernels.interchange.architecture import DENSE, RELU, SCALING, SOFTMAX, Step
from nnkernels.interchange.onnx_chain import Chain
from nnkernels.interchange.onnx_constants import Shape
from nnkernels.parameters import FloatArray

Arrays = Sequence[FloatArray | None]
_ORT = "com.microsoft."
_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
LABEL = "ArgMax"  # the step after which only the label remains


def apply(chain: Chain, operator: str, attributes: Mapping[str, Any], arrays: Arrays) -> Chain:
    """Return the chain after an operator.

    Parameters
    ----------
    chain : Chain
        The chain before the operator.
    operator : str
        The name of the operator, with its domain unless it is one of ONNX's own.
    attributes : mapping of str to object
        Its attributes.
    arrays : sequence of ndarray or None
        Its inputs: the constants, and None for the chain and for inputs that are left out.

    Returns
    -------
    chain : Chain
        An operator that a network of ours does not have becomes a step of its name.
    """
    handler = _OPERATORS.get(operator)
    return (handler(chain, attributes, arrays) if handler else None) or chain.unreadable(operator)


def _gemm(chain: Chain, attributes: Mapping[str, Any], arrays: Arrays) -> Chain | None:
    bias = arrays[2] if len(arrays) > 2 else None
    if arrays[0] is not None or (W := arrays[1]) is None or W.ndim != 2 or attributes.get("transA"):
        return None
    W = W.T if attributes.get("transB") else W
    for name, kind in (("alpha", "W"), ("beta", "b")):
        factor = np.float64(np.float32(attributes.get(name, 1.0)))
        if factor != 1 and kind == "W":
            W = (W * factor).astype(W.dtype)
        elif factor != 1 and bias is not None:
            bias = (bias * factor).astype(bias.dtype)
    shape = (*chain.shape[:-1], W.shape[1])
    dense = chain.then(Step(DENSE, W), shape=shape)
    return dense if bias is None else _scaled(dense, None, bias)


def _fused_gemm(chain: Chain, attributes: Mapping[str, Any], arrays: Arrays) -> Chain | None:
    dense = _gemm(chain, attributes, arrays)
    function = attributes.get("activation", b"")
    name = function.decode() if isinstance(function, bytes) else str(function)
    if dense is None or name in ("", "Relu"):
        return dense.then(Step(RELU)) if dense is not None and name else dense
    return dense.unreadable(name)


def _matmul(chain: Chain, attributes: Mapping[str, Any], arrays: Arrays) -> Chain | None:
    return _gemm(chain, {"transB": attributes.get("transB"), "transA": attributes.get("transA")}, arrays[:2])


def _fused_matmul(chain: Chain, attributes: Mapping[str, Any], arrays: Arrays) -> Chain | None:
    if attributes.get("transBatchA") or attributes.get("transBatchB"):
        return None
    return _gemm(chain, attributes, arrays[:2])


def _arithmetic(operator: str) -> Callable[[Chain, Mapping[str, Any], Arrays], Chain | None]:
    def handle(chain: Chain, _attributes: Mapping[str, Any], arrays: Arrays) -> Chain | None:
        constant_is_first = arrays[0] is not None
        constant = arrays[0] if constant_is_first else arrays[1]
        if constant is None or (operator == "Div" and constant_is_first):
            return None
        if operator == "Add":
            return _scaled(chain, None, constant)
        number = constant.astype(np.float64)
        if operator == "Sub":
            return _scaled(chain, np.asarray(-1.0), number) if constant_is_first else _scaled(chain, None, -number)
        if operator == "Div" and not number.all():
            return None
        return _scaled(chain, number if operator == "Mul" else _reciprocal(number), None)

    return handle


def _reciprocal(number: FloatArray) -> FloatArray:
    return np.asarray(1 / number)


def _batch_normalization(chain: Chain, attributes: Mapping[str, Any], arrays: Arrays) -> Chain | None:
    if attributes.get("training_mode") or any(array is None for array in arrays[1:5]) or len(chain.shape) < 2:
        return None
    shape = (1, -1, *(1 for _size in chain.shape[2:]))
    scale, bias, mean, variance = (np.asarray(array, np.float64).reshape(shape) for array in arrays[1:5])
    gain = scale / np.sqrt(variance + attributes.get("epsilon", 1e-5))
    return _scaled(chain, gain, bias - mean * gain)


def _scaler(chain: Chain, attributes: Mapping[str, Any], _arrays: Arrays) -> Chain | None:
    # (x - offset) * scale, as skl2onnx writes StandardScaler
    offset, scale = (np.asarray(attributes.get(name, default), np.float64) for name, default in _SCALER_DEFAULTS)
    return _scaled(chain, scale, -offset * scale)


_SCALER_DEFAULTS = (("offset", [0.0]), ("scale", [1.0]))


def _scaled(chain: Chain, gain: FloatArray | None, offset: FloatArray | None) -> Chain | None:
    per_feature = [
        value if value is None or value.size == 1 else _per_feature(value, chain.shape) for value in (gain, offset)
    ]
    if (gain is not None and per_feature[0] is None) or (offset is not None and per_feature[1] is None):
        return None
    return chain.then(Step(SCALING, per_feature[0], per_feature[1]))


def _per_feature(value: FloatArray, shape: Shape) -> FloatArray | None:
    """Return a constant as one number per feature of a sample, None if it differs between samples."""
    if value.ndim > len(shape) or (value.ndim == len(shape) and len(value) != 1):
        return None
    sizes = shape[1:]
    if None in sizes:  # only (N, D) with an unknown D
        return value.ravel()
    value = value[0] if value.ndim == len(shape) else value
    try:
        return np.broadcast_to(value, [size or 0 for size in sizes]).ravel()
    except ValueError:
        return None


def _relu(chain: Chain, _attributes: Mapping[str, Any], _arrays: Arrays) -> Chain:
    return chain.then(Step(RELU))


def _maximum(chain: Chain, _attributes: Mapping[str, Any], arrays: Arrays) -> Chain | None:
    bounds = [array for array in arrays if array is not None]
    return chain.then(Step(RELU)) if len(arrays) == 2 and len(bounds) == 1 and not bounds[0].any() else None


def _clip(chain: Chain, attributes: Mapping[str, Any], arrays: Arrays) -> Chain | None:
    # The bounds were attributes up to opset 10.
    low, high = (
        arrays[index] if len(arrays) > index else attributes.get(name) for index, name in ((1, "min"), (2, "max"))
    )
    has_no_upper_bound = high is None or np.all(np.asarray(high) >= np.finfo(np.float32).max)
    return chain.then(Step(RELU)) if low is not None and not np.any(low) and has_no_upper_bound else None


def _softmax(chain: Chain, attributes: Mapping[str, Any], _arrays: Arrays) -> Chain | None:
    # The logarithm of LogSoftmax only changes the output, not the network.
    last = len(chain.shape) - 1
    return chain.then(Step(SOFTMAX)) if attributes.get("axis", -1) in (-1, last) else None


def _arg_max(chain: Chain, attributes: Mapping[str, Any], _arrays: Arrays) -> Chain:
    of_classes = attributes.get("axis", 0) in (-1, 1) and len(chain.shape) == 2
    return chain.unreadable(LABEL if of_classes else f"{LABEL} of an axis other than the classes")


def _dropout(chain: Chain, _attributes: Mapping[str, Any], arrays: Arrays) -> Chain:
    in_training = len(arrays) == 3 and arrays[2] is not None and bool(arrays[2])
    return chain.unreadable("Dropout in training") if in_training else chain


def _flatten(chain: Chain, attributes: Mapping[str, Any], _arrays: Arrays) -> Chain | None:
    return chain._replace(shape=(chain.shape[0], chain.width)) if attributes.get("axis", 1) == 1 else None


def _reshape(chain: Chain, attributes: Mapping[str, Any], arrays: Arrays) -> Chain | None:
    # Allowed only where each sample becomes one row. Any other shape could mix samples.
    if len(arrays) < 2 or (target := arrays[1]) is None:
        return None
    sizes: list[int | None] = [int(size) for size in target.ravel()]
    if not attributes.get("allowzero"):
        sizes = [chain.shape[i] if size == 0 and i < len(chain.shape) else size for i, size in enumerate(sizes)]
    if len(sizes) != 2 or sizes == [-1, -1]:
        return None
    samples, width = sizes
    known = chain.width
    if width == -1 and samples == chain.shape[0]:
        width = known
    elif width == -1 or (width != known and known is not None) or (known is None and samples != -1):
        return None
    return chain._replace(shape=(chain.shape[0], width))


def _squeeze(chain: Chain, attributes: Mapping[str, Any], arrays: Arrays) -> Chain | None:
    # The axes were an attribute up to opset 12.
    stated = arrays[1] if len(arrays) > 1 else attributes.get("axes")
    if stated is None:
        return None
    axes = {int(axis) % len(chain.shape) for axis in np.ravel(stated)}
    if 0 in axes or any(chain.shape[axis] != 1 for axis in axes):
        return None
    return chain._replace(shape=tuple(size for axis, size in enumerate(chain.shape) if axis not in axes))


def _cast(chain: Chain, attributes: Mapping[str, Any], _arrays: Arrays) -> Chain | None:
    return chain if attributes.get("to") in _FLOATS else None


def _same(chain: Chain, _attributes: Mapping[str, Any], _arrays: Arrays) -> Chain:
    return chain


_OPERATORS: dict[str, Callable[[Chain, Mapping[str, Any], Arrays], Chain | None]] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Relu": _relu,
    "Max": _maximum,
    "Clip": _clip,
    "Softmax": _softmax,
    "ArgMax": _arg_max,
    "LogSoftmax": _softmax,
    "BatchNormalization": _batch_normalization,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Cast": _cast,
    "Identity": _same,
    "ai.onnx.ml.Scaler": _scaler,
    "ai.onnx.ml.ZipMap": _same,
    f"{_ORT}FusedGemm": _fused_gemm,
    f"{_ORT}FusedMatMul": _fused_matmul,
    **{operator: _arithmetic(operator) for operator in ("Add", "Sub", "Mul", "Div")},
}
