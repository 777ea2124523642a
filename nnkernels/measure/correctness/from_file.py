"""The correctness check of training from a file, which runs before training from a file is timed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nnkernels.chunked import epoch_chunks, train_from_file
from nnkernels.contenders import Contender
from nnkernels.data.dataset import CLASSES
from nnkernels.errors import GateError
from nnkernels.measure.correctness.gate_result import TOLERANCES
from nnkernels.measure.correctness.gate_training import SEEDS
from nnkernels.measure.correctness.oracle import train_float64
from nnkernels.parameters import initial_parameters, max_abs_difference
from nnkernels.recipes import benchmark_recipe

CHUNK_IMAGES = 800


def require_from_file(name: str, contender: Contender, images: str | Path, labels: str | Path) -> float:
    """Check an epoch of gradient descent from ``.npy`` files, in several chunks, against the oracle.

    Parameters
    ----------
    name : str
        Name of the contender, for the error message.
    contender : Contender
        The contender to train. Its previous state is lost.
    images : str or Path
        File of uint8 images, shape (N, D).
    labels : str or Path
        File of integer labels, shape (N,).

    Returns
    -------
    difference : float
        Largest absolute difference of any parameter from the oracle's.

    Raises
    ------
    GateError
        If the difference exceeds the gate's tolerance, or if an image is not used exactly once.
    """
    recipe = benchmark_recipe()
    X, y = np.load(images, allow_pickle=False), np.load(labels, allow_pickle=False)
    start = initial_parameters(SEEDS[0], X.shape[1], recipe.hidden, max(CLASSES, int(y.max()) + 1))
    expected, seen = start, []
    for chunk in epoch_chunks(SEEDS[0], 0, len(X), CHUNK_IMAGES, recipe.batch_size):
        rows = chunk.start + chunk.order
        seen += rows.tolist()
        rates = recipe.learning_rates(0, len(rows))
        expected = train_float64(expected, X[rows] / 255.0, y[rows], recipe, rates)
    train_from_file(contender, images, labels, recipe, seed=SEEDS[0], start=start, chunk_images=CHUNK_IMAGES)
    if sorted(seen) != list(range(len(X))):
        raise GateError(
            f"an epoch of training from a file uses {len(set(seen))} of {len(X)} images ({len(seen)} with "
            f"repetitions); expected each image once. {name} is not timed: check the order of the chunks."
        )
    difference = max_abs_difference(contender.parameters(), expected)
    if not difference <= TOLERANCES[recipe.optimizer.name]:
        raise GateError(
            f"{name} differs from the float64 oracle when it trains from a file: after {len(X)} images in chunks of "
            f"{CHUNK_IMAGES}, its parameters differ by up to {difference:.3g} (tolerance "
            f"{TOLERANCES[recipe.optimizer.name]:.0e}). It is not timed: check the state that it keeps between chunks."
        )
    return difference
