"""Saving parameters to files and loading them. The suffix of the file determines the format."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nnkernels.errors import AssumedActivationWarning, ConfigurationError, DataError, warn_caller
from nnkernels.files import write_bytes
from nnkernels.git import LFS_POINTER, LFS_REFUSAL
from nnkernels.interchange.architecture import parameters_of_chain
from nnkernels.interchange.checks import MAX_BYTES, checked_parameters, reader_errors_as_data_errors
from nnkernels.interchange.file_format import Decoded, FileFormat, Source
from nnkernels.interchange.formats import suffixes
from nnkernels.interchange.preprocessing import Preprocessing, stated_preprocessing
from nnkernels.parameters import Parameters


class Network(NamedTuple):
    """Parameters from a file, and what has to be done with images before.

    Attributes
    ----------
    parameters : Parameters
        For features that are pixels / 255 of the images as they are, or of deskewed images.
    preprocessing : Preprocessing
        How images are deskewed, if they are. Anything else is folded into the parameters.
    """

    parameters: Parameters
    preprocessing: Preprocessing


def save_parameters(
    params: Parameters, path: str | os.PathLike[str], *, preprocessing: Preprocessing | None = None
) -> None:
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
    preprocessing : Preprocessing, optional
        The preprocessing of the features that the parameters take, if these are not pixels / 255. The file records it:
        ``.safetensors`` and ``.npz`` beside the arrays, ``.keras`` and ``.onnx`` as first steps of the model, which
        then takes pixels from 0 to 255. Deskewing is recorded in ``.safetensors`` and ``.npz`` only.

    Raises
    ------
    ConfigurationError
        If the suffix is not one of these, if its models cannot deskew images but the preprocessing does, or if the file
        cannot be written.
    DataError
        If the arrays do not form a network, or are not finite.
    MissingDependencyError
        If the format requires Keras or onnx, and the package is not installed.
    """
    path = Path(path)
    file_format = _format_of(path, writable=True)
    assert file_format.encode is not None
    params = checked_parameters(params._asdict(), "the parameters")
    content = file_format.encode(params, preprocessing or Preprocessing())
    try:
        write_bytes(path, content)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be written ({error.strerror or error}); choose another location"
        ) from error


def load_parameters(
    path: str | os.PathLike[str],
    *,
    activation: str | None = None,
    input_range: Sequence[float] | None = None,
    preprocessing: Preprocessing | None = None,
) -> Parameters:
    """Load parameters from a file of nnkernels or of another program. No code from the file is executed.

    The returned parameters take features that are **pixels / 255**, without further normalisation. If the model was
    trained on other features, say so with `input_range` or `preprocessing`, unless the file records it: the difference
    is folded into ``W1`` and ``b1``, in float64, and rounded once. Otherwise its predictions are wrong without any
    error. A model that begins with a normalisation of its own, such as Keras' ``Rescaling`` or ONNX's Sub and Div, is
    folded likewise.

    Parameters
    ----------
    path : str or PathLike
        The suffix determines the format. The README of :mod:`nnkernels.interchange` lists what can be read.
    activation : {"relu"}, optional
        The activation of the hidden layer, for formats that do not state it.
    input_range : sequence of two floats, optional
        What the model takes for a pixel of 0 and for a pixel of 255, such as ``(0, 255)`` or ``(-1, 1)``. By default, a
        model that divides its input by about 255 takes ``(0, 255)``, and a model without normalisation ``(0, 1)``.
    preprocessing : Preprocessing, optional
        The preprocessing of the features that the model was trained on, instead of `input_range`. If it was trained on
        deskewed images, pass the record with ``deskew=True`` (and ``normalize_size=True`` if their size was
        normalised), and deskew the images of the returned parameters, or use :func:`load_network`.

    Returns
    -------
    params : Parameters
        Writable, C-contiguous and finite, float32 or float64 as in the file. Floats of 8 or 16 bits become float32.

    Raises
    ------
    ConfigurationError
        If the suffix is unknown, `activation` is not ``"relu"``, or both `input_range` and `preprocessing` are given.
    DataError
        If the file is missing or damaged, contains another network, does not match its suffix, or records another
        preprocessing than the given one, or deskewing that is not given. The message names the file and what was found.
    MissingDependencyError
        If the format requires Keras, onnx or h5py, and the package is not installed.

    Warns
    -----
    AssumedActivationWarning
        If the file does not state the activation, and `activation` is not given.
    """
    params, agreed = _load(Path(path), activation, stated_preprocessing(input_range, preprocessing))
    if agreed.deskew and preprocessing is None:
        raise DataError(
            f"{path}: its network was trained on deskewed images, which parameters cannot state; pass "
            f"preprocessing={agreed}, and deskew the images (Preprocessing.deskewed). `nnkernels predict` and "
            "nnkernels.load_network apply it"
        )
    return params


