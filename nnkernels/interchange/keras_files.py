"""Parameters as a Keras archive (``.keras``), whose configuration is checked before Keras loads it."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nnkernels.errors import DataError
from nnkernels.interchange.keras_builder import to_keras
from nnkernels.interchange.keras_import import import_keras
from nnkernels.interchange.keras_reader import from_keras
from nnkernels.interchange.zip_sizes import check_sizes
from nnkernels.parameters import FloatArray, Parameters

# The classes that a model may contain. Keras' safe mode only refuses lambdas. This list also keeps everything else that
# a configuration could name, such as functions of other modules or layers that fetch files, away from Keras.
_ALLOWED_CLASSES = {
    "Sequential",
    "Functional",
    "InputLayer",
    "Dense",
    "ReLU",
    "Softmax",
    "Activation",
    "Flatten",
    "Dropout",
    "DTypePolicy",
    "__keras_tensor__",
}
# Modules that only matter for training, and only contain Keras' own classes.
_ALLOWED_MODULES = {"keras.initializers", "keras.regularizers", "keras.constraints"}


def to_keras_archive(params: Parameters) -> bytes:
    """Return the content of a ``.keras`` file with the model of :func:`to_keras`, which returns logits.

    Parameters
    ----------
    params : Parameters
        All float32 or all float64.

    Returns
    -------
    content : bytes
        The content of the file.

    Raises
    ------
    DataError, MissingDependencyError
        As :func:`to_keras`.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.keras")
        to_keras(params).save(file)
        return file.read_bytes()


def from_keras_archive(content: bytes, where: str) -> dict[str, FloatArray]:
    """Return the arrays of a ``.keras`` file by name. See :func:`from_keras` for the accepted models.

    No code from the file is executed. Its configuration may only name the few layers that such a network can have, and
    Keras loads it in safe mode, without optimizer, loss and metrics.

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
    DataError
        If the file contains another network; the message names the layers that were found.
    MissingDependencyError
        If Keras is not installed.
    Exception
        Any exception of ``zipfile`` and Keras on a damaged file.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        check_sizes(archive, where)
        configuration = json.loads(archive.read("config.json"))
    configuration.pop("compile_config", None)  # not needed below
    disallowed = sorted(set(_disallowed_classes(configuration)))
    if disallowed:
        raise DataError(
            f"{where}: contains {', '.join(disallowed[:10])}; expected a Sequential or functional model of two Dense "
            "layers, with ReLU between them and nothing else but Flatten, Dropout and Softmax"
        )
    keras = import_keras()
    with tempfile.TemporaryDirectory() as folder:
        # Keras can only load from a file.
        file = Path(folder, "model.keras")
        file.write_bytes(content)
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
    return from_keras(model, where)._asdict()


def _disallowed_classes(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "class_name" in node:
            module, name = node.get("module"), node["class_name"]
            is_keras = module is None or str(module).split(".")[0] == "keras"
            if not (module in _ALLOWED_MODULES or (is_keras and name in _ALLOWED_CLASSES)):
                yield str(name) if is_keras else f"{module}.{name}"
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _disallowed_classes(child)
