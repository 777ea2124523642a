"""Conversion of parameters to and from ONNX, which many runtimes use for inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nnkernels.data.pixels import MAX_PIXEL
from nnkernels.errors import MissingDependencyError
from nnkernels.interchange.architecture import parameters_of_chain
from nnkernels.interchange.checks import reader_errors_as_data_errors
from nnkernels.interchange.preprocessing import Preprocessing, stated_preprocessing
from nnkernels.parameters import FloatArray, Parameters, native

if TYPE_CHECKING:
    from onnx import ModelProto

# Released in 2022, and read by ONNX 1.12, ONNX Runtime 1.12 and later. The operators used here have not changed since.
OPSET = 17
IR_VERSION = 8


def to_onnx(params: Parameters, preprocessing: Preprocessing | None = None) -> ModelProto:
    """Convert the network to an ONNX model: Gemm, Relu, Gemm, Softmax.

    Parameters
    ----------
    params : Parameters
        Copied into the initializers ``W1``, ``b1``, ``W2`` and ``b2``.
    preprocessing : Preprocessing, optional
        The preprocessing of the features that the parameters take, if these are not pixels / 255. The model then takes
        pixels from 0 to 255, and begins with Div by 255, Mul, Sub and Div as far as needed.

    Returns
    -------
    model : onnx.ModelProto
        Opset 17. The input ``X`` (N, D) contains features, which are pixels / 255, or pixels if `preprocessing` is
        another one. The outputs are ``probs`` and ``logits``, both (N, C). All have the dtype of the parameters; N is
        dynamic.

    Raises
    ------
    DataError
        If the arrays are neither all float32 nor all float64.
    ConfigurationError
        If `preprocessing` deskews images.
    MissingDependencyError
        If onnx is not installed.
    """
    onnx = import_onnx()
    helper = onnx.helper
    params = native(params)
    preprocessing = preprocessing or Preprocessing()
    preprocessing.require_no_deskewing("an ONNX model")
    inputs, classes = params.W1.shape[0], params.W2.shape[1]
    dtype = helper.np_dtype_to_tensor_dtype(params.W1.dtype)

    def value(name: str, width: int, text: str) -> Any:
        return helper.make_tensor_value_info(name, dtype, ["N", width], doc_string=text)

    operations = _preprocessing_operations(preprocessing, params.W1.dtype)
    tensors = ["X", *(f"X_{name}" for _operator, name, _constant in operations)]
    constants = {name: constant for _operator, name, constant in operations}
    unit = "pixels / 255" if preprocessing.is_default else "pixels from 0 to 255"
    graph = helper.make_graph(
        nodes=[
            *(
                helper.make_node(operator, [before, name], [after], name=name)
                for (operator, name, _), before, after in zip(operations, tensors[:-1], tensors[1:], strict=True)
            ),
            helper.make_node("Gemm", [tensors[-1], "W1", "b1"], ["Z1"], name="hidden"),
            helper.make_node("Relu", ["Z1"], ["A1"], name="relu"),
            helper.make_node("Gemm", ["A1", "W2", "b2"], ["logits"], name="output"),
            helper.make_node("Softmax", ["logits"], ["probs"], name="softmax", axis=1),
        ],
        name="nnkernels",
        inputs=[value("X", inputs, f"Features, one sample per row: {unit}.")],
        outputs=[
            value("probs", classes, "Probability of each class."),
            value("logits", classes, "Scores before softmax."),
        ],
        initializer=[
            onnx.numpy_helper.from_array(array, name) for name, array in (params._asdict() | constants).items()
        ],
    )
    model: ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="nnkernels"
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def from_onnx(
    model: ModelProto,
    where: str = "the ONNX model",
    *,
    input_range: Sequence[float] | None = None,
    preprocessing: Preprocessing | None = None,
) -> Parameters:
    """Return a copy of the parameters of an ONNX model with the same architecture.

    Parameters
    ----------
    model : onnx.ModelProto
        A chain of two dense layers with Relu between them, optionally followed by Softmax or LogSoftmax. A dense layer
        is a Gemm (also with ``transB``, as PyTorch exports it), a MatMul, optionally with Add (as Keras exports it), or
        a FusedGemm of ONNX Runtime. A missing bias counts as zeros. Add, Sub, Mul, Div and BatchNormalization by
        constants are folded into the dense layers. Flatten, Reshape, Cast, Dropout and Identity are allowed where they
        have no effect at inference, and Reshape's shape may be computed from that of the input. Other outputs, such as
        labels, and all names are ignored. The model has opset 7 or later, and does not redefine ONNX's operators as
        functions.
    where : str, default: "the ONNX model"
        The name of the model, with which each error message begins.
    input_range : sequence of two floats, optional
        What the model takes for a pixel of 0 and for a pixel of 255. By default, a model that divides its input by
        about 255 or takes uint8 takes ``(0, 255)``, and a model without normalisation ``(0, 1)``.
    preprocessing : Preprocessing, optional
        The preprocessing of the features that the model was trained on, instead of `input_range`.

    Returns
    -------
    params : Parameters
        For features that are pixels / 255. They may contain NaN, as after a training run that diverged.

    Raises
    ------
    DataError
        If the model is invalid, has another architecture, stores its weights in another file, or normalises its input
        and nothing states the range of this input.
    ConfigurationError
        If `input_range` is invalid, or `preprocessing` is given too.
    MissingDependencyError
        If onnx is not installed.
    """
    import_onnx()
    from nnkernels.interchange.onnx_graph import decoded_model

    stated = stated_preprocessing(input_range, preprocessing)
    with reader_errors_as_data_errors(where, "ONNX model"):
        decoded = decoded_model(model, where)
        return parameters_of_chain(decoded.steps, decoded.features, where, stated or decoded.preprocessing)


def _preprocessing_operations(preprocessing: Preprocessing, dtype: np.dtype[Any]) -> list[tuple[str, str, FloatArray]]:
    if preprocessing.is_default:
        return []
    # The division by 255 states that the model takes pixels.
    operations: list[tuple[str, str, npt.ArrayLike]] = [
        ("Div", "max_pixel", MAX_PIXEL),
        ("Mul", "scale", MAX_PIXEL * preprocessing.scale),
    ]
    operations += [("Sub", "mean", preprocessing.mean), ("Div", "deviation", preprocessing.deviation)]
    neutral = {"Div": 1, "Mul": 1, "Sub": 0}
    return [
        (operator, name, np.asarray(number, dtype))
        for operator, name, number in operations
        if not np.all(np.asarray(number) == neutral[operator])
    ]


def import_onnx() -> Any:
    """Import onnx with the submodules that are used here.

    Returns
    -------
    onnx : module
        The imported package.

    Raises
    ------
    MissingDependencyError
        If onnx is not installed.
    """
    try:
        import onnx.checker
        import onnx.helper  # noqa: F401  (submodules become attributes of onnx)
        import onnx.numpy_helper  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingDependencyError("An ONNX model", error.name or "onnx", "onnx") from error
    return onnx
