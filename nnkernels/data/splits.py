"""Seeded splits of labelled images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


def stratified_split(y: npt.NDArray[np.uint8], test_share: float, seed: int) -> tuple[Indices, Indices]:
    """Return shuffled indices of a training and a test part, in which each class has the same share.

    Parameters
    ----------
    y : ndarray of uint8, shape (N,)
    test_share : float
        Share of each class that goes to the test part, rounded to whole images.
    seed : int
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(y))
    by_class = [shuffled[y[shuffled] == label] for label in np.unique(y)]
    test = np.concatenate([of_class[: round(test_share * len(of_class))] for of_class in by_class])
    train = np.setdiff1d(shuffled, test)
    return rng.permutation(train), rng.permutation(test)
