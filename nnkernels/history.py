"""The record of a training, an epoch each; in Keras' shape too, for whoever knows that."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from nnkernels.errors import MissingDependencyError
from nnkernels.recipes import Recipe

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class EpochRecord:
    """What is known at the end of an epoch; losses in nats, error rates as fractions of 1.

    Attributes
    ----------
    epoch : int
        Epochs done, counted from 1.
    seconds : float
        Of the training alone since the record before, without any evaluation.
    train_loss, train_error_rate : float
        On all training images, with the parameters at the end of the epoch; NaN where they were too many to judge by.
    validation_loss, validation_error_rate : float
        On the images held out; NaN if there are none.
    """

    epoch: int
    seconds: float
    train_loss: float
    train_error_rate: float
    validation_loss: float = float("nan")
    validation_error_rate: float = float("nan")


@dataclass
class History:
    """What was trained, and the records of its evaluated epochs, in order.

    Attributes
    ----------
    recipe : Recipe
    seed : int
        Of the initial parameters and of the order of the images.
    images : int
        Training images, seen once an epoch.
    """

    recipe: Recipe
    seed: int
    images: int
    epochs: list[EpochRecord] = field(default_factory=list)

    @property
    def epochs_done(self) -> int:
        """Epochs trained so far."""
        return self.epochs[-1].epoch if self.epochs else 0

    @property
    def seconds(self) -> float:
        """Seconds of training so far, without any evaluation."""
        return sum(record.seconds for record in self.epochs)

    @property
    def epoch(self) -> list[int]:
        """The evaluated epochs counted from 0, as in the ``History`` that Keras' ``fit`` returns."""
        return [record.epoch - 1 for record in self.epochs]

    @property
    def history(self) -> dict[str, list[float]]:
        """``loss``, ``accuracy`` and, with validation images, ``val_loss``, ``val_accuracy``, as Keras names them.

        Keras averages loss and accuracy of the training images on the way, while the parameters still change; here
        both are measured at the end of the epoch.
        """
        columns = {
            "loss": [record.train_loss for record in self.epochs],
            "accuracy": [1 - record.train_error_rate for record in self.epochs],
        }
        validation_losses = [record.validation_loss for record in self.epochs]
        validation_accuracies = [1 - record.validation_error_rate for record in self.epochs]
        if any(accuracy == accuracy for accuracy in validation_accuracies):  # NaN is not itself
            columns |= {"val_loss": validation_losses, "val_accuracy": validation_accuracies}
        return columns

    @property
    def params(self) -> dict[str, int]:
        """``epochs``, and ``steps`` an epoch, as Keras names them."""
        return {"epochs": self.recipe.epochs, "steps": self.recipe.batches(self.images)}

    def to_frame(self) -> pd.DataFrame:
        """Return a row an evaluated epoch, ``elapsed_seconds`` added.

        Raises
        ------
        MissingDependencyError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingDependencyError("a history as a table", "pandas", "data") from error

        frame = pd.DataFrame([asdict(record) for record in self.epochs], columns=list(EpochRecord.__annotations__))
        frame.insert(2, "elapsed_seconds", frame["seconds"].cumsum())
        return frame