def load_network(
    path: str | os.PathLike[str],
    *,
    activation: str | None = None,
    input_range: Sequence[float] | None = None,
    preprocessing: Preprocessing | None = None,
) -> Network:
    """Load parameters from a file, and how images are deskewed for them.

    Parameters
    ----------
    path : str or PathLike
        As in :func:`load_parameters`.
    activation : {"relu"}, optional
        As in :func:`load_parameters`.
    input_range : sequence of two floats, optional
        As in :func:`load_parameters`.
    preprocessing : Preprocessing, optional
        As in :func:`load_parameters`.

    Returns
    -------
    network : Network
        Its ``preprocessing.features(pixels)`` are what its ``parameters`` take.

    Raises
    ------
    ConfigurationError, DataError, MissingDependencyError
        As :func:`load_parameters`.

    Warns
    -----
    AssumedActivationWarning
        As :func:`load_parameters`.
    """
    params, agreed = _load(Path(path), activation, stated_preprocessing(input_range, preprocessing))
    return Network(params, agreed.deskewing)


def _load(path: Path, activation: str | None, stated: Preprocessing | None) -> tuple[Parameters, Preprocessing]:
    """Return the parameters for pixels / 255, and the stated or recorded preprocessing."""
    file_format = _format_of(path)
    if activation not in (None, "relu"):
        raise ConfigurationError(
            f"activation is {activation!r}; the networks of nnkernels have ReLU ('relu'), so train the model with it"
        )
    content = _content(path, file_format)
    with reader_errors_as_data_errors(str(path), file_format.name):
        decoded = file_format.decode(Source(content, str(path), path.parent))
        stated = _agreed(stated, decoded, str(path))
        params = parameters_of_chain(decoded.steps, decoded.features, str(path), stated)
        params = checked_parameters(params._asdict(), str(path))
    if not decoded.states_activation and activation is None:
        warn_caller(
            f"{path}: does not state the activation of its hidden layer, so ReLU is assumed. With another activation, "
            "the predictions would be wrong. If it is ReLU, pass activation='relu' (--activation relu)",
            AssumedActivationWarning,
        )
    return params, stated or Preprocessing()


def _agreed(stated: Preprocessing | None, decoded: Decoded, where: str) -> Preprocessing | None:
    if None in (stated, decoded.preprocessing) or stated == decoded.preprocessing:
        return stated or decoded.preprocessing
    raise DataError(
        f"{where}: records the preprocessing {decoded.preprocessing}, but {stated} is given; leave it out, because the "
        "record is applied by itself"
    )


def _content(path: Path, file_format: FileFormat) -> bytes:
    try:
        with open(path, "rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); expected a {file_format.name}") from error
    if len(content) > MAX_BYTES:
        raise DataError(
            f"{path}: has more than {MAX_BYTES} bytes, far more than parameters need; expected a {file_format.name}"
        )
    if content.startswith(LFS_POINTER):
        raise DataError(f"{path}: {LFS_REFUSAL}")
    return content


def _format_of(path: Path, *, writable: bool = False) -> FileFormat:
    known = suffixes(writable=writable)
    try:
        return known[path.suffix.lower()]
    except KeyError:
        raise ConfigurationError(
            f"{path}: unknown suffix {path.suffix!r} of a parameter file; expected one of: "
            f"{', '.join(suffix for suffix, form in known.items() if form.readings)}"
        ) from None
