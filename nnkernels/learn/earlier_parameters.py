"""The steps of a training run that are kept: its parameters before the training and on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.contenders import Contender
from nnkernels.contenders.ours import KernelContender
from nnkernels.errors import DamagedResultsWarning, DataError, warn_caller
from nnkernels.history import History
from nnkernels.interchange.training_steps import (
    MAX_STEPS,
    TrainingStep,
    load_training_steps,
    quantised,
    save_training_steps,
)
from nnkernels.kernels import Backend
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.recipes import Recipe

STEPS = "training_steps.safetensors"
_SPAN = 1280  # the training has so many times as many batches as the first kept step after the initial parameters


def kept_batches(recipe: Recipe, images: int) -> tuple[int, ...]:
    """Return after how many batches the parameters are kept: at geometric intervals, from 0 on.

    Within the first epoch these are any batches, later the ends of epochs. The end of the training is not among them,
    because its parameters are saved in full precision.

    Parameters
    ----------
    recipe : Recipe
        The recipe of the training.
    images : int
        The number of training images.

    Returns
    -------
    batches : tuple of int
        At most eight increasing numbers.
    """
    per_epoch = recipe.batches(images)
    total = per_epoch * recipe.epochs
    first = max(1.0, total / _SPAN)
    kept = {0}
    for n in range(MAX_STEPS - 1):
        batches = first * (total / first) ** (n / (MAX_STEPS - 1))
        epochs = batches / per_epoch
        kept.add(round(batches) if epochs < 0.75 else max(1, round(epochs)) * per_epoch)
    return tuple(sorted(batches for batches in kept if batches < total))


class PausingContender(KernelContender):
    """A contender that copies its parameters at certain moments within an epoch.

    It trains the same batches as :class:`~nnkernels.contenders.ours.KernelContender`, in more calls, and ends with the
    same parameters bit for bit.

    Parameters
    ----------
    backend : Backend
        The kernels.

    Attributes
    ----------
    pauses : tuple of int
        Before which batches it copies the parameters, counted from 0; increasing.
    seen : list of (int, Parameters)
        These numbers, and the copies.
    """

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self.pauses: tuple[int, ...] = ()
        self.seen: list[tuple[int, Parameters]] = []
        self.batches_done = 0

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Train on a sequence of batches, and append copies of the parameters to :attr:`seen`.

        Parameters
        ----------
        order : ndarray of int64, shape (M,)
            Indices of the training images, in the order of training.
        learning_rates : ndarray of float32, shape (ceil(M / batch_size),)
            The learning rate of each batch.
        """
        begin, end = self.batches_done, self.batches_done + len(learning_rates)
        pauses = [batches for batches in self.pauses if begin <= batches < end]
        for start, stop in zip([begin, *pauses], [*pauses, end], strict=True):
            if start < stop:
                batches = slice(start - begin, stop - begin)
                images = slice(batches.start * self.batch_size, batches.stop * self.batch_size)
                super().advance(order[images], learning_rates[batches])
            if stop < end:
                self.seen.append((stop, self.parameters()))
        self.batches_done = end


class EarlierParameters:
    """The file of a training run's earlier parameters, which grows with the training.

    Which steps are kept depends on the recipe alone, so a resumed training run ends with the same file as an
    uninterrupted one. Parameters that are not finite are left out.

    Parameters
    ----------
    path : Path
        The file.
    recipe : Recipe
        The recipe of the training.
    images : int
        The number of training images.
    """

    def __init__(self, path: Path, recipe: Recipe, images: int) -> None:
        self.path = path
        self.per_epoch = recipe.batches(images)
        self.kept = kept_batches(recipe, images)
        self.steps: list[TrainingStep] = []
        self.complete = True

    def resume(self, history: History, parameters: Parameters) -> None:
        """Read the steps that were kept before an interruption.

        If they are missing or damaged, or are not those of this training, the file is deleted and no more are kept.

        Parameters
        ----------
        history : History
            The training so far.
        parameters : Parameters
            Its current parameters.

        Warns
        -----
        DamagedResultsWarning
            If there is a file, but it cannot be continued.
        """
        done = history.epochs_done * self.per_epoch
        inputs, hidden = parameters.W1.shape
        initial = initial_parameters(history.seed, inputs, hidden, len(parameters.b2))
        self.complete = False
        if not self.path.exists():
            return
        try:
            # The process may have been killed between the writing of a step and of the checkpoint.
            steps = [step for step in load_training_steps(self.path) if step.batches <= done]
            if [step.batches for step in steps] != [batches for batches in self.kept if batches <= done]:
                raise DataError(f"{self.path}: does not contain the steps of this training")
            if not _same(steps[0], quantised(0, 0, initial)):
                raise DataError(f"{self.path}: its initial parameters are not those of this training")
        except DataError as error:
            self.path.unlink()
            warn_caller(
                f"{error}. It was deleted; training continues without it. A new training records all steps",
                DamagedResultsWarning,
            )
            return
        self.steps, self.complete = steps, True

    @property
    def within_first_epoch(self) -> tuple[int, ...]:
        """After how many batches parameters are kept before the first epoch ends, 0 included."""
        return tuple(batches for batches in self.kept if batches < self.per_epoch)

    def __call__(self, history: History, contender: Contender) -> None:
        """Keep the parameters of the epoch, and those seen within it, if they are due. A callback of the training.

        Parameters
        ----------
        history : History
            The training so far.
        contender : PausingContender
            The contender.
        """
        assert isinstance(contender, PausingContender)
        seen, contender.seen = contender.seen, []
        if not self.complete:
            return
        done = history.epochs_done * self.per_epoch
        if done in self.kept:
            seen.append((done, contender.parameters()))
        found = len(self.steps)
        for batches, params in seen:
            if all(np.isfinite(array).all() for array in params):
                self.steps.append(quantised(batches / self.per_epoch, batches, params))
        if len(self.steps) > found:
            save_training_steps(self.path, self.steps)


def _same(one: TrainingStep, other: TrainingStep) -> bool:
    parts: list[tuple[Any, Any]] = list(zip(one.values, other.values, strict=True))
    return (one.offsets, one.scales) == (other.offsets, other.scales) and all(
        np.array_equal(left, right) for left, right in parts
    )
