"""Keras as everybody writes it: ``compile``, ``fit`` and ``predict``."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.contenders._keras import EXTRA, PACKAGES, KerasContender
from nnkernels.contenders._protocol import Entry
from nnkernels.data import LabelledImages
from nnkernels.errors import ConfigurationError
from nnkernels.interchange import keras_optimizer
from nnkernels.interchange.keras_dtype import float32_floatx
from nnkernels.parameters import FloatArray, Parameters
from nnkernels.recipes import Recipe
from nnkernels.transforms import as_features


def contenders() -> dict[str, Entry]:
    """Return this file's contender."""
    return {"keras-fit": Entry(KerasFit, "Keras, model.fit and model.predict", PACKAGES, EXTRA)}


class KerasFit(KerasContender):
    """``fit`` on float32 arrays, with the order of the images given instead of drawn by Keras."""

    whole_epochs_only = True

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Build and compile the model; a falling learning rate becomes a Keras schedule."""
        super().prepare(parameters, data, recipe)
        import keras

        self.keras = keras
        self.schedule = None
        if recipe.schedule != "constant":
            self.schedule = _given_rates(self.tf)
            self.optimizer = keras_optimizer(recipe.optimizer, self.schedule)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float32")
        with float32_floatx(keras):
            self.model.compile(optimizer=self.optimizer, loss=loss)

    def convert(self, data: LabelledImages) -> None:
        """Scale all images to float32 at once, as every tutorial does."""
        self.X = as_features(data.X)
        self.y = data.y.astype(np.int32)

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Run ``fit`` for one epoch over the images in the given order."""
        if len(order) == 0:
            return
        if self.schedule is not None:
            self.schedule.give(learning_rates, first_step=int(self.optimizer.iterations))
        elif np.all(learning_rates == learning_rates[0]):
            self.optimizer.learning_rate = float(learning_rates[0])
        else:
            raise ConfigurationError("keras-fit was prepared for a constant learning rate; prepare it with a schedule")
        with float32_floatx(self.keras):
            self.model.fit(
                self.X[order],
                self.y[order],
                batch_size=self.recipe.batch_size,
                epochs=1,
                shuffle=False,
                verbose=0,
            )

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Run ``predict``, then softmax."""
        if len(X) == 0:
            return np.empty((0, self.model.output_shape[-1]), np.float32)
        with float32_floatx(self.keras):
            logits = self.model.predict(as_features(X), verbose=0)
        probs: FloatArray = self.tf.nn.softmax(logits).numpy()
        return probs


def _given_rates(tf: Any) -> Any:
    import keras

    class GivenRates(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        """The learning rates of the next steps, one by one, as the training loop hands them out."""

        def __init__(self) -> None:
            super().__init__()
            self.rates = tf.Variable([0.0], shape=[None], trainable=False)
            self.first_step = tf.Variable(0, dtype=tf.int64, trainable=False)

        def give(self, rates: npt.NDArray[np.float32], first_step: int) -> None:
            self.rates.assign(rates)
            self.first_step.assign(first_step)

        def __call__(self, step: Any) -> Any:
            return tf.gather(self.rates, tf.cast(step, tf.int64) - self.first_step)

    return GivenRates()
