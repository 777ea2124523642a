"""Seeded splits of labelled images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


def stratified_split(y: npt.NDArray[np.uint8], test_fraction: float, seed: int) -> tuple[Indices, Indices]:
    """Split images at random into training and test images, with the same fraction of each class.

    Parameters
    ----------
    y : ndarray of integers, shape (N,)
        Labels.
    test_fraction : float
        The fraction of each class that becomes test images, rounded to whole images.
    seed : int
        Seed of ``numpy.random.default_rng``.

    Returns
    -------
    train, test : ndarray of int64
        Shuffled indices of the training and of the test images.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(y))
    by_class = [shuffled[y[shuffled] == label] for label in np.unique(y)]
    test = np.concatenate([indices[: round(test_fraction * len(indices))] for indices in by_class])
    train = np.setdiff1d(shuffled, test)
    return rng.permutation(train), rng.permutation(test)
