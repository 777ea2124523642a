"""A backend in the process of a side, with the interface of a contender, so that the gate can check it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.data import LabelledImages
from nnkernels.measure.regression.comparisons import recipe_fields
from nnkernels.measure.regression.sides import SideProcess
from nnkernels.parameters import FloatArray, Parameters
from nnkernels.recipes import Recipe


class RemoteContender:
    """A contender in a side's process, for the gate. Arguments and results are passed as files.

    Parameters
    ----------
    process : SideProcess
        The process.
    backend : str
        Name of the backend.
    folder : Path
        The data folder.
    """

    whole_epochs_only = False
    threads_can_change = False

    def __init__(self, process: SideProcess, backend: str, folder: Path) -> None:
        self.process, self.backend, self.folder = process, backend, folder
        self.prefix = f"gate-{process.tree.name}"

    def use_threads(self, threads: int) -> None:
        """Do nothing: the process uses one thread.

        Parameters
        ----------
        threads : int
            Ignored.
        """

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Prepare the contender, with the training images of the data folder.

        Parameters
        ----------
        parameters : Parameters
            Initial parameters.
        data : LabelledImages
            Ignored: the process reads the same images from the data folder.
        recipe : Recipe
            Training recipe.
        """
        np.savez(self.folder / f"{self.prefix}-start.npz", **parameters._asdict())
        self.process.ask(
            "prepare", backend=self.backend, recipe=recipe_fields(recipe), start=f"{self.prefix}-start.npz"
        )

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Train on a sequence of batches.

        Parameters
        ----------
        order : ndarray of int64, shape (M,)
            Indices of the training images.
        learning_rates : ndarray of float32, shape (ceil(M / batch_size),)
            Learning rate of each batch.
        """
        np.savez(self.folder / f"{self.prefix}-batches.npz", order=order, learning_rates=learning_rates)
        self.process.ask("advance", batches=f"{self.prefix}-batches.npz")

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Return the class probabilities of images.

        Parameters
        ----------
        X : ndarray, shape (N, D)
            Images.

        Returns
        -------
        probs : ndarray of float32, shape (N, C)
            Class probabilities.
        """
        np.save(self.folder / f"{self.prefix}-images.npy", X)
        self.process.ask("predict", images=f"{self.prefix}-images.npy", predictions=f"{self.prefix}-predictions.npy")
        found: FloatArray = np.load(self.folder / f"{self.prefix}-predictions.npy", allow_pickle=False)
        return found

    def parameters(self) -> Parameters:
        """Return the current parameters.

        Returns
        -------
        params : Parameters
            A copy.
        """
        self.process.ask("parameters", parameters=f"{self.prefix}-parameters.npz")
        with np.load(self.folder / f"{self.prefix}-parameters.npz", allow_pickle=False) as arrays:
            return Parameters(**arrays)

    def close(self) -> None:
        """Do nothing: the process is ended elsewhere."""
