"""The contenders of nnkernels' own kernels, one per backend, with the backend's name."""

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
from nnkernels.kernels.stepwise import packed_images, training_entry
from nnkernels.parameters import FloatArray, Parameters, copy
from nnkernels.process_settings import limit_blas
from nnkernels.recipes import Recipe
from nnkernels.transforms import PIXEL_SCALE, as_features, feature_scale, recover_pixels

Predict = Callable[[npt.NDArray[Any]], FloatArray]


def contenders() -> dict[str, Entry]:
    """Return one contender per backend.

    Returns
    -------
    entries : dict of str to Entry
        The entries by name.
    """
    return {name: Entry(partial(KernelContender, name), f"from scratch, {name} kernels") for name in kernels.names()}


class KernelContender:
    """A contender that trains with the kernels of one backend.

    If the backend has the entry ``train_inplace``, many batches are trained in one call, otherwise step by step.

    Parameters
    ----------
    backend : str or Backend
        A backend or its name.

    Attributes
    ----------
    packed : PackedImages
        The training images in the backend's own form, after :meth:`prepare`.
    """

    whole_epochs_only = False
    threads_can_change = True

    def __init__(self, backend: str | Backend) -> None:
        self.backend = kernels.load(backend) if isinstance(backend, str) else backend
        self.train_inplace = training_entry(self.backend)

    def use_threads(self, threads: int) -> None:
        """Set the number of threads of BLAS (NumPy's, and SciPy's, which Numba calls) and of Numba.

        Parameters
        ----------
        threads : int
            The number of threads.

        Raises
        ------
        ConfigurationError
            If BLAS runs on another number of threads afterwards.
        """
        limit_blas(threads)
        if numba := sys.modules.get("numba"):
            numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Copy the parameters, and convert the images to the backend's own form if it has one.

        Otherwise the images stay as they are: pixels remain bytes, which are scaled when a batch is gathered. For
        float32 parameters, features that are exactly scaled pixels become pixels first, so that both forms of the same
        images give the same parameters.

        Parameters
        ----------
        parameters : Parameters
            The initial parameters.
        data : LabelledImages
            The training images.
        recipe : Recipe
            Optimizer and batch size.

        Raises
        ------
        DataError
            If a label is not a class of the network.
        """
        check_labels(data, len(parameters.b2))
        self.params = copy(parameters)
        self.state = initial_state(self.params)
        self.batch_size = recipe.batch_size
        self.rule = update_rule(recipe.optimizer, recipe.label_smoothing)
        self.image_count = len(data.X)
        self.replace_images(data.X)
        self.y = data.y.astype(np.int64)
        self._predict: Predict | None = None

    def replace_images(self, X: npt.NDArray[Any]) -> None:
        """Train on other images from now on; they are converted to the backend's own form, if it has one.

        Parameters
        ----------
        X : ndarray, shape (N, D)
            The images, as many as before, of the same shape and dtype. Labels, parameters and the state of the
            optimizer stay as they are.
        """
        # Numba compiles separately for read-only arrays. So images are always read-only, and order and rates never are.
        images = (recover_pixels(X) if self.params.W1.dtype == np.float32 else X).view()
        images.flags.writeable = False
        self.packed = packed_images(self.backend, images, feature_scale(images))

    def replace_parameters(self, parameters: Parameters) -> None:
        """Continue with other parameters. Images, labels and the state of the optimizer stay as they are.

        Parameters
        ----------
        parameters : Parameters
            Parameters of the same shapes; copied.
        """
        self.params = copy(parameters)
        self._predict = None

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Train on a sequence of batches.

        Parameters
        ----------
        order : ndarray of int64, shape (M,)
            Indices of the training images, in the order of training.
        learning_rates : ndarray of float32, shape (ceil(M / batch_size),)
            The learning rate of each batch.

        Raises
        ------
        DataError
            If an index is out of bounds.
        """
        if len(order) and not 0 <= order.min() <= order.max() < self.image_count:  # compiled code does not check bounds
            raise DataError(
                f"order has indices from {order.min()} to {order.max()}; there are {self.image_count} images"
            )
        self._predict = None
        self.train_inplace(
            self.params,
            self.state,
            self.packed.images,
            self.y,
            np.require(order, np.int64, ("C", "W")),
            np.require(learning_rates, np.float32, ("C", "W")),
            self.batch_size,
            self.packed.scale,
            self.rule,
        )

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Return the class probabilities of images.

        Parameters
        ----------
        X : array-like, shape (N, D)
            Integer pixels or float features.

        Returns
        -------
        probs : ndarray, shape (N, C)
            Class probabilities in the dtype of the parameters.
        """
        if self._predict is None:
            self._predict = prediction_entry(self.backend, self.params)
        return self._predict(X)

    def parameters(self) -> Parameters:
        """Return a copy of the parameters.

        Returns
        -------
        params : Parameters
            The current parameters, in the dtype of the initial ones.
        """
        return copy(self.params)

    def optimizer_state(self) -> OptimizerState:
        """Return a copy of the optimizer state.

        Returns
        -------
        state : OptimizerState
            The current state.
        """
        return OptimizerState(self.state.step.copy(), copy(self.state.first), copy(self.state.second))

    def restore(self, state: OptimizerState) -> None:
        """Replace the optimizer state, in order to resume a training run. Call it after :meth:`prepare`.

        Parameters
        ----------
        state : OptimizerState
            A state from :meth:`optimizer_state`; copied.
        """
        self.state = OptimizerState(np.array(state.step, np.int64), copy(state.first), copy(state.second))

    def close(self) -> None:
        """Do nothing: the contender has no resources other than memory."""


def prediction_entry(backend: Backend, params: Parameters) -> Predict:
    """Return the fastest prediction function of a backend for given parameters.

    This is the backend's own ``predictor`` if it has one and the parameters are float32, otherwise its forward pass.

    Parameters
    ----------
    backend : Backend
        The backend.
    params : Parameters
        The parameters. Later changes to them may have no effect on the function.

    Returns
    -------
    predict : callable
        ``predict(X) -> probs``, from uint8 pixels or float features (N, D) to probabilities (N, C).
    """
    make = getattr(backend, "predictor", None)
    if make is None or params.W1.dtype != np.float32:
        return lambda X: backend.forward(params, as_features(X, params.W1.dtype)).probs

    def features_of(X: npt.NDArray[Any]) -> FloatArray:
        features = as_features(X, np.float32)
        if features.shape[1] != len(params.W1):  # compiled code does not check bounds
            raise DataError(f"images have {features.shape[1]} pixels; the network has {len(params.W1)} inputs")
        return features

    return cast("Predict", make(params, PIXEL_SCALE, features_of))
