"""Keras' ``compile``, ``fit`` and ``predict``, on either backend and in any of their forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.contenders._keras import KerasContender, OnJax, OnTensorFlow
from nnkernels.data import LabelledImages
from nnkernels.errors import ConfigurationError
from nnkernels.interchange import keras_optimizer
from nnkernels.interchange.keras_dtype import float32_floatx
from nnkernels.parameters import FloatArray, Parameters
from nnkernels.recipes import Recipe
from nnkernels.transforms import as_features


class KerasFit(KerasContender):
    """``fit`` on float32 arrays, with the order of the images given instead of drawn by Keras.

    Parameters
    ----------
    backend : OnTensorFlow or OnJax
    steps_per_execution : int
        Gradient steps from one return to Keras' own Python loop to the next.
    jit_compile : bool or "auto"
        Whether XLA compiles the step. Keras' "auto" does it on JAX, and not on TensorFlow where there is no GPU.
    """

    whole_epochs_only = True

    def __init__(
        self,
        backend: type[OnTensorFlow] | type[OnJax] = OnTensorFlow,
        *,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
    ) -> None:
        super().__init__(backend)
        self.form = {"steps_per_execution": steps_per_execution, "jit_compile": jit_compile}

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Build and compile the model; a falling learning rate becomes a Keras schedule."""
        import keras

        self.room = max(1, recipe.batches(len(data.X)))
        super().prepare(parameters, data, recipe)
        # From logits: of probabilities, JAX's loss takes the logarithm of no less than 1e-7.
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float32")
        with float32_floatx(keras):
            self.model.compile(optimizer=self.optimizer, loss=loss, **self.form)

    def new_optimizer(self, recipe: Recipe) -> Any:
        """Return the Keras optimizer of a recipe, its rates given batch by batch unless they are constant."""
        self.schedule = None
        if recipe.schedule == "constant":
            return super().new_optimizer(recipe)
        self.schedule = _given_rates()
        optimizer = keras_optimizer(recipe.optimizer, self.schedule)
        self.schedule.live_in(optimizer, self.room)
        return optimizer

    def convert(self, data: LabelledImages) -> None:
        """Scale all images to float32 at once, as every tutorial does."""
        self.X = as_features(data.X)
        self.y = data.y.astype(np.int32)

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Run ``fit`` for one epoch over the images in the given order."""
        if len(order) == 0:
            return
        if self.schedule is None:
            if np.any(learning_rates != learning_rates[0]):
                raise ConfigurationError(
                    "Keras' fit was prepared for a constant learning rate; prepare it with a schedule"
                )
            self.optimizer.learning_rate = float(learning_rates[0])
            self._fit(order)
            return
        images = self.room * self.recipe.batch_size
        for part in range(-(-len(order) // images)):  # one, unless the stretch is longer than an epoch
            rates = learning_rates[part * self.room : (part + 1) * self.room]
            self.schedule.give(rates, first_step=int(self.optimizer.iterations))
            self._fit(order[part * images : (part + 1) * images])

    def _fit(self, order: npt.NDArray[np.int64]) -> None:
        import keras

        batch_size = self.recipe.batch_size
        with float32_floatx(keras):
            self.model.fit(self.X[order], self.y[order], batch_size=batch_size, epochs=1, shuffle=False, verbose=0)

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Run ``predict``, then softmax."""
        if len(X) == 0:
            return np.empty((0, self.model.output_shape[-1]), np.float32)
        import keras

        with float32_floatx(keras):
            logits = self.model.predict(as_features(X), verbose=0)
        probs: FloatArray = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
        return probs


def _given_rates() -> Any:
    import keras

    class GivenRates(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        """The learning rates of the next steps, one by one, as the training loop hands them out.

        They are variables of the optimizer: on JAX, anything else would be taken for a constant when the step is
        compiled.
        """

        def live_in(self, optimizer: Any, room: int) -> None:
            self.rates = optimizer.add_variable((room,), dtype="float32", name="given_rates")
            self.first_step = optimizer.add_variable((), dtype=optimizer.iterations.dtype, name="first_step")

        def give(self, rates: npt.NDArray[np.float32], first_step: int) -> None:
            room = np.zeros(self.rates.shape, np.float32)
            room[: len(rates)] = rates
            self.rates.assign(room)
            self.first_step.assign(first_step)

        def __call__(self, step: Any) -> Any:
            return keras.ops.take(self.rates, step - self.first_step)

    return GivenRates()
