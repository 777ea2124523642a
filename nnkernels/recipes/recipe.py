"""Training recipes: optimizer, learning rates, loss, batch size and epochs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nnkernels.augmentation import Augmentation
from nnkernels.errors import ConfigurationError, UnknownNameError
from nnkernels.recipes.optimizer import Optimizer

ScheduleName = Literal["constant", "linear", "cosine"]
SCHEDULE_NAMES: tuple[ScheduleName, ...] = ("constant", "linear", "cosine")


@dataclass(frozen=True)
class Recipe:
    """A training recipe. Contenders with the same recipe, seed and data do the same work.

    Attributes
    ----------
    name : str
        Name of the recipe.
    optimizer : Optimizer
        The update rule.
    batch_size : int
        Number of images per step. The last batch of an epoch may be smaller.
    epochs : int
        Number of passes over the training images.
    learning_rate : float
        Learning rate of the first step, or of the first step after the warm-up.
    schedule : {"constant", "linear", "cosine"}
        ``linear`` and ``cosine`` decrease the learning rate to zero over all steps after the warm-up.
    hidden : int
        Width of the hidden layer.
    warmup_steps : int
        Number of steps in which the learning rate rises linearly from zero, before the schedule begins.
    deskew : bool
        Whether the network sees deskewed images, in training and afterwards (see :func:`nnkernels.transforms.deskew`).
    normalize_size : bool
        Whether deskewing also normalises the size of the digits.
    augmentation : Augmentation or None
        Random distortions of the training images, new ones in each epoch. Images for evaluation are not distorted.
    label_smoothing : float
        The loss of the training compares the probabilities with targets that are this share uniform over all classes,
        in [0, 1). Evaluation is not smoothed.
    averaged_epochs : int
        The training ends with the mean of the parameters at the ends of the last so many epochs, if not 0 (see the
        reference). During these epochs the mean so far is evaluated, and training continues from the parameters
        themselves.
    patience : int or None
        Number of epochs without a lower validation loss after which the training stops. It then ends with the
        parameters of the epoch with the lowest validation loss, as with ``keras.callbacks.EarlyStopping(patience=...,
        restore_best_weights=True)``, also if all epochs are done. None trains for all epochs, and keeps the last.

    Raises
    ------
    ConfigurationError
        If a value is out of range, or if the recipe has both averaging and early stopping, or normalises
        sizes without deskewing.
    UnknownNameError
        If there is no such schedule.

    References
    ----------
    P. Izmailov, D. Podoprikhin, T. Garipov, D. Vetrov, A. G. Wilson, "Averaging Weights Leads to Wider Optima and
    Better Generalization", UAI 2018, algorithm 1 with one model an epoch.
    """

    name: str
    optimizer: Optimizer = field(default_factory=Optimizer)
    batch_size: int = 32
    epochs: int = 1
    learning_rate: float = 0.1
    schedule: ScheduleName = "constant"
    hidden: int = 20
    warmup_steps: int = 0
    deskew: bool = False
    normalize_size: bool = False
    augmentation: Augmentation | None = None
    label_smoothing: float = 0.0
    averaged_epochs: int = 0
    patience: int | None = None

    def __post_init__(self) -> None:
        for name in ("batch_size", "epochs", "hidden"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} is {getattr(self, name)}; expected at least 1")
        if not (self.learning_rate > 0 and np.isfinite(self.learning_rate)):
            raise ConfigurationError(f"learning_rate is {self.learning_rate}; expected a positive number")
        if self.schedule not in SCHEDULE_NAMES:
            raise UnknownNameError("schedule", self.schedule, SCHEDULE_NAMES)
        if self.warmup_steps < 0:
            raise ConfigurationError(f"warmup_steps is {self.warmup_steps}; expected at least 0")
        if not 0 <= self.label_smoothing < 1:
            raise ConfigurationError(f"label_smoothing is {self.label_smoothing}; expected 0 <= label_smoothing < 1")
        if not 0 <= self.averaged_epochs <= self.epochs:
            raise ConfigurationError(
                f"averaged_epochs is {self.averaged_epochs}; expected 0 to {self.epochs}, the number of epochs"
            )
        if self.patience is not None and self.patience < 1:
            raise ConfigurationError(f"patience is {self.patience}; expected at least 1, or None")
        if self.normalize_size and not self.deskew:
            raise ConfigurationError("normalize_size is a part of deskewing; set deskew to True, too")
        if self.averaged_epochs and self.patience is not None:
            raise ConfigurationError(
                "averaged_epochs and patience exclude each other: the average is that of the last of a fixed number of "
                "epochs; leave one of them out"
            )

    @property
    def constant_rate(self) -> bool:
        """Whether every step has the same learning rate."""
        return self.schedule == "constant" and self.warmup_steps == 0

    def batches(self, images: int) -> int:
        """Return the number of batches per epoch.

        Parameters
        ----------
        images : int
            Number of training images.

        Returns
        -------
        batches : int
            The number, including an incomplete last batch.
        """
        return -(-images // self.batch_size)

    def learning_rates(self, epoch: int, images: int) -> npt.NDArray[np.float32]:
        """Return the learning rate of each batch of an epoch.

        Parameters
        ----------
        epoch : int
            Number of the epoch, counted from 0.
        images : int
            Number of training images.

        Returns
        -------
        learning_rates : ndarray of float32, shape (n_batches,)
            The learning rates.

        References
        ----------
        I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5
        without restarts. ``keras.optimizers.schedules.CosineDecay`` and ``PolynomialDecay`` compute the same.
        """
        batches = self.batches(images)
        step = epoch * batches + np.arange(batches)
        # The share of the steps after the warm-up that are done. A warm-up as long as the training leaves none.
        done = np.clip((step - self.warmup_steps) / max(1, self.epochs * batches - self.warmup_steps), 0, 1)
        if self.schedule == "linear":
            share = 1 - done
        elif self.schedule == "cosine":
            share = (1 + np.cos(np.pi * done)) / 2
        else:
            share = np.ones(batches)
        rising = step / max(1, self.warmup_steps)
        return (self.learning_rate * np.where(step < self.warmup_steps, rising, share)).astype(np.float32)

    def with_changes(self, **changes: Any) -> Recipe:
        """Return a copy with some attributes replaced.

        With another number of epochs, the parameters are averaged over the same share of them, unless ``changes``
        contain ``averaged_epochs``.

        Parameters
        ----------
        **changes
            New values by the name of the attribute.

        Returns
        -------
        recipe : Recipe
            The copy.
        """
        if "epochs" in changes:
            averaged_epochs = round(self.averaged_epochs / self.epochs * changes["epochs"])
            changes = {"averaged_epochs": averaged_epochs, **changes}
        return replace(self, **changes)
