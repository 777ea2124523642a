"""Parameters to and from ONNX, the form in which other runtimes take a network for inference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from nnkernels.errors import MissingDependencyError
from nnkernels.interchange.checks import damage_as_data_error
from nnkernels.parameters import FloatArray, Parameters, native

if TYPE_CHECKING:
    from onnx import ModelProto

# Of 2022: ONNX 1.12, ONNX Runtime 1.12 and everything later reads it, and the four operators have not changed since.
OPSET = 17
IR_VERSION = 8


def to_onnx(params: Parameters) -> ModelProto:
    """Return the network as an ONNX model: Gemm, Relu, Gemm, Softmax.

    Parameters
    ----------
    params : Parameters
        Copied into the initialisers ``W1``, ``b1``, ``W2`` and ``b2``.

    Returns
    -------
    onnx.ModelProto
        Opset 17. Input ``X`` (N, D): features, which are pixels / 255. Outputs ``probs`` and ``logits`` (N, C). All
        of the parameters' dtype; N is open.

    Raises
    ------
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
        inputs=[value("X", inputs, "Features, a row a sample: pixels / 255.")],
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
    """Return the parameters of an ONNX model that is the same network, copied.

    Parameters
    ----------
    model : onnx.ModelProto
        A chain of two dense layers with bias, each a Gemm (also with ``transB``, as PyTorch exports it) or MatMul and
        Add (as Keras' export has it), Relu between them; then Softmax, LogSoftmax or nothing. Flatten, Reshape,
        Dropout and Identity may stand where they change nothing. Names do not matter. Opset 7 or later, and no
        functions of the model's own under the names of ONNX's operators.
    where : str
        The beginning of each error message.

    Returns
    -------
    params : Parameters
        They may hold NaN, as the weights of a training that diverged do.

    Raises
    ------
    DataError
        If the model is invalid or another network, or keeps its weights in another file.
    MissingDependencyError
        If onnx is not installed.
    """
    _import_onnx()
    from nnkernels.interchange.onnx_graph import parameters_of_model

    with damage_as_data_error(where, "ONNX model"):
        return parameters_of_model(model, where)


def to_onnx_file(params: Parameters) -> bytes:
    """Return the content of an ``.onnx`` file of the model of :func:`to_onnx`."""
    return cast(bytes, to_onnx(params).SerializeToString(deterministic=True))


def from_onnx_file(content: bytes, where: str) -> dict[str, FloatArray]:
    """Return the arrays of an ``.onnx`` file by name; the model may be anybody's, see :func:`from_onnx`."""
    return from_onnx(_import_onnx().load_model_from_string(content), where)._asdict()


def _import_onnx() -> Any:
    try:
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ModuleNotFoundError as error:
        raise MissingDependencyError("An ONNX model", error.name or "onnx", "onnx") from error
    return onnx
