"""The one training loop: it drives any contender, epoch by epoch, and keeps the history."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nnkernels.contenders import Contender, TrainingData
from nnkernels.data import Dataset
from nnkernels.errors import DataError
from nnkernels.parameters import FloatArray, initial_parameters
from nnkernels.recipes import Recipe

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class EpochRecord:
    """What is known at the end of an epoch; error rates are fractions of 1.

    ``seconds`` is the time of the training alone, without the evaluation.
    """

    epoch: int
    seconds: float
    train_loss: float
    train_error_rate: float
    test_loss: float
    test_error_rate: float


@dataclass
class History:
    """The records of a training, an epoch each, in order."""

    contender: str
    recipe: str
    dataset: str
    seed: int
    epochs: list[EpochRecord] = field(default_factory=list)

    def to_frame(self) -> pd.DataFrame:
        """Return a row an epoch (needs pandas)."""
        import pandas as pd

        return pd.DataFrame([asdict(record) for record in self.epochs])


def batch_order(seed: int, epoch: int, images: int) -> npt.NDArray[np.int64]:
    """Return the permutation of the images in an epoch (counted from 0): the same for every contender."""
    return np.random.default_rng((seed, epoch)).permutation(images)


def evaluate(probs: FloatArray, y: npt.NDArray[np.integer]) -> tuple[float, float]:
    """Return the mean cross-entropy (nats) and the error rate of predicted probabilities (N, C).

    A probability that was rounded to zero counts as the smallest normal number of its dtype.
    """
    if len(probs) != len(y):
        raise DataError(f"{len(probs)} predictions for {len(y)} labels")
    smallest = np.finfo(probs.dtype).tiny
    loss = -np.mean(np.log(np.maximum(probs[np.arange(len(y)), y], smallest)), dtype=np.float64)
    return float(loss), float(np.mean(probs.argmax(axis=1) != y))


def train(
    name: str,
    contender: Contender,
    dataset: Dataset,
    recipe: Recipe,
    seed: int = 0,
    callbacks: Iterable[Callable[[EpochRecord], None]] = (),
    evaluate_every_epoch: bool = True,
) -> History:
    """Train a contender by a recipe, from the parameters and in the batch order that ``seed`` gives.

    Parameters
    ----------
    name : str
        The contender's name, for the history.
    contender : Contender
        Prepared here; left open, so that its parameters can be had.
    dataset : Dataset
        Give ``dataset.validation_split()`` while choosing hyper-parameters.
    recipe : Recipe
    seed : int
    callbacks : iterable of callables
        Each is called with the record of every evaluated epoch.
    evaluate_every_epoch : bool
        False evaluates after the last epoch only.

    Returns
    -------
    History
        Error rates at the end of each epoch, on the training and on the test images.
    """
    images = len(dataset.X_train)
    history = History(name, recipe.name, dataset.name, seed)
    start = initial_parameters(seed, dataset.X_train.shape[1], recipe.hidden)
    contender.prepare(start, TrainingData(dataset.X_train, dataset.y_train), recipe)
    for epoch in range(recipe.epochs):
        order, learning_rates = batch_order(seed, epoch, images), recipe.learning_rates(epoch, images)
        started = time.perf_counter()
        contender.advance(order, learning_rates)
        seconds = time.perf_counter() - started
        if evaluate_every_epoch or epoch == recipe.epochs - 1:
            train_loss, train_error = evaluate(contender.predict(dataset.X_train), dataset.y_train)
            test_loss, test_error = evaluate(contender.predict(dataset.X_test), dataset.y_test)
            record = EpochRecord(epoch + 1, seconds, train_loss, train_error, test_loss, test_error)
            history.epochs.append(record)
            for callback in callbacks:
                callback(record)
    return history
