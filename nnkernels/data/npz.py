"""A data set as one ``.npz`` file in the layout of Keras' ``mnist.npz``."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from nnkernels.data.dataset import PIXELS, ByteArray, Dataset
from nnkernels.errors import DataError

KEYS = ("x_train", "y_train", "x_test", "y_test")


def read_npz(path: Path) -> Dataset:
    """Read ``x_train``, ``y_train``, ``x_test`` and ``y_test`` from a NumPy archive; never unpickles.

    Raises
    ------
    DataError
        If the file is missing, damaged, lacks an array, or an array has the wrong form.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(f"{path}: a single .npy array; expected an .npz archive of {', '.join(KEYS)}")
            missing = [key for key in KEYS if key not in archive]
            if missing:
                raise DataError(f"{path}: lacks {', '.join(missing)}; it holds {', '.join(archive.files) or 'nothing'}")
            arrays = {key: archive[key] for key in KEYS}
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: not a NumPy archive of plain arrays ({error})") from error
    try:
        return Dataset(
            _images(arrays["x_train"]), _labels(arrays["y_train"]), _images(arrays["x_test"]), _labels(arrays["y_test"])
        )
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def write_npz(path: Path, dataset: Dataset) -> None:
    """Write a data set in the layout that :func:`read_npz` reads, compressed, all or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.stem}.{os.getpid()}.part.npz")
    arrays = (dataset.X_train, dataset.y_train, dataset.X_test, dataset.y_test)
    np.savez_compressed(temporary, allow_pickle=False, **dict(zip(KEYS, arrays, strict=True)))
    os.replace(temporary, path)


def _images(values: ByteArray) -> ByteArray:
    if values.dtype != np.uint8 or values.shape[1:] not in ((28, 28), (PIXELS,)):
        raise DataError(f"images are {values.dtype} of shape {values.shape}; expected uint8 (N, 28, 28) or (N, 784)")
    return values.reshape(-1, PIXELS)


def _labels(values: ByteArray) -> ByteArray:
    if values.dtype.kind not in "iu" or values.ndim != 1:
        raise DataError(f"labels are {values.dtype} of shape {values.shape}; expected integers (N,)")
    if values.size and (values.min() < 0 or values.max() > 9):
        raise DataError(f"labels go from {values.min()} to {values.max()}; expected 0 to 9")
    return values.astype(np.uint8)
