"""Our own contenders: one for each backend of the kernel contract, by the backend's name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from nnkernels import kernels
from nnkernels.contenders._labels import check_labels
from nnkernels.contenders._protocol import Entry
from nnkernels.data import LabelledImages
from nnkernels.errors import DataError
from nnkernels.kernels.contract import Backend, OptimizerState, initial_state, update_rule
from nnkernels.kernels.stepwise import image_packer, training_entry
from nnkernels.parameters import FloatArray, Parameters, copy
from nnkernels.process_settings import limit_blas
from nnkernels.recipes import Recipe
from nnkernels.transforms import PIXEL_SCALE, as_features, feature_scale

Predict = Callable[[npt.NDArray[Any]], FloatArray]


def contenders() -> dict[str, Entry]:
    """Return an entry for each backend."""
    return {name: Entry(partial(KernelContender, name), f"from scratch, {name} kernels") for name in kernels.names()}


class KernelContender:
    """Trains with the kernels of one backend: its whole-stretch entry if it has one, else step by step."""

    whole_epochs_only = False
    threads_can_change = True

    def __init__(self, backend: str | Backend) -> None:
        self.backend = kernels.load(backend) if isinstance(backend, str) else backend
        self.train_inplace = training_entry(self.backend)

    def use_threads(self, threads: int) -> None:
        """Limit BLAS (NumPy's, and SciPy's, which Numba calls) and Numba's own threads."""
        limit_blas(threads)
        if numba := sys.modules.get("numba"):
            numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Copy the parameters; bring the images into the backend's form, if it has one, else they stay as they are.

        Bytes stay bytes: they are scaled when a batch is fetched.
        """
        check_labels(data, len(parameters.b2))
        self.params = copy(parameters)
        self.state = initial_state(self.params)
        self.batch_size = recipe.batch_size
        self.rule = update_rule(recipe.optimizer)
        self.scale = feature_scale(data.X)
        self.count = len(data.X)
        # Numba compiles anew for arrays that cannot be written to: so images never can, order and rates always.
        images = data.X.view()
        images.flags.writeable = False
        self.images = image_packer(self.backend)(images)
        self.y = data.y.astype(np.int64)
        self._predict: Predict | None = None

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Train on a stretch of batches."""
        if len(order) and not 0 <= order.min() <= order.max() < self.count:  # compiled code would not notice
            raise DataError(f"order goes from {order.min()} to {order.max()}; there are {self.count} images")
        self._predict = None
        self.train_inplace(
            self.params,
            self.state,
            self.images,
            self.y,
            np.require(order, np.int64, ("C", "W")),
            np.require(learning_rates, np.float32, ("C", "W")),
            self.batch_size,
            self.scale,
            self.rule,
        )

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Return the probabilities (N, C)."""
        if self._predict is None:
            self._predict = prediction_entry(self.backend, self.params)
        return self._predict(X)

    def parameters(self) -> Parameters:
        """Return a copy of the parameters."""
        return copy(self.params)

    def optimizer_state(self) -> OptimizerState:
        """Return a copy of what the optimizer remembers."""
        return OptimizerState(self.state.step.copy(), copy(self.state.first), copy(self.state.second))

    def restore(self, state: OptimizerState) -> None:
        """Take over what an optimizer remembered, after :meth:`prepare`: the training goes on where that one was."""
        self.state = OptimizerState(np.array(state.step, np.int64), copy(state.first), copy(state.second))

    def close(self) -> None:
        """Do nothing: all that was taken is memory."""


def prediction_entry(backend: Backend, params: Parameters) -> Predict:
    """Return a function from images (N, D), uint8 pixels or float features, to probabilities (N, C).

    The backend's own ``predictor`` of these parameters if it has one and they are float32, else its forward pass. The
    parameters are taken as they are now.
    """
    make = getattr(backend, "predictor", None)
    if make is None or params.W1.dtype != np.float32:
        return lambda X: backend.forward(params, as_features(X, params.W1.dtype)).probs

    def features_of(X: npt.NDArray[Any]) -> FloatArray:
        features = as_features(X, np.float32)
        if features.shape[1] != len(params.W1):  # compiled code would read beside the weights
            raise DataError(f"images have {features.shape[1]} pixels; the network has {len(params.W1)} inputs")
        return features

    return cast("Predict", make(params, PIXEL_SCALE, features_of))
