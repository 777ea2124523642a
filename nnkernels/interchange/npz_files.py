"""Parameters as a NumPy archive of four plain arrays; nothing is pickled or unpickled."""

from __future__ import annotations

import io
import zipfile

import numpy as np

from nnkernels.interchange.zip_sizes import check_sizes
from nnkernels.parameters import FloatArray, Parameters


def to_npz(params: Parameters) -> bytes:
    """Return the content of an ``.npz`` file of the arrays ``W1``, ``b1``, ``W2`` and ``b2``."""
    content = io.BytesIO()
    # Not compressed: weights hardly shrink.
    np.savez(content, allow_pickle=False, **params._asdict())
    return content.getvalue()


def from_npz(content: bytes, where: str) -> dict[str, FloatArray]:
    """Return the arrays of an ``.npz`` file by name, unchecked.

    Raises
    ------
    DataError
        If the archive announces far more than parameters.
    Exception
        What ``zipfile`` and NumPy raise on a damaged file, and on Python objects, which it does not unpickle here.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as zipped:
        check_sizes(zipped, where)
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
