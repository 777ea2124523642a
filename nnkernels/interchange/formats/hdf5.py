"""Weights in an HDF5 file of Keras, read without Keras."""

from __future__ import annotations

import json

from nnkernels.interchange.file_format import Decoded, FileFormat, Reading, Source
from nnkernels.interchange.hdf5_arrays import hdf5_arrays, hdf5_text
from nnkernels.interchange.keras_configuration import decoded_configuration, steps_of_hdf5


def from_hdf5(source: Source) -> Decoded:
    """Return the steps of an HDF5 file of Keras 2 or 3.

    Parameters
    ----------
    source : Source
        A file of ``model.save_weights``, which states no activation, or of ``model.save``, which does.

    Returns
    -------
    decoded : Decoded
        The steps of the model.

    Raises
    ------
    DataError
        If the file contains another network, or refers to other files.
    MissingDependencyError
        If h5py is not installed.
    Exception
        Any exception of h5py on a damaged file.
    """
    arrays = hdf5_arrays(source.content, source.where)
    configuration = hdf5_text(source.content, "model_config")
    if configuration is not None:
        return decoded_configuration(json.loads(configuration), arrays, source.where)
    return Decoded(steps_of_hdf5(arrays, source.where), states_activation=False)


FORMAT = FileFormat(
    name="HDF5 file of Keras",
    suffixes=(".h5", ".hdf5"),
    requires="keras",
    readings=(
        Reading("`model.save_weights('x.weights.h5')`", "groups such as `layers/dense/vars/0`; the shapes decide"),
        Reading("`model.save('x.h5')` of Keras 2 and 3", "`model_config`, which names the layers and activations"),
        Reading("the same with Rescaling, Normalization or BatchNormalization", "the layers, folded into the weights"),
        Reading("`model.save_weights('x.h5')` of Keras 2", "groups such as `dense/dense/kernel:0`; the shapes decide"),
    ),
    decode=from_hdf5,
)
