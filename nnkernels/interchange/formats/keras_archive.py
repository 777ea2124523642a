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
from nnkernels.interchange.file_format import Decoded, FileFormat, Reading, Source
from nnkernels.interchange.hdf5_arrays import hdf5_arrays
from nnkernels.interchange.keras_builder import to_keras
from nnkernels.interchange.keras_configuration import decoded_configuration
from nnkernels.interchange.keras_import import import_keras
from nnkernels.interchange.keras_layers import IDENTITY_LAYERS
from nnkernels.interchange.keras_reader import decoded_model
from nnkernels.interchange.preprocessing import Preprocessing
from nnkernels.interchange.zip_sizes import check_sizes
from nnkernels.parameters import Parameters

# The classes that a model may contain. Keras' safe mode only refuses lambdas. This list also keeps everything else that
# a configuration could name, such as functions of other modules or layers that fetch files, away from Keras.
_ALLOWED_CLASSES = {
    *IDENTITY_LAYERS,
    "Sequential",
    "Functional",
    "Model",
    "Dense",
    "ReLU",
    "Softmax",
    "Activation",
    "Flatten",
    "Reshape",
    "Rescaling",
    "Normalization",
    "BatchNormalization",
    "DTypePolicy",
    "__keras_tensor__",
}
_TF_KERAS = "tf_keras"  # the package of Keras 2 beside Keras 3
# Modules that only matter for training, and only contain Keras' own classes.
_ALLOWED_MODULES = {"keras.initializers", "keras.regularizers", "keras.constraints"}


def to_keras_archive(params: Parameters, preprocessing: Preprocessing) -> bytes:
    """Return the content of a ``.keras`` file with the model of :func:`to_keras`, which returns logits.

    Parameters
    ----------
    params : Parameters
        All float32 or all float64.
    preprocessing : Preprocessing
        The preprocessing of their features.

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
        to_keras(params, preprocessing).save(file)
        return file.read_bytes()


def from_keras_archive(source: Source) -> Decoded:
    """Return the steps of a ``.keras`` file. See :func:`from_keras` for the accepted models.

    No code from the file is executed. Its configuration may only name the few layers that such a network can have, and
    Keras loads it in safe mode, without optimizer, loss and metrics. Keras 3 refuses files of Keras 2; of those, the
    configuration and the weights are read without Keras.

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
    DataError
        If the file contains another network; the message names the layers that were found.
    MissingDependencyError
        If Keras is not installed.
    Exception
        Any exception of ``zipfile`` and Keras on a damaged file.
    """
    content, where = source.content, source.where
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        check_sizes(archive, where)
        configuration = json.loads(archive.read("config.json"))
        # Refuses links and sizes that Keras would follow and allocate.
        hdf5_arrays(archive.read("model.weights.h5"), where)
        is_keras_2 = _is_of_keras_2(archive)
    configuration.pop("compile_config", None)  # not needed below
    disallowed = sorted(set(_disallowed_classes(configuration)))
    if disallowed:
        raise DataError(
            f"{where}: contains {', '.join(disallowed[:10])}; expected a Sequential or functional model of two Dense "
            "layers, with ReLU between them and nothing else but Flatten, Reshape, Dropout, Rescaling, Normalization, "
            "BatchNormalization and Softmax; build such a model and copy the weights into it with set_weights"
        )
    if _TF_KERAS in _modules(configuration):  # Keras 3 would import them
        return _without_keras(content, configuration, where)
    keras = import_keras()
    with tempfile.TemporaryDirectory() as folder:
        # Keras can only load from a file.
        file = Path(folder, "model.keras")
        file.write_bytes(content)
        try:
            model = keras.saving.load_model(file, compile=False, safe_mode=True)
        except (TypeError, ValueError) as error:
            if not is_keras_2 and not isinstance(error, TypeError):
                raise
            return _without_keras(content, configuration, where)
    return decoded_model(model, where)


def _without_keras(content: bytes, configuration: Any, where: str) -> Decoded:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        weights = archive.read("model.weights.h5")
    return decoded_configuration(configuration, hdf5_arrays(weights, where), where)


def _is_of_keras_2(archive: zipfile.ZipFile) -> bool:
    try:
        return str(json.loads(archive.read("metadata.json"))["keras_version"]).startswith("2.")
    except (KeyError, TypeError, ValueError):
        return False


def _modules(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield str(node.get("module")).split(".")[0]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _modules(child)


def _disallowed_classes(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "class_name" in node:
            module, name = node.get("module"), node["class_name"]
            is_keras = module is None or str(module).split(".")[0] in ("keras", _TF_KERAS)
            if not (module in _ALLOWED_MODULES or (is_keras and name in _ALLOWED_CLASSES)):
                yield str(name) if is_keras else f"{module}.{name}"
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _disallowed_classes(child)


FORMAT = FileFormat(
    name="Keras archive",
    suffixes=(".keras",),
    requires="keras",
    readings=(
        Reading("`model.save` of Keras 3", "Sequential or functional models, also nested ones"),
        Reading("the same with Rescaling, Normalization or BatchNormalization", "the layers, folded into the weights"),
        Reading("`model.save` of Keras 2", "Keras 3 refuses it; the configuration and the weights in it are read"),
    ),
    decode=from_keras_archive,
    encode=to_keras_archive,
    writes="a Keras model of two dense layers",
)
