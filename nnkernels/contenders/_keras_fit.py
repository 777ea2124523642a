"""Training with Keras' ``compile``, ``fit`` and ``predict``, on either backend and with any options."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.contenders._keras import JaxBackend, KerasContender, TensorFlowBackend
from nnkernels.data import LabelledImages
from nnkernels.errors import ConfigurationError
from nnkernels.interchange import keras_optimizer
from nnkernels.interchange.keras_dtype import float32_floatx
from nnkernels.parameters import FloatArray, Parameters
from nnkernels.recipes import Recipe
from nnkernels.transforms import as_features


class KerasFit(KerasContender):
    """A contender that calls ``fit`` on float32 arrays.

    The caller determines the order of the images, so Keras does not shuffle them.

    Parameters
    ----------
    backend : type of TensorFlowBackend or JaxBackend
        The backend of Keras.
    steps_per_execution : int, default: 1
        Gradient steps per iteration of Keras' Python loop.
    jit_compile : bool or "auto", default: "auto"
        Whether XLA compiles the training step. Keras' "auto" does so on JAX, and on TensorFlow only if there is a GPU.
    """

    whole_epochs_only = True

    def __init__(
        self,
        backend: type[TensorFlowBackend] | type[JaxBackend] = TensorFlowBackend,
        *,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
    ) -> None:
        super().__init__(backend)
        self.compile_options = {"steps_per_execution": steps_per_execution, "jit_compile": jit_compile}

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Build and compile the model. A decaying learning rate becomes a Keras schedule.

        Parameters
        ----------
        parameters : Parameters
            The initial parameters.
        data : LabelledImages
            The training images.
        recipe : Recipe
            Optimizer, batch size, epochs and learning rates.

        Raises
        ------
        DataError
            If a label is not a class of the network.
        """
        import keras

        self.max_batches = max(1, recipe.batches(len(data.X)))
        super().prepare(parameters, data, recipe)
        with float32_floatx(keras):
            self.model.compile(optimizer=self.optimizer, loss=self.loss_function(), **self.compile_options)

    def new_optimizer(self, recipe: Recipe) -> Any:
        """Return the Keras optimizer of a recipe.

        Unless the learning rate is constant, the optimizer has a schedule to which the rate of each step is assigned.

        Parameters
        ----------
        recipe : Recipe
            Update rule and learning rates.

        Returns
        -------
        optimizer : keras.optimizers.Optimizer
            A new optimizer, whose state has not been built yet.
        """
        self.schedule = None
        if recipe.constant_rate:
            return super().new_optimizer(recipe)
        self.schedule = _stepwise_rates()
        optimizer = keras_optimizer(recipe.optimizer, self.schedule)
        self.schedule.attach_to(optimizer, self.max_batches)
        return optimizer

    def convert(self, data: LabelledImages) -> None:
        """Scale all images to float32 in advance, as Keras tutorials do.

        Parameters
        ----------
        data : LabelledImages
            The training images.
        """
        self.replace_images(data.X)
        self.y: npt.NDArray[Any] = data.y.astype(np.int32)
        if self.recipe.label_smoothing:  # only one-hot labels can be smoothed
            self.y = np.eye(self.model.output_shape[-1], dtype=np.float32)[self.y]

    def replace_images(self, X: npt.NDArray[Any]) -> None:
        """Train on other images from now on; all are scaled to float32 in advance.

        Parameters
        ----------
        X : ndarray, shape (N, D)
            The images, as many as before, of the same shape and dtype. Labels, parameters and the state of the
            optimizer stay as they are.
        """
        self.X = as_features(X)

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Run ``fit`` for one epoch over the images in the given order.

        Parameters
        ----------
        order : ndarray of int64, shape (M,)
            Indices of the training images, in the order of training.
        learning_rates : ndarray of float32, shape (ceil(M / batch_size),)
            The learning rate of each batch.

        Raises
        ------
        ConfigurationError
            If the contender was prepared for a constant learning rate, but the rates differ.
        """
        if len(order) == 0:
            return
        if self.schedule is None:
            if np.any(learning_rates != learning_rates[0]):
                raise ConfigurationError(
                    "Keras' fit was prepared for a constant learning rate, but rates differ; prepare it with a schedule"
                )
            self.optimizer.learning_rate = float(learning_rates[0])
            self._fit(order)
            return
        max_images = self.max_batches * self.recipe.batch_size
        for part in range(-(-len(order) // max_images)):  # a single part, unless there are more images than in an epoch
            rates = learning_rates[part * self.max_batches : (part + 1) * self.max_batches]
            self.schedule.assign(rates, first_step=int(self.optimizer.iterations))
            self._fit(order[part * max_images : (part + 1) * max_images])

    def _fit(self, order: npt.NDArray[np.int64]) -> None:
        import keras

        batch_size = self.recipe.batch_size
        with float32_floatx(keras):
            self.model.fit(self.X[order], self.y[order], batch_size=batch_size, epochs=1, shuffle=False, verbose=0)

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Run ``predict``, then softmax.

        Parameters
        ----------
        X : array-like, shape (N, D)
            Integer pixels or float features.

        Returns
        -------
        probs : ndarray of float32, shape (N, C)
            Class probabilities.
        """
        if len(X) == 0:
            return np.empty((0, self.model.output_shape[-1]), np.float32)
        import keras

        with float32_floatx(keras):
            logits = self.model.predict(as_features(X), verbose=0)
        probs: FloatArray = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
        return probs


def _stepwise_rates() -> Any:
    """Return a new learning rate schedule whose rates are assigned step by step."""
    import keras

    class StepwiseRates(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        """A schedule with the learning rates that the training loop assigns for the next steps.

        The rates are variables of the optimizer. On JAX, other arrays would become constants of the compiled step.
        """

        def attach_to(self, optimizer: Any, max_batches: int) -> None:
            self.rates = optimizer.add_variable((max_batches,), dtype="float32", name="given_rates")
            self.first_step = optimizer.add_variable((), dtype=optimizer.iterations.dtype, name="first_step")

        def assign(self, rates: npt.NDArray[np.float32], first_step: int) -> None:
            padded = np.zeros(self.rates.shape, np.float32)
            padded[: len(rates)] = rates
            self.rates.assign(padded)
            self.first_step.assign(first_step)

        def __call__(self, step: Any) -> Any:
            return keras.ops.take(self.rates, step - self.first_step)

    return StepwiseRates()
