"""Parameters as an ONNX model."""

from __future__ import annotations

from typing import cast

from nnkernels.interchange.checks import reader_errors_as_data_errors
from nnkernels.interchange.file_format import Decoded, FileFormat, Reading, Source
from nnkernels.interchange.onnx_models import import_onnx, to_onnx
from nnkernels.interchange.preprocessing import Preprocessing
from nnkernels.parameters import Parameters


def to_onnx_file(params: Parameters, preprocessing: Preprocessing) -> bytes:
    """Return the content of an ``.onnx`` file with the model of :func:`to_onnx`.

    Parameters
    ----------
    params : Parameters
        All float32 or all float64.
    preprocessing : Preprocessing
        The preprocessing of their features.

    Returns
    -------
    content : bytes
        The content of the file, the same for the same parameters.

    Raises
    ------
    DataError, MissingDependencyError
        As :func:`to_onnx`.
    """
    return cast(bytes, to_onnx(params, preprocessing).SerializeToString(deterministic=True))


def from_onnx_file(source: Source) -> Decoded:
    """Return the steps of an ``.onnx`` file. See :func:`from_onnx` for the accepted models.

    Weights in other files are read only if these lie in the folder of the file or below, without symbolic links.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    decoded : Decoded
        The steps of the model.

    Raises
    ------
    DataError, MissingDependencyError
        As :func:`from_onnx`.
    """
    onnx = import_onnx()
    from nnkernels.interchange.onnx_external import load_external_data
    from nnkernels.interchange.onnx_graph import decoded_model

    with reader_errors_as_data_errors(source.where, "ONNX model"):
        model = onnx.load_model_from_string(source.content)
        load_external_data(model, source.folder, source.where)
        return decoded_model(model, source.where)


FORMAT = FileFormat(
    name="ONNX model",
    suffixes=(".onnx",),
    requires="onnx",
    readings=(
        Reading(
            "`torch.onnx.export` of PyTorch, old and new", "Gemm with `transB`; any shape arithmetic that flattens"
        ),
        Reading("`model.export(format='onnx')` of Keras, tf2onnx", "MatMul and Add; biases left out if they are zero"),
        Reading("skl2onnx", "a leading Cast, and branches for the labels, with and without ZipMap"),
        Reading("a model optimised by ONNX Runtime", "FusedGemm of the domain com.microsoft"),
        Reading("any of them with normalisation", "Sub, Div, Mul, Add or BatchNormalization, folded into the weights"),
        Reading("any of them with weights in other files", "data files in the same folder or below, no symbolic links"),
    ),
    decode=from_onnx_file,
    encode=to_onnx_file,
    writes="a graph of two dense layers, ReLU and softmax; runs in ONNX Runtime",
)
