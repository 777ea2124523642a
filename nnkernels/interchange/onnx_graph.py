"""Reading an ONNX graph as chains of steps. This module requires onnx."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.inliner import inline_local_functions

from nnkernels.errors import DataError
from nnkernels.interchange.architecture import DENSE, RELU, SCALING, SOFTMAX, describe_chain
from nnkernels.interchange.file_format import Decoded
from nnkernels.interchange.named_arrays import upcast
from nnkernels.interchange.onnx_chain import Chain
from nnkernels.interchange.onnx_constants import BATCH, fold
from nnkernels.interchange.onnx_external import external_tensors
from nnkernels.interchange.onnx_steps import LABEL, apply
from nnkernels.interchange.preprocessing import Preprocessing
from nnkernels.parameters import FloatArray

_STANDARD = ("", "ai.onnx")
OLDEST_OPSET = 7
_INTEGERS = (TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64)


def decoded_model(model: onnx.ModelProto, where: str) -> Decoded:
    """Return the steps of an ONNX model from its input to the output of the network.

    Parameters
    ----------
    model : onnx.ModelProto
        See :func:`nnkernels.interchange.from_onnx` for the accepted models.
    where : str
        The name of the model, with which each error message begins.

    Returns
    -------
    decoded : Decoded
        The chain that ends in an output of the model and has the expected architecture. If there is none, the longest
        chain, for the message.

    Raises
    ------
    DataError
        If the model cannot be a chain, or stores its weights in another file.
    Exception
        Any exception of onnx on an invalid model.
    """
    _check_self_contained(model, where)
    onnx.checker.check_model(model)
    _check_standard(model, where)
    graph = inline_local_functions(model).graph if model.functions else model.graph
    constants = {tensor.name: upcast(numpy_helper.to_array(tensor)) for tensor in graph.initializer}
    chains = _chains(graph, constants, where)
    ends = [chains[value.name] for value in graph.output if value.name in chains]
    if not ends or not any(chain.steps for chain in ends):
        operators = describe_chain([node.op_type for node in graph.node if node.op_type != "Constant"])
        raise DataError(f"{where}: no output is computed from its input (its operators: {operators})")
    # An exporter may write one output per class, and the label: then the network ends before the label.
    ends += [chain.until(LABEL) for chain in ends]
    best = max(ends, key=lambda chain: (_is_network(chain), len(chain.steps)))
    start = next(chain for chain in chains.values() if not chain.steps)
    features = start.width
    is_uint8 = start.element_type == TensorProto.UINT8
    return Decoded(best.steps, features, Preprocessing.of_input_range((0, 255)) if is_uint8 else None)


def _chains(graph: onnx.GraphProto, constants: dict[str, FloatArray], where: str) -> dict[str, Chain]:
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1:
        names = ", ".join(repr(value.name) for value in inputs[:10])
        raise DataError(
            f"{where}: has {len(inputs)} inputs ({names}); expected one, the features. The file does not contain what "
            "the other inputs take; if they are constants, as of Keras' Normalization, save the model as .keras instead"
        )
    chains = {inputs[0].name: _start(inputs[0], where)}
    for node in graph.node:
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        operator = node.op_type if node.domain in _STANDARD else f"{node.domain}.{node.op_type}"
        sources = [name for name in node.input if name in chains]
        if not sources or operator == "Shape":
            shape = chains[sources[0]].shape if sources else None
            value = fold(operator, attributes, [constants.get(name) for name in node.input if name], shape)
            if value is not None:
                constants[node.output[0]] = value
            elif sources:
                chains[node.output[0]] = chains[sources[0]].unreadable(f"{operator} of an unknown shape")
            continue
        chain = chains[sources[0]]
        if len(sources) > 1 or any(name and name not in constants and name not in chains for name in node.input):
            result = chain.unreadable(f"{operator} of several branches")
        else:
            arrays = [constants.get(name) for name in node.input]
            result = apply(chain, operator, attributes, arrays)
        chains.update(dict.fromkeys((name for name in node.output if name), result))
    return chains


def _start(value: onnx.ValueInfoProto, where: str) -> Chain:
    tensor = value.type.tensor_type
    sizes: list[Any] = [dimension.dim_value or None for dimension in tensor.shape.dim]
    if len(sizes) > 2 and None in sizes[1:]:
        listed = ", ".join(str(size or "?") for size in ["?", *sizes[1:]])
        raise DataError(f"{where}: takes arrays of shape ({listed}); expected (?, D), or fixed sizes to flatten")
    if tensor.elem_type in _INTEGERS:
        raise DataError(
            f"{where}: takes integers that are not uint8; export it with an input of float32, so that it is known "
            "whether they are pixels"
        )
    shape = (sizes[0] or BATCH, *sizes[1:]) if sizes else (BATCH, None)
    return Chain((), shape, tensor.elem_type)


def _is_network(chain: Chain) -> bool:
    kinds = [step.kind for step in chain.steps if step.kind != SCALING]
    return kinds in ([DENSE, RELU, DENSE], [DENSE, RELU, DENSE, SOFTMAX])


def _check_self_contained(model: onnx.ModelProto, where: str) -> None:
    # The references are followed only for a file, within its folder.
    if any(True for _tensor in external_tensors(model)):
        raise DataError(
            f"{where}: stores its weights in another file; load it with load_parameters, or save it as one file: "
            "onnx.save(onnx.load(path), path)"
        )


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
