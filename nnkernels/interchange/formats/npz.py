"""Parameters as a NumPy archive of plain arrays, without pickling."""

from __future__ import annotations

import io
import zipfile

import numpy as np

from nnkernels.interchange.file_format import Decoded, FileFormat, Reading, Source
from nnkernels.interchange.named_arrays import READINGS, steps_of_arrays
from nnkernels.interchange.preprocessing import Preprocessing
from nnkernels.interchange.record import FORMAT_NAME, FORMAT_VERSION, check_format, format_of
from nnkernels.interchange.zip_sizes import check_sizes
from nnkernels.parameters import Parameters

_FORMAT_KEY, _PREPROCESSING_KEY = "format", "preprocessing"


def to_npz(params: Parameters, preprocessing: Preprocessing) -> bytes:
    """Return the content of an ``.npz`` file with the arrays ``W1``, ``b1``, ``W2`` and ``b2``.

    The text ``format`` names the format and its version. If the weights are not for pixels / 255, the text
    ``preprocessing`` contains the record as JSON.

    Parameters
    ----------
    params : Parameters
        Float arrays of any shape.
    preprocessing : Preprocessing
        The preprocessing of their features.

    Returns
    -------
    content : bytes
        The content of the file.
    """
    content = io.BytesIO()
    texts = {_FORMAT_KEY: np.array(format_of(preprocessing))}
    if not preprocessing.is_default:
        texts[_PREPROCESSING_KEY] = np.array(preprocessing.to_json())
    # Uncompressed, because weights hardly compress.
    np.savez(content, allow_pickle=False, **params._asdict(), **texts)
    return content.getvalue()


def from_npz(source: Source) -> Decoded:
    """Return the steps of an ``.npz`` file. See :func:`steps_of_arrays` for the accepted names.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    decoded : Decoded
        Files of other programs state no activation.

    Raises
    ------
    DataError
        If the arrays are not those of two dense layers, if the archive declares far larger arrays than parameters
        need, or if a later version of nnkernels has written it.
    Exception
        Any exception of ``zipfile`` and NumPy on a damaged file, or on Python objects, which are never unpickled.
    """
    with zipfile.ZipFile(io.BytesIO(source.content)) as zipped:
        check_sizes(zipped, source.where)
    with np.load(io.BytesIO(source.content), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    # Such a text is ours; another program may use the name for an array.
    texts = {
        key: str(arrays.pop(key))
        for key in (_FORMAT_KEY, _PREPROCESSING_KEY)
        if key in arrays and arrays[key].ndim == 0 and arrays[key].dtype.kind == "U"
    }
    is_ours = check_format(texts.get(_FORMAT_KEY, ""), source.where)
    record = texts.get(_PREPROCESSING_KEY)
    return Decoded(
        steps_of_arrays(arrays, source.where),
        preprocessing=Preprocessing.from_json(record, source.where) if record is not None else None,
        states_activation=is_ours,
    )


FORMAT = FileFormat(
    name="NumPy archive of plain arrays",
    suffixes=(".npz",),
    requires="",
    readings=(
        Reading("`save_parameters` of nnkernels", f"the text `format`, {FORMAT_NAME} 1 to {FORMAT_VERSION}"),
        Reading("weights from scratch", "the names `W1`, `b1`, `W2`, `b2`, weights (inputs, outputs)"),
        *READINGS,
    ),
    decode=from_npz,
    encode=to_npz,
    writes="the arrays `W1`, `b1`, `W2`, `b2`; never pickled",
)
