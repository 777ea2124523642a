"""A step in the place of a contender: so the gate checks it, and interleaved runs time it."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels import steps
from nnkernels.contenders.ours import prediction_entry
from nnkernels.data import LabelledImages
from nnkernels.errors import ConfigurationError, DataError
from nnkernels.kernels import numpy_kernels
from nnkernels.parameters import FloatArray, Parameters, copy
from nnkernels.process_settings import limit_blas
from nnkernels.recipes import Recipe

MOST_HIDDEN, MOST_CLASSES = 24, 16


class StepContender:
    """Trains as one of the steps does; see :class:`nnkernels.contenders.Contender`.

    It is no entry of the list of contenders: steps have a benchmark and a table of their own.

    Parameters
    ----------
    name : str

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
        """Limit BLAS and Numba's own threads."""
        limit_blas(threads)
        if numba := sys.modules.get("numba"):
            numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Copy the parameters, and bring the images into the form that the step reads.

        Raises
        ------
        DataError
            If the images are not uint8 pixels.
        ConfigurationError
            If the optimizer is not ``sgd``, or there are more than 24 hidden units or 16 classes.
        """
        if data.X.dtype != np.uint8:
            raise DataError(f"the steps train on uint8 pixels; these images are {data.X.dtype}")
        if recipe.optimizer.name != "sgd":
            raise ConfigurationError(f"the steps train by sgd; the recipe asks for {recipe.optimizer.name}")
        hidden, classes = parameters.W2.shape
        if hidden > MOST_HIDDEN or classes > MOST_CLASSES:
            raise ConfigurationError(
                f"the steps train networks of up to {MOST_HIDDEN} hidden units and {MOST_CLASSES} classes; "
                f"this one has {hidden} and {classes}"
            )
        self._params = copy(parameters)
        self._batch_size = recipe.batch_size
        # Numba compiles anew for arrays that cannot be written to: so images never can, order and rates always.
        X = data.X.view()
        X.flags.writeable = False
        self._images = self._module.pack_images(X) if hasattr(self._module, "pack_images") else X
        self._y = data.y.astype(np.int64)

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Train on a stretch of batches."""
        if len(order) and not 0 <= order.min() <= order.max() < len(self._y):  # compiled code would not notice
            raise DataError(f"order goes from {order.min()} to {order.max()}; there are {len(self._y)} images")
        self._module.train_inplace(
            self._params,
            self._images,
            self._y,
            np.require(order, np.int64, ("C", "W")),
            np.require(learning_rates, np.float32, ("C", "W")),
            self._batch_size,
        )

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Return the probabilities (N, C), by NumPy's forward pass: the steps are about training."""
        return prediction_entry(numpy_kernels, self._params)(X)

    def parameters(self) -> Parameters:
        """Return a copy of the parameters."""
        return copy(self._params)

    def close(self) -> None:
        """Do nothing: all that was taken is memory."""
