"""The record of a training run, one entry per evaluated epoch, also in the form of Keras' ``History``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from nnkernels.errors import MissingDependencyError
from nnkernels.parameters import Parameters
from nnkernels.recipes import Recipe

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class EpochRecord:
    """Losses and error rates at the end of an epoch.

    Attributes
    ----------
    epoch : int
        The number of epochs done, counted from 1.
    seconds : float
        Seconds of training since the previous record, without evaluation.
    train_loss : float
        Mean cross-entropy on all training images in nats, with the parameters at the end of the epoch. NaN if the
        training images were too many to evaluate.
    train_error_rate : float
        Fraction of misclassified training images, 0 to 1, or NaN like ``train_loss``.
    validation_loss, validation_error_rate : float
        The same on the validation images; NaN if there are none.
    """

    epoch: int
    seconds: float
    train_loss: float
    train_error_rate: float
    validation_loss: float = float("nan")
    validation_error_rate: float = float("nan")


@dataclass
class History:
    """A training run, and the records of its evaluated epochs.

    Attributes
    ----------
    recipe : Recipe
        How the network is trained.
    seed : int
        Seed of the initial parameters and of the order of the images.
    images : int
        Number of training images. Each is used once per epoch.
    epochs : list of EpochRecord
        The evaluated epochs, in order.
    kept : Parameters or None
        What a recipe with averaging or early stopping keeps beside the contender: the mean of the parameters so far in
        float64, or the parameters of the best epoch. They are needed to continue the training.
    """

    recipe: Recipe
    seed: int
    images: int
    epochs: list[EpochRecord] = field(default_factory=list)
    kept: Parameters | None = field(default=None, repr=False, compare=False)

    @property
    def epochs_done(self) -> int:
        """The number of epochs trained so far."""
        return self.epochs[-1].epoch if self.epochs else 0

    @property
    def best(self) -> EpochRecord | None:
        """The epoch with the lowest validation loss, the first of several; None before the first epoch.

        A loss of NaN is never an improvement, as in Keras.
        """
        best = self.epochs[0] if self.epochs else None
        for record in self.epochs:
            if best and record.validation_loss < best.validation_loss:
                best = record
        return best

    @property
    def finished(self) -> bool:
        """Whether all epochs of the recipe are done, or early stopping has ended the training."""
        patience, best = self.recipe.patience, self.best
        waited = best is not None and patience is not None and self.epochs_done - best.epoch >= patience
        return self.epochs_done == self.recipe.epochs or waited

    @property
    def final(self) -> EpochRecord:
        """The epoch whose parameters the training ends with: the last one or, with early stopping, the best one."""
        best = self.best if self.recipe.patience is not None else None
        return best or self.epochs[-1]

    @property
    def seconds(self) -> float:
        """Training time so far in seconds, without evaluation."""
        return sum(record.seconds for record in self.epochs)

    @property
    def epoch(self) -> list[int]:
        """The evaluated epochs counted from 0, as in the ``History`` that Keras' ``fit`` returns."""
        return [record.epoch - 1 for record in self.epochs]

    @property
    def history(self) -> dict[str, list[float]]:
        """The losses and accuracies as a dictionary with Keras' names.

        The keys are ``loss``, ``accuracy`` and, with validation images, ``val_loss`` and ``val_accuracy``. Keras
        averages the training loss and accuracy over the batches of an epoch, while the parameters still change. Here
        both are evaluated at the end of the epoch.
        """
        columns = {
            "loss": [record.train_loss for record in self.epochs],
            "accuracy": [1 - record.train_error_rate for record in self.epochs],
        }
        validation_losses = [record.validation_loss for record in self.epochs]
        validation_accuracies = [1 - record.validation_error_rate for record in self.epochs]
        if any(accuracy == accuracy for accuracy in validation_accuracies):  # false for NaN
            columns |= {"val_loss": validation_losses, "val_accuracy": validation_accuracies}
        return columns

    @property
    def params(self) -> dict[str, int]:
        """The numbers of ``epochs``, and of ``steps`` per epoch, by Keras' names."""
        return {"epochs": self.recipe.epochs, "steps": self.recipe.batches(self.images)}

    def to_frame(self) -> pd.DataFrame:
        """Convert the history to a data frame.

        Returns
        -------
        frame : pandas.DataFrame
            One row per evaluated epoch. The columns are the attributes of :class:`EpochRecord` and ``elapsed_seconds``,
            the total time of training so far.

        Raises
        ------
        MissingDependencyError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingDependencyError("converting a history to a data frame", "pandas", "data") from error

        frame = pd.DataFrame([asdict(record) for record in self.epochs], columns=list(EpochRecord.__annotations__))
        frame.insert(2, "elapsed_seconds", frame["seconds"].cumsum())
        return frame
