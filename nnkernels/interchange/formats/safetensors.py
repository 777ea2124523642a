"""Parameters as a safetensors file: named arrays and a header, without executable code."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from nnkernels.errors import DataError
from nnkernels.interchange.file_format import Decoded, FileFormat, Reading, Source
from nnkernels.interchange.named_arrays import READINGS, steps_of_arrays
from nnkernels.interchange.narrow_floats import bfloat16_to_float32, float8_to_float32
from nnkernels.interchange.preprocessing import Preprocessing
from nnkernels.interchange.record import FORMAT_NAME, FORMAT_VERSION, check_format, format_of
from nnkernels.parameters import FloatArray, Parameters

# The numbers of a safetensors file are little-endian.
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1"}


def to_safetensors(params: Parameters, preprocessing: Preprocessing) -> bytes:
    """Return the content of a safetensors file with the arrays ``W1``, ``b1``, ``W2`` and ``b2``.

    The header's metadata contain the name and version of the format. If the weights are not for pixels / 255, they
    contain ``preprocessing``, the record as JSON.

    Parameters
    ----------
    params : Parameters
        C-contiguous.
    preprocessing : Preprocessing
        The preprocessing of their features.

    Returns
    -------
    content : bytes
        The content of the file, the same for the same parameters.
    """
    metadata = {"format": format_of(preprocessing)}
    if not preprocessing.is_default:
        metadata["preprocessing"] = preprocessing.to_json()
    content = safetensors.numpy.save(params._asdict(), metadata=metadata)
    # safetensors writes several entries of metadata in an order that varies between processes.
    header, start = _header(content)
    header["__metadata__"] = metadata
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the arrays stay aligned
    return len(text).to_bytes(8, "little") + text + content[start:]


def from_safetensors(source: Source) -> Decoded:
    """Return the steps of a safetensors file. See :func:`steps_of_arrays` for the accepted names.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    decoded : Decoded
        Files of other programs state no activation. Floats of 8 or 16 bits become float32.

    Raises
    ------
    DataError
        If the arrays are not those of two dense layers, if a dtype cannot be read, or if a later version of nnkernels
        has written the file.
    Exception
        Any exception of safetensors on a damaged file.
    """
    arrays = {name: _array(name, tensor, source.where) for name, tensor in safetensors.deserialize(source.content)}  # type: ignore[no-untyped-call]
    metadata = _header(source.content)[0].get("__metadata__") or {}
    is_ours = check_format(str(metadata.get("format", "")), source.where)
    record = metadata.get("preprocessing") if is_ours else None
    return Decoded(
        steps_of_arrays(arrays, source.where),
        preprocessing=Preprocessing.from_json(record, source.where) if record is not None else None,
        states_activation=is_ours,
    )


def _header(content: bytes) -> tuple[dict[str, Any], int]:
    # safetensors can read metadata from a file, but not from bytes. The header is its length, followed by JSON.
    start = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:start]), start


def _array(name: str, tensor: dict[str, Any], where: str) -> FloatArray:
    data, dtype = bytes(tensor["data"]), str(tensor["dtype"])
    if dtype in _DTYPES:
        array: FloatArray = np.frombuffer(data, _DTYPES[dtype])
    elif dtype == "BF16":
        array = bfloat16_to_float32(np.frombuffer(data, "<u2"))
    elif dtype in ("F8_E4M3", "F8_E5M2"):
        array = float8_to_float32(np.frombuffer(data, np.uint8), exponent_bits=int(dtype[4]))
    else:
        raise DataError(f"{where}: {name} has the dtype {dtype}; convert it to float32 before you save it")
    return array.reshape(tensor["shape"])


FORMAT = FileFormat(
    name="safetensors file",
    suffixes=(".safetensors",),
    requires="",
    readings=(
        Reading(
            "`nnkernels train`, `save_parameters`",
            f"`format` in its metadata, {FORMAT_NAME} 1 to {FORMAT_VERSION}",
        ),
        Reading("weights from scratch", "the names `W1`, `b1`, `W2`, `b2`, weights (inputs, outputs)"),
        *READINGS[:2],
    ),
    decode=from_safetensors,
    encode=to_safetensors,
    writes="the arrays `W1`, `b1`, `W2`, `b2`; the format of `nnkernels train`",
)
