"""Saving and loading parameters as a file; the suffix says in which form."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nnkernels.errors import ConfigurationError, DataError
from nnkernels.files import write_bytes
from nnkernels.interchange.checks import MAX_BYTES, checked_parameters, damage_as_data_error
from nnkernels.interchange.keras_files import from_keras_archive, to_keras_archive
from nnkernels.interchange.npz_files import from_npz, to_npz
from nnkernels.interchange.onnx_files import from_onnx_file, to_onnx_file
from nnkernels.interchange.safetensors_files import from_safetensors, to_safetensors
from nnkernels.parameters import Parameters


class FileForm(NamedTuple):
    """A form of file: its name, and the way there and back. ``decode`` takes the file's name for its messages."""

    name: str
    encode: Callable[[Parameters], bytes]
    decode: Callable[[bytes, str], Mapping[str, Any]]


FORMS: dict[str, FileForm] = {
    ".safetensors": FileForm("safetensors file", to_safetensors, from_safetensors),
    ".npz": FileForm("NumPy archive of plain arrays", to_npz, from_npz),
    ".keras": FileForm("Keras archive", to_keras_archive, from_keras_archive),
    ".onnx": FileForm("ONNX model", to_onnx_file, from_onnx_file),
}


def save_parameters(params: Parameters, path: str | os.PathLike[str]) -> None:
    """Write parameters to a file, all or nothing; folders that are missing are made.

    Every form keeps every bit, in float32 and in float64.

    Parameters
    ----------
    params : Parameters
    path : path
        ``.safetensors`` and ``.npz`` hold the arrays ``W1``, ``b1``, ``W2`` and ``b2``; ``.keras`` the model of
        :func:`to_keras`, which ends in logits; ``.onnx`` the model of :func:`to_onnx`.

    Raises
    ------
    ConfigurationError
        If the suffix is none of these, or the file cannot be written.
    DataError
        If the arrays do not make a network, or are not finite.
    MissingDependencyError
        If Keras or onnx is needed and not installed.
    """
    path = Path(path)
    form = _form(path)
    content = form.encode(checked_parameters(params._asdict(), "the parameters"))
    try:
        write_bytes(path, content)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be written ({error.strerror or error}); choose another place"
        ) from error


def load_parameters(path: str | os.PathLike[str]) -> Parameters:
    """Read parameters from a file, ours or another program's; nothing in a file is executed.

    Parameters
    ----------
    path : path
        The suffix says in which form it is, see :func:`save_parameters`. What ``.keras`` and ``.onnx`` may hold,
        :func:`from_keras` and :func:`from_onnx` say.

    Returns
    -------
    params : Parameters
        Writable and C-contiguous, float32 or float64 as the file has them, all finite.

    Raises
    ------
    ConfigurationError
        If the suffix is unknown.
    DataError
        If the file is missing, damaged, holds another network, or is not what its suffix says; the message names
        the file and what was found.
    MissingDependencyError
        If Keras or onnx is needed and not installed.
    """
    path = Path(path)
    form = _form(path)
    try:
        with open(path, "rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); expected a {form.name}") from error
    if len(content) > MAX_BYTES:
        raise DataError(f"{path}: has more than {MAX_BYTES} bytes, far more than parameters; expected a {form.name}")
    with damage_as_data_error(str(path), form.name):
        return checked_parameters(form.decode(content, str(path)), str(path))


def _form(path: Path) -> FileForm:
    try:
        return FORMS[path.suffix.lower()]
    except KeyError:
        raise ConfigurationError(
            f"{path}: parameters are not kept in files of the suffix {path.suffix!r}; known are: {', '.join(FORMS)}"
        ) from None
