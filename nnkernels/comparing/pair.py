"""Contenders trained from the same weights on the same batches, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nnkernels import contenders
from nnkernels.contenders import Contender
from nnkernels.data import Dataset, LabelledImages
from nnkernels.errors import ConfigurationError
from nnkernels.history import History
from nnkernels.parameters import FloatArray, Parameters, max_abs_difference
from nnkernels.recipes import Recipe
from nnkernels.training import train

ShowEpoch = Callable[[str, History], None]


@dataclass(frozen=True)
class Side:
    """One contender's training.

    Attributes
    ----------
    history : History
    path : list of Parameters
        The parameters at the end of each epoch.
    probs : ndarray, shape (N, C)
        Its own probabilities of the test images, in the end.
    """

    history: History
    path: list[Parameters]
    probs: FloatArray


@dataclass(frozen=True)
class Comparison:
    """Two or more contenders' trainings by one recipe, from one seed.

    Attributes
    ----------
    sides : dict of str to Side
        By the contender's name, in the order asked for.
    """

    recipe: Recipe
    seed: int
    sides: dict[str, Side]

    def drift(self, first: str, second: str) -> dict[str, list[float]]:
        """Return how far two contenders' parameters lie apart at the end of each epoch.

        Returns
        -------
        dict
            ``maximum``: the largest absolute difference of any parameter. ``relative``: the root of the squared
            differences' sum over that of the first one's parameters.
        """
        pairs = list(zip(self.sides[first].path, self.sides[second].path, strict=True))
        return {
            "maximum": [max_abs_difference(left, right) for left, right in pairs],
            "relative": [
                float(np.linalg.norm(_flat(left) - _flat(right)) / np.linalg.norm(_flat(left))) for left, right in pairs
            ],
        }


def require_comparable(names: Sequence[str]) -> None:
    """Check the names of the contenders of a comparison.

    Raises
    ------
    ConfigurationError
        If fewer than two names are given, or one of them twice.
    UnknownNameError, MissingDependencyError, InferenceOnlyError
        If a contender is unknown, not installed, or cannot train.
    """
    if len(names) < 2 or len(set(names)) < len(names):
        raise ConfigurationError(f"to compare takes two contenders or more, each once; given: {', '.join(names)}")
    for name in names:
        contenders.require_trainable(name)


def compare(
    names: Sequence[str],
    dataset: Dataset,
    recipe: Recipe,
    seed: int = 0,
    validation: bool = True,
    show: ShowEpoch = lambda _name, _history: None,
) -> Comparison:
    """Train contenders one after another, from the same weights, on the same batches in the same order.

    Parameters
    ----------
    names : sequence of str
        Two contenders or more.
    dataset : Dataset
    recipe : Recipe
        Made for the number of images that are trained on: all but a sixth, with ``validation``.
    validation : bool
        Hold out the last sixth of the training images, for the curves; else train on all.
    show : callable
        Called with the contender's name and its history so far, after each epoch.

    Raises
    ------
    ConfigurationError
        If fewer than two names are given, or one of them twice.
    UnknownNameError, MissingDependencyError, InferenceOnlyError
        If a contender is unknown, not installed, or cannot train.
    """
    require_comparable(names)
    split = dataset.validation_split()
    learnt, held_out = (split.training, split.test) if validation else (dataset.training, None)
    sides = {name: _train(name, learnt, held_out, dataset, recipe, seed, show) for name in names}
    return Comparison(recipe, seed, sides)


def _train(
    name: str,
    data: LabelledImages,
    validation: LabelledImages | None,
    dataset: Dataset,
    recipe: Recipe,
    seed: int,
    show: ShowEpoch,
) -> Side:
    path: list[Parameters] = []

    def follow(history: History, contender: Contender) -> None:
        path.append(contender.parameters())
        show(name, history)

    contender = contenders.create_anywhere(name)
    try:
        history = train(contender, data, recipe, seed=seed, validation=validation, callbacks=[follow])
        return Side(history, path, contender.predict(dataset.X_test))
    finally:
        contender.close()


def _flat(params: Parameters) -> FloatArray:
    return np.concatenate([array.ravel() for array in params]).astype(np.float64)
