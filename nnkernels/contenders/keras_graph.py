"""Keras at its fastest without leaving its own API: one ``tf.function`` over a whole stretch of batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.contenders._keras import EXTRA, PACKAGES, KerasContender
from nnkernels.contenders._protocol import Entry
from nnkernels.data import LabelledImages
from nnkernels.parameters import FloatArray, Parameters
from nnkernels.recipes import Recipe
from nnkernels.transforms import as_images, feature_scale


def contenders() -> dict[str, Entry]:
    """Return this file's contender."""
    return {"keras-graph": Entry(KerasGraph, "Keras model, tf.function over the epoch", PACKAGES, EXTRA)}


class KerasGraph(KerasContender):
    """Keras' model, loss and optimizer; TensorFlow's loop over the batches, which never returns to Python."""

    whole_epochs_only = False

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Build the model and trace both functions; they compile on their first call."""
        super().prepare(parameters, data, recipe)
        self._train = self._training_function()
        self._predict = self._prediction_function()

    def convert(self, data: LabelledImages) -> None:
        """Keep the images as a tensor, in their own dtype: gathering bytes is faster than gathering floats."""
        self.X = self.tf.constant(data.X)
        self.y = self.tf.constant(data.y.astype(np.int32))
        self.scale = feature_scale(data.X)

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Run the traced loop; reading a weight afterwards waits for its end."""
        self._train(self.tf.constant(order, self.tf.int32), self.tf.constant(learning_rates, self.tf.float32))
        self.model.trainable_variables[-1].numpy()

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Run the traced forward pass and softmax."""
        images = as_images(X)
        scale = self.tf.constant(feature_scale(images), "float32")
        probs: FloatArray = self._predict(self.tf.constant(images), scale).numpy()
        return probs

    def _training_function(self) -> Any:
        tf, model, optimizer = self.tf, self.model, self.optimizer
        X, y, scale, batch_size = self.X, self.y, self.scale, self.recipe.batch_size
        import keras

        loss_function = keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float32")

        def step(rows: Any, learning_rate: Any) -> None:
            features = tf.cast(tf.gather(X, rows), tf.float32) * scale
            with tf.GradientTape() as tape:
                loss = loss_function(tf.gather(y, rows), model(features, training=True))
            optimizer.learning_rate.assign(learning_rate)
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.float32)])  # type: ignore[untyped-decorator]
        def train(order: Any, learning_rates: Any) -> None:
            images = tf.shape(order)[0]
            full_batches = images // batch_size
            for batch in tf.range(full_batches):
                step(order[batch * batch_size : (batch + 1) * batch_size], learning_rates[batch])
            if full_batches * batch_size < images:
                step(order[full_batches * batch_size :], learning_rates[full_batches])

        return train

    def _prediction_function(self) -> Any:
        tf, model = self.tf, self.model

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
        def predict(X: Any, scale: Any) -> Any:
            return tf.nn.softmax(model(tf.cast(X, tf.float32) * scale, training=False))

        return predict
