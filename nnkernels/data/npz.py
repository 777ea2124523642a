"""Data sets as one ``.npz`` file in the layout of Keras' ``mnist.npz``."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from nnkernels.data.dataset import Dataset
from nnkernels.data.formats._archives import read_member
from nnkernels.data.formats._pixels import as_labels, as_pixels
from nnkernels.errors import DataError
from nnkernels.files import atomic_write

KEYS = ("x_train", "y_train", "x_test", "y_test")


def read_npz(path: Path) -> Dataset:
    """Read the arrays ``x_train``, ``y_train``, ``x_test`` and ``y_test`` of a NumPy archive, without unpickling.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dataset : Dataset
        Training and test images.

    Raises
    ------
    DataError
        If the file is missing or damaged, or if an array is missing or has the wrong shape, dtype or values.
    """
    try:
        with open(path, "rb") as stream:
            if stream.read(len(npy.MAGIC_PREFIX)) == npy.MAGIC_PREFIX:
                raise DataError(f"{path}: is a single .npy array; expected an .npz archive of {', '.join(KEYS)}")
        with zipfile.ZipFile(path) as archive:
            arrays = {key: read_member(archive, str(path), key) for key in KEYS}
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # a damaged archive can make zipfile and NumPy raise nearly anything
        raise DataError(f"{path}: not a NumPy archive of plain arrays ({type(error).__name__}: {error})") from error
    try:
        X_train, X_test = (as_pixels(arrays[key], key) for key in ("x_train", "x_test"))
        y_train, y_test = (as_labels(arrays[key], key).astype(np.uint8) for key in ("y_train", "y_test"))
        return Dataset(X_train, y_train, X_test, y_test)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def write_npz(path: Path, dataset: Dataset) -> None:
    """Write a data set in the layout that :func:`read_npz` reads, compressed and atomically.

    Parameters
    ----------
    path : Path
        The file. It is replaced only when the new content is complete.
    dataset : Dataset
        The data set to write.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    arrays = (dataset.X_train, dataset.y_train, dataset.X_test, dataset.y_test)
    with atomic_write(path) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **dict(zip(KEYS, arrays, strict=True)))
