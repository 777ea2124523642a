"""Parameters as a NumPy archive of four plain arrays, without pickling."""

from __future__ import annotations

import io
import zipfile

import numpy as np

from nnkernels.interchange.zip_sizes import check_sizes
from nnkernels.parameters import FloatArray, Parameters


def to_npz(params: Parameters) -> bytes:
    """Return the content of an ``.npz`` file with the arrays ``W1``, ``b1``, ``W2`` and ``b2``.

    Parameters
    ----------
    params : Parameters
        Float arrays of any shape.

    Returns
    -------
    content : bytes
        The content of the file.
    """
    content = io.BytesIO()
    # Uncompressed, because weights hardly compress.
    np.savez(content, allow_pickle=False, **params._asdict())
    return content.getvalue()


def from_npz(content: bytes, where: str) -> dict[str, FloatArray]:
    """Return the arrays of an ``.npz`` file by name, without checking them.

    Parameters
    ----------
    content : bytes
        The content of the file.
    where : str
        The name of the file, with which each error message begins.

    Returns
    -------
    arrays : dict of str to ndarray
        All arrays of the file.

    Raises
    ------
    DataError
        If the archive declares far larger arrays than parameters need.
    Exception
        Any exception of ``zipfile`` and NumPy on a damaged file, or on Python objects, which are never unpickled.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as zipped:
        check_sizes(zipped, where)
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
