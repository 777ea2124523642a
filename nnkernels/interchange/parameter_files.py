"""Saving parameters to files and loading them. The suffix of the file determines the format."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nnkernels.errors import ConfigurationError, DataError
from nnkernels.files import write_bytes
from nnkernels.interchange.checks import MAX_BYTES, checked_parameters, reader_errors_as_data_errors
from nnkernels.interchange.keras_files import from_keras_archive, to_keras_archive
from nnkernels.interchange.npz_files import from_npz, to_npz
from nnkernels.interchange.onnx_files import from_onnx_file, to_onnx_file
from nnkernels.interchange.safetensors_files import from_safetensors, to_safetensors
from nnkernels.parameters import Parameters


class FileFormat(NamedTuple):
    """A file format.

    Attributes
    ----------
    name : str
        The name of the format, for error messages.
    encode : callable
        ``encode(params) -> bytes``: the content of a file.
    decode : callable
        ``decode(content, where) -> mapping``: arrays by name. ``where`` is the name of the file, for error messages.
    """

    name: str
    encode: Callable[[Parameters], bytes]
    decode: Callable[[bytes, str], Mapping[str, Any]]


FORMATS: dict[str, FileFormat] = {
    ".safetensors": FileFormat("safetensors file", to_safetensors, from_safetensors),
    ".npz": FileFormat("NumPy archive of plain arrays", to_npz, from_npz),
    ".keras": FileFormat("Keras archive", to_keras_archive, from_keras_archive),
    ".onnx": FileFormat("ONNX model", to_onnx_file, from_onnx_file),
}


def save_parameters(params: Parameters, path: str | os.PathLike[str]) -> None:
    """Save parameters to a file, atomically. Missing folders are created.

    Every format preserves every bit, in float32 and in float64.

    Parameters
    ----------
    params : Parameters
        All float32 or all float64, and finite.
    path : str or PathLike
        ``.safetensors`` and ``.npz`` files contain the arrays ``W1``, ``b1``, ``W2`` and ``b2``. A ``.keras`` file
        contains the model of :func:`to_keras`, which returns logits, and an ``.onnx`` file the model of
        :func:`to_onnx`.

    Raises
    ------
    ConfigurationError
        If the suffix is not one of these, or if the file cannot be written.
    DataError
        If the arrays do not form a network, or are not finite.
    MissingDependencyError
        If the format requires Keras or onnx, and the package is not installed.
    """
    path = Path(path)
    file_format = _format_of(path)
    content = file_format.encode(checked_parameters(params._asdict(), "the parameters"))
    try:
        write_bytes(path, content)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be written ({error.strerror or error}); choose another location"
        ) from error


def load_parameters(path: str | os.PathLike[str]) -> Parameters:
    """Load parameters from a file of nnkernels or of another program. No code from the file is executed.

    Parameters
    ----------
    path : str or PathLike
        The suffix determines the format, see :func:`save_parameters`. See :func:`from_keras` and :func:`from_onnx` for
        the accepted ``.keras`` and ``.onnx`` models.

    Returns
    -------
    params : Parameters
        Writable, C-contiguous and finite, float32 or float64 as in the file.

    Raises
    ------
    ConfigurationError
        If the suffix is unknown.
    DataError
        If the file is missing or damaged, contains another network, or does not match its suffix. The message names the
        file and what was found.
    MissingDependencyError
        If the format requires Keras or onnx, and the package is not installed.
    """
    path = Path(path)
    file_format = _format_of(path)
    try:
        with open(path, "rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); expected a {file_format.name}") from error
    if len(content) > MAX_BYTES:
        raise DataError(
            f"{path}: has more than {MAX_BYTES} bytes, far more than parameters need; expected a {file_format.name}"
        )
    with reader_errors_as_data_errors(str(path), file_format.name):
        return checked_parameters(file_format.decode(content, str(path)), str(path))


def _format_of(path: Path) -> FileFormat:
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise ConfigurationError(
            f"{path}: unknown suffix {path.suffix!r} of a parameter file; expected one of: {', '.join(FORMATS)}"
        ) from None
