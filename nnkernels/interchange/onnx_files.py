"""Conversion of parameters to and from ONNX, which many runtimes use for inference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from nnkernels.errors import MissingDependencyError
from nnkernels.interchange.checks import reader_errors_as_data_errors
from nnkernels.parameters import FloatArray, Parameters, native

if TYPE_CHECKING:
    from onnx import ModelProto

# Released in 2022, and read by ONNX 1.12, ONNX Runtime 1.12 and later. The operators used here have not changed since.
OPSET = 17
IR_VERSION = 8


def to_onnx(params: Parameters) -> ModelProto:
    """Convert the network to an ONNX model: Gemm, Relu, Gemm, Softmax.

    Parameters
    ----------
    params : Parameters
        Copied into the initializers ``W1``, ``b1``, ``W2`` and ``b2``.

    Returns
    -------
    model : onnx.ModelProto
        Opset 17. The input ``X`` (N, D) contains features, which are pixels / 255. The outputs are ``probs`` and
        ``logits``, both (N, C). All have the dtype of the parameters; N is dynamic.

    Raises
    ------
    DataError
        If the arrays are neither all float32 nor all float64.
    MissingDependencyError
        If onnx is not installed.
    """
    onnx = _import_onnx()
    helper = onnx.helper
    params = native(params)
    inputs, classes = params.W1.shape[0], params.W2.shape[1]
    dtype = helper.np_dtype_to_tensor_dtype(params.W1.dtype)

    def value(name: str, width: int, text: str) -> Any:
        return helper.make_tensor_value_info(name, dtype, ["N", width], doc_string=text)

    graph = helper.make_graph(
        nodes=[
            helper.make_node("Gemm", ["X", "W1", "b1"], ["Z1"], name="hidden"),
            helper.make_node("Relu", ["Z1"], ["A1"], name="relu"),
            helper.make_node("Gemm", ["A1", "W2", "b2"], ["logits"], name="output"),
            helper.make_node("Softmax", ["logits"], ["probs"], name="softmax", axis=1),
        ],
        name="nnkernels",
        inputs=[value("X", inputs, "Features, one sample per row: pixels / 255.")],
        outputs=[
            value("probs", classes, "Probability of each class."),
            value("logits", classes, "Scores before softmax."),
        ],
        initializer=[onnx.numpy_helper.from_array(array, name) for name, array in params._asdict().items()],
    )
    model: ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="nnkernels"
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def from_onnx(model: ModelProto, where: str = "the ONNX model") -> Parameters:
    """Return a copy of the parameters of an ONNX model with the same architecture.

    Parameters
    ----------
    model : onnx.ModelProto
        A chain of two dense layers with biases and Relu between them, optionally followed by Softmax or LogSoftmax. A
        dense layer is a Gemm (also with ``transB``, as PyTorch exports it), or MatMul and Add (as Keras exports it).
        Flatten, Reshape, Dropout and Identity are allowed where they have no effect at inference. Names are ignored.
        The model has opset 7 or later, and does not redefine ONNX's operators as functions.
    where : str, default: "the ONNX model"
        The name of the model, with which each error message begins.

    Returns
    -------
    params : Parameters
        They may contain NaN, as after a training run that diverged.

    Raises
    ------
    DataError
        If the model is invalid, has another architecture, or stores its weights in another file.
    MissingDependencyError
        If onnx is not installed.
    """
    _import_onnx()
    from nnkernels.interchange.onnx_graph import parameters_of_model

    with reader_errors_as_data_errors(where, "ONNX model"):
        return parameters_of_model(model, where)


def to_onnx_file(params: Parameters) -> bytes:
    """Return the content of an ``.onnx`` file with the model of :func:`to_onnx`.

    Parameters
    ----------
    params : Parameters
        All float32 or all float64.

    Returns
    -------
    content : bytes
        The content of the file, the same for the same parameters.

    Raises
    ------
    DataError, MissingDependencyError
        As :func:`to_onnx`.
    """
    return cast(bytes, to_onnx(params).SerializeToString(deterministic=True))


def from_onnx_file(content: bytes, where: str) -> dict[str, FloatArray]:
    """Return the arrays of an ``.onnx`` file by name. See :func:`from_onnx` for the accepted models.

    Parameters
    ----------
    content : bytes
        The content of the file.
    where : str
        The name of the file, with which each error message begins.

    Returns
    -------
    arrays : dict of str to ndarray
        ``W1`` (D, H), ``b1`` (H,), ``W2`` (H, C) and ``b2`` (C,).

    Raises
    ------
    DataError, MissingDependencyError
        As :func:`from_onnx`.
    """
    return from_onnx(_import_onnx().load_model_from_string(content), where)._asdict()


def _import_onnx() -> Any:
    try:
        import onnx.checker
        import onnx.helper  # noqa: F401  (submodules become attributes of onnx)
        import onnx.numpy_helper  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingDependencyError("An ONNX model", error.name or "onnx", "onnx") from error
    return onnx
