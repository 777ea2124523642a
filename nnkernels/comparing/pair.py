"""Training of several contenders from the same weights on the same batches, with a record after each epoch."""

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
from nnkernels.training import recipe_images, train

ShowEpoch = Callable[[str, History], None]


@dataclass(frozen=True)
class Side:
    """The training run of one contender.

    Attributes
    ----------
    history : History
        The history.
    trajectory : list of Parameters
        The parameters after each epoch; the last ones are those with which the training ended.
    probs : ndarray of float, shape (N, C)
        The contender's own predictions on the test images after the last epoch.
    """

    history: History
    trajectory: list[Parameters]
    probs: FloatArray


@dataclass(frozen=True)
class Comparison:
    """The training runs of two or more contenders with the same recipe and seed.

    Attributes
    ----------
    recipe : Recipe
        The recipe.
    seed : int
        The seed.
    sides : dict of str to Side
        The training runs by name of the contender, in the requested order.
    """

    recipe: Recipe
    seed: int
    sides: dict[str, Side]

    def drift(self, first: str, second: str) -> dict[str, list[float]]:
        """Return the distance between the parameters of two contenders after each epoch.

        Parameters
        ----------
        first, second : str
            The names of the contenders.

        Returns
        -------
        drift : dict of str to list of float
            ``maximum`` is the largest absolute difference of any parameter. ``relative`` is the Euclidean norm of the
            difference, divided by that of the first contender's parameters.
        """
        pairs = list(zip(self.sides[first].trajectory, self.sides[second].trajectory, strict=True))
        return {
            "maximum": [max_abs_difference(left, right) for left, right in pairs],
            "relative": [
                float(np.linalg.norm(_flat(left) - _flat(right)) / np.linalg.norm(_flat(left))) for left, right in pairs
            ],
        }


def require_comparable(names: Sequence[str]) -> None:
    """Check the names of the contenders of a comparison.

    Parameters
    ----------
    names : sequence of str
        The names.

    Raises
    ------
    ConfigurationError
        If fewer than two names are given, or if one is given twice.
    UnknownNameError, MissingDependencyError, InferenceOnlyError
        If a contender is unknown, not installed, or cannot train.
    """
    if len(names) < 2 or len(set(names)) < len(names):
        raise ConfigurationError(f"expected two contenders or more, each only once; given: {', '.join(names)}")
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
    """Train contenders one after another, from the same weights and on the same batches in the same order.

    Parameters
    ----------
    names : sequence of str
        At least two contenders.
    dataset : Dataset
        The data.
    recipe : Recipe
        The recipe. It must match the number of training images, which ``validation`` reduces by a sixth.
    seed : int, default: 0
        The seed of the initial parameters and of the order of the images.
    validation : bool, default: True
        Whether to hold out the last sixth of the training images for validation.
    show : callable, optional
        ``show(name, history)``, called after each epoch.

    Returns
    -------
    comparison : Comparison
        The training runs.

    Raises
    ------
    ConfigurationError
        If fewer than two names are given, or if one is given twice.
    UnknownNameError, MissingDependencyError, InferenceOnlyError
        If a contender is unknown, not installed, or cannot train.
    """
    require_comparable(names)
    split = dataset.validation_split()
    training, held_out = (split.training, split.test) if validation else (dataset.training, None)
    sides = {name: _train(name, training, held_out, dataset, recipe, seed, show) for name in names}
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
    trajectory: list[Parameters] = []

    def record_epoch(history: History, contender: Contender) -> None:
        trajectory.append(contender.parameters())
        show(name, history)

    contender = contenders.create_anywhere(name)
    try:
        history = train(contender, data, recipe, seed=seed, validation=validation, callbacks=[record_epoch])
        trajectory[-1] = contender.parameters()  # with averaging or early stopping, not those of the last step
        return Side(history, trajectory, contender.predict(recipe_images(recipe, dataset.test).X))
    finally:
        contender.close()


def _flat(params: Parameters) -> FloatArray:
    return np.concatenate([array.ravel() for array in params]).astype(np.float64)
