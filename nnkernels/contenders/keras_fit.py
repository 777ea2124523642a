"""Keras as everybody writes it: ``compile``, ``fit`` and ``predict``."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.contenders._keras import EXTRA, PACKAGES, KerasContender
from nnkernels.contenders._protocol import Entry, TrainingData
from nnkernels.parameters import FloatArray, Parameters
from nnkernels.recipes import Recipe
from nnkernels.transforms import as_features


def contenders() -> dict[str, Entry]:
    """Return this file's contender."""
    return {"keras-fit": Entry(KerasFit, "Keras, model.fit and model.predict", PACKAGES, EXTRA)}


class KerasFit(KerasContender):
    """``fit`` on float32 arrays, with the order of the images given instead of drawn by Keras."""

    whole_epochs_only = True

    def prepare(self, parameters: Parameters, data: TrainingData, recipe: Recipe) -> None:
        """Build and compile the model."""
        super().prepare(parameters, data, recipe)
        import keras

        self.model.compile(
            optimizer=self.optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        )

    def convert(self, data: TrainingData) -> None:
        """Scale all images to float32 at once, as every tutorial does."""
        self.X = as_features(data.X)
        self.y = data.y.astype(np.int32)

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Run ``fit`` for one epoch over the images in the given order."""
        callbacks = []
        if np.all(learning_rates == learning_rates[0]):
            self.optimizer.learning_rate = float(learning_rates[0])
        else:
            callbacks.append(self._rate_of_each_batch(learning_rates))
        self.model.fit(
            self.X[order],
            self.y[order],
            batch_size=self.recipe.batch_size,
            epochs=1,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )

    def _rate_of_each_batch(self, learning_rates: npt.NDArray[np.float32]) -> Any:
        import keras

        rates, rate = learning_rates.tolist(), self.optimizer.learning_rate

        def set_rate(batch: int, logs: object = None) -> None:
            rate.assign(rates[batch])

        callback = keras.callbacks.LambdaCallback()
        callback.on_train_batch_begin = set_rate
        return callback

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Run ``predict``, then softmax."""
        logits = self.model.predict(as_features(X), verbose=0)
        probs: FloatArray = self.tf.nn.softmax(logits).numpy()
        return probs
