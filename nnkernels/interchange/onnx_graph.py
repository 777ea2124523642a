"""Reading an ONNX graph as a chain of steps. This module requires onnx."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import onnx
from onnx import helper, numpy_helper
from onnx.external_data_helper import uses_external_data

from nnkernels.errors import DataError
from nnkernels.interchange.architecture import DENSE, RELU, SOFTMAX, Step, describe_chain, parameters_of_chain
from nnkernels.parameters import FloatArray, Parameters

_STANDARD = ("", "ai.onnx")
OLDEST_OPSET = 7
_MATMUL = "MatMul"  # the kind of a dense step before its bias is known


def parameters_of_model(model: onnx.ModelProto, where: str) -> Parameters:
    """Return the parameters of an ONNX model dense -> ReLU -> dense, optionally followed by softmax.

    Parameters
    ----------
    model : onnx.ModelProto
        See :func:`nnkernels.interchange.from_onnx` for the accepted models.
    where : str
        The name of the model, with which each error message begins.

    Returns
    -------
    params : Parameters
        Copies of the arrays.

    Raises
    ------
    DataError
        If the model has another architecture, or stores its weights in another file.
    Exception
        Any exception of onnx on an invalid model.
    """
    graph = model.graph
    operators = describe_chain([node.op_type for node in graph.node if node.op_type != "Constant"])
    constants = _constants(graph, where)
    onnx.checker.check_model(model)
    _check_standard(model, where)
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1:
        raise DataError(f"{where}: has {len(inputs)} inputs; expected one, the features (its operators: {operators})")
    tensor, features = inputs[0].name, _features(inputs[0], where)
    is_flat = len(inputs[0].type.tensor_type.shape.dim) <= 2
    steps: list[Step] = []
    for node in graph.node:
        if node.op_type == "Constant":
            continue
        if [name for name in node.input if name and name not in constants] != [tensor]:
            raise DataError(
                f"{where}: {node.op_type} {node.name!r} takes an input other than the output of the operator before "
                f"it; expected one chain of two dense layers (its operators: {operators})"
            )
        _append(steps, node, constants, is_flat)
        is_flat = is_flat or node.op_type in ("Flatten", "Reshape", "Gemm")
        tensor = node.output[0]
    if tensor not in [value.name for value in graph.output]:
        raise DataError(
            f"{where}: the last operator's result is not an output of the model (its operators: {operators})"
        )
    return parameters_of_chain(steps, features, where)


def _constants(graph: onnx.GraphProto, where: str) -> dict[str, FloatArray]:
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    tensors[node.output[0]] = attribute.t
    for tensor in tensors.values():
        # Do not follow the reference, which could name any file on this machine.
        if uses_external_data(tensor):
            raise DataError(
                f"{where}: stores its weights in another file; save it as one file: onnx.save(onnx.load(path), path)"
            )
    return {name: numpy_helper.to_array(tensor) for name, tensor in tensors.items()}


def _check_standard(model: onnx.ModelProto, where: str) -> None:
    # In earlier opsets, some operators behave differently: Add has an axis, and Dropout also drops at inference.
    versions = [entry.version for entry in model.opset_import if entry.domain in _STANDARD]
    if any(version < OLDEST_OPSET for version in versions):
        raise DataError(
            f"{where}: uses opset {min(versions)}; expected {OLDEST_OPSET} or later, so convert it: "
            "onnx.version_converter.convert_version(model, 17)"
        )
    # Whether such a function replaces the operator of the same name depends on the runtime.
    if redefined := [function.name for function in model.functions if function.domain in _STANDARD]:
        raise DataError(f"{where}: redefines the operators {', '.join(redefined[:10])}; expected ONNX's own")


def _features(value: onnx.ValueInfoProto, where: str) -> int | None:
    shape = value.type.tensor_type.shape
    sizes = [dimension.dim_value for dimension in shape.dim[1:]]  # 0 for a dynamic size
    if len(sizes) > 1 and 0 in sizes:
        listed = ", ".join(str(size or "?") for size in sizes)
        raise DataError(f"{where}: takes arrays of shape (?, {listed}); expected (?, D), or fixed sizes to flatten")
    return math.prod(sizes) if sizes and 0 not in sizes else None


def _append(steps: list[Step], node: onnx.NodeProto, constants: Mapping[str, FloatArray], is_flat: bool) -> None:
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    arrays = [constants[name] for name in node.input if name in constants]
    operator = node.op_type if node.domain in _STANDARD else f"{node.domain}.{node.op_type}"
    weights_are_second = node.input[0] not in constants
    expects_bias = bool(steps) and steps[-1].kind == _MATMUL and steps[-1].W is not None
    if operator == "Add" and len(arrays) == 1 and expects_bias:
        steps[-1] = Step(DENSE, steps[-1].W, _bias(arrays[0]))
    elif operator == "MatMul" and len(arrays) == 1 and weights_are_second:
        steps.append(Step(_MATMUL, arrays[0]))
    elif operator == "Gemm" and len(arrays) == 2 and weights_are_second and _is_plain_gemm(attributes):
        W = arrays[0].T if attributes.get("transB") else arrays[0]
        steps.append(Step(DENSE, W, _bias(arrays[1])))
    elif operator == "Relu":
        steps.append(Step(RELU))
    elif operator in ("Softmax", "LogSoftmax") and attributes.get("axis", -1) in ((-1, 1) if is_flat else (-1,)):
        # The logarithm only changes the output, not the network.
        steps.append(Step(SOFTMAX))
    elif operator == "Dropout" and len(node.input) == 3 and bool(constants.get(node.input[2], False)):
        steps.append(Step("Dropout in training"))
    elif not _is_identity(operator, attributes, arrays, first=not steps):
        steps.append(Step(operator))


def _is_plain_gemm(attributes: Mapping[str, Any]) -> bool:
    return not attributes.get("transA") and attributes.get("alpha", 1.0) == attributes.get("beta", 1.0) == 1.0


def _bias(array: FloatArray) -> FloatArray:
    return array[0] if array.ndim == 2 and len(array) == 1 else array


def _is_identity(operator: str, attributes: Mapping[str, Any], arrays: list[FloatArray], *, first: bool) -> bool:
    if operator == "Flatten":
        return bool(attributes.get("axis", 1) == 1)
    if operator == "Reshape":
        # Only at the start, where it makes one row per sample. After a layer, it could mix samples.
        return first and len(arrays) == 1 and arrays[0].shape == (2,)
    return operator in ("Dropout", "Identity")
