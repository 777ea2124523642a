"""An adapter that lets the gate check a step, and interleaved runs time it, like a contender."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels import steps
from nnkernels.contenders._plain_loss import require_plain_loss
from nnkernels.contenders.ours import prediction_entry
from nnkernels.data import LabelledImages
from nnkernels.errors import ConfigurationError, DataError
from nnkernels.kernels import numpy_kernels
from nnkernels.parameters import FloatArray, Parameters, copy
from nnkernels.process_settings import limit_blas
from nnkernels.recipes import Recipe

MAX_HIDDEN, MAX_CLASSES = 24, 16


class StepContender:
    """A step with the interface of :class:`nnkernels.contenders.Contender`.

    Steps are not in the list of contenders. They have their own benchmark and their own table.

    Parameters
    ----------
    name : str
        Name of the step.

    Raises
    ------
    UnknownNameError
        If there is no such step.
    """

    whole_epochs_only = False
    threads_can_change = True

    def __init__(self, name: str) -> None:
        self._module: Any = steps.load(name)

    def use_threads(self, threads: int) -> None:
        """Set the number of threads of BLAS and Numba.

        Parameters
        ----------
        threads : int
            The number of threads.
        """
        limit_blas(threads)
        if numba := sys.modules.get("numba"):
            numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Copy the parameters, and convert the images to the layout that the step reads.

        Parameters
        ----------
        parameters : Parameters
            The initial parameters, float32.
        data : LabelledImages
            The training images, uint8.
        recipe : Recipe
            The training recipe.

        Raises
        ------
        DataError
            If the images are not uint8 pixels.
        ConfigurationError
            If the optimizer is not ``sgd``, if the recipe has weight decay or label smoothing, or if there are more
            than 24 hidden units or 16 classes.
        """
        if data.X.dtype != np.uint8:
            raise DataError(f"the steps need uint8 pixels; these images have dtype {data.X.dtype}")
        if recipe.optimizer.name != "sgd":
            raise ConfigurationError(f"the steps only train with sgd; the recipe has {recipe.optimizer.name}")
        require_plain_loss(recipe, "the steps")
        hidden, classes = parameters.W2.shape
        if hidden > MAX_HIDDEN or classes > MAX_CLASSES:
            raise ConfigurationError(
                f"the steps train networks of at most {MAX_HIDDEN} hidden units and {MAX_CLASSES} classes; "
                f"this one has {hidden} and {classes}"
            )
        self._params = copy(parameters)
        self._batch_size = recipe.batch_size
        # Numba compiles separately for read-only arrays, so images are always read-only, and order and rates never.
        X = data.X.view()
        X.flags.writeable = False
        self._images = self._module.pack_images(X) if hasattr(self._module, "pack_images") else X
        self._y = data.y.astype(np.int64)

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Train on consecutive batches.

        Parameters
        ----------
        order : ndarray of int64, shape (n_images,)
            Indices of the training images.
        learning_rates : ndarray of float32, shape (n_batches,)
            Learning rate of each batch.

        Raises
        ------
        DataError
            If an index is out of range.
        """
        if len(order) and not 0 <= order.min() <= order.max() < len(self._y):  # compiled code does not check
            raise DataError(f"order goes from {order.min()} to {order.max()}, but there are {len(self._y)} images")
        self._module.train_inplace(
            self._params,
            self._images,
            self._y,
            np.require(order, np.int64, ("C", "W")),
            np.require(learning_rates, np.float32, ("C", "W")),
            self._batch_size,
        )

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Predict with NumPy's forward pass, because steps implement training only.

        Parameters
        ----------
        X : ndarray, shape (N, D)
            Images.

        Returns
        -------
        probs : ndarray of float32, shape (N, C)
            Probabilities.
        """
        return prediction_entry(numpy_kernels, self._params)(X)

    def parameters(self) -> Parameters:
        """Return the trained parameters.

        Returns
        -------
        parameters : Parameters
            A copy.
        """
        return copy(self._params)

    def close(self) -> None:
        """Do nothing. There is nothing to release but memory."""
