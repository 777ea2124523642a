"""The one training loop: it drives any contender, epoch by epoch, and keeps the history."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nnkernels import kernels
from nnkernels.contenders import Contender, TrainingData
from nnkernels.data import Dataset
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.recipes import Recipe
from nnkernels.transforms import as_features

if TYPE_CHECKING:
    import pandas as pd

EVALUATION_BATCH = 2048  # images at a time: their features stay in the cache


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


def evaluate(params: Parameters, X: npt.NDArray[Any], y: npt.NDArray[np.integer]) -> tuple[float, float]:
    """Return the mean cross-entropy (nats) and the error rate of parameters on images.

    The reference kernels judge everybody's parameters, so that a difference lies in the training alone.

    Parameters
    ----------
    params : Parameters
    X : ndarray, shape (N, D), uint8 pixels or float features
    y : ndarray of integers, shape (N,)
    """
    reference = kernels.load("numpy")
    total_loss, wrong = 0.0, 0
    for start in range(0, len(X), EVALUATION_BATCH):
        part = slice(start, start + EVALUATION_BATCH)
        logits = reference.forward(params, as_features(X[part], params.W1.dtype)).logits
        total_loss += reference.loss(logits, y[part]) * len(logits)
        wrong += int(np.count_nonzero(logits.argmax(axis=1) != y[part]))
    return total_loss / len(X), wrong / len(X)


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
            params = contender.parameters()
            train_loss, train_error = evaluate(params, dataset.X_train, dataset.y_train)
            test_loss, test_error = evaluate(params, dataset.X_test, dataset.y_test)
            record = EpochRecord(epoch + 1, seconds, train_loss, train_error, test_loss, test_error)
            history.epochs.append(record)
            for callback in callbacks:
                callback(record)
    return history
