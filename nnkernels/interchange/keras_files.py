"""Parameters as a Keras archive (``.keras``), whose configuration is vetted before Keras sees it."""

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

# What the network may be built of. Keras' safe mode refuses lambdas; whatever else a configuration could name
# (functions of other modules, layers that fetch files) never gets as far as Keras.
_CLASSES = {
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
# They matter to a training alone, and hold nothing but Keras' own classes.
_MODULES = {"keras.initializers", "keras.regularizers", "keras.constraints"}


def to_keras_archive(params: Parameters) -> bytes:
    """Return the content of a ``.keras`` file of the model of :func:`to_keras`, which ends in logits.

    Raises
    ------
    MissingDependencyError
        If Keras is not installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.keras")
        to_keras(params).save(file)
        return file.read_bytes()


def from_keras_archive(content: bytes, where: str) -> dict[str, FloatArray]:
    """Return the arrays of a ``.keras`` file by name; the model may be anybody's, see :func:`from_keras`.

    Nothing of the file is executed: it may name only the few layers that the network can be made of, and is loaded
    in Keras' safe mode, without its optimizer, loss and metrics.

    Raises
    ------
    DataError
        If the file holds another network; the message says what was found.
    MissingDependencyError
        If Keras is not installed.
    Exception
        What ``zipfile`` and Keras raise on a damaged file.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        check_sizes(archive, where)
        configuration = json.loads(archive.read("config.json"))
    configuration.pop("compile_config", None)  # not read below
    foreign = sorted(set(_foreign_classes(configuration)))
    if foreign:
        raise DataError(
            f"{where}: holds {', '.join(foreign[:10])}; expected a Sequential or functional model of two Dense layers, "
            "ReLU between them, and nothing else but Flatten, Dropout and Softmax"
        )
    keras = import_keras()
    with tempfile.TemporaryDirectory() as folder:
        # Keras loads from a file alone.
        file = Path(folder, "model.keras")
        file.write_bytes(content)
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
    return from_keras(model, where)._asdict()


def _foreign_classes(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "class_name" in node:
            module, name = node.get("module"), node["class_name"]
            of_keras = module is None or str(module).split(".")[0] == "keras"
            if not (module in _MODULES or (of_keras and name in _CLASSES)):
                yield str(name) if of_keras else f"{module}.{name}"
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _foreign_classes(child)
