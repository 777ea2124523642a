"""Keras' model, loss and optimizer in one ``tf.function`` over a whole stretch of batches, and the same by XLA."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.contenders._keras import EXTRA, PACKAGES, KerasContender
from nnkernels.contenders._protocol import Entry
from nnkernels.data import LabelledImages
from nnkernels.parameters import FloatArray, Parameters
from nnkernels.recipes import Recipe
from nnkernels.transforms import feature_scale


def contenders() -> dict[str, Entry]:
    """Return this file's contenders."""
    by_xla = partial(KerasGraph, jit_compile=True)
    return {
        "keras-graph": Entry(KerasGraph, "Keras model, tf.function over the epoch", PACKAGES, EXTRA),
        "keras-graph-xla": Entry(by_xla, "Keras model, tf.function over the epoch by XLA", PACKAGES, EXTRA),
    }


class KerasGraph(KerasContender):
    """Keras' model, loss and optimizer; TensorFlow's loop over the batches, which never returns to Python.

    Parameters
    ----------
    jit_compile : bool
        Whether XLA compiles the loop. It does so anew for each number of images, and then takes about half the time.
    """

    whole_epochs_only = False

    def __init__(self, *, jit_compile: bool = False) -> None:
        super().__init__()
        self.tf = self.backend.tf
        self.jit_compile = jit_compile

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
        if len(order) == 0 and self.jit_compile:
            return  # XLA would compile for no image
        self._train(self.tf.constant(order.astype(np.int32)), self.tf.constant(learning_rates))
        self.model.trainable_variables[-1].numpy()

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Run the traced forward pass and softmax."""
        probs: FloatArray = self._predict(self.tf.constant(X), self.tf.constant(feature_scale(X), "float32")).numpy()
        return probs

    def _training_function(self) -> Any:
        tf, model, optimizer = self.tf, self.model, self.optimizer
        X, y, scale, batch_size = self.X, self.y, self.scale, self.recipe.batch_size
        import keras

        loss_function = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

        def step(rows: Any, learning_rate: Any) -> None:
            features = tf.cast(tf.gather(X, rows), tf.float32) * scale
            with tf.GradientTape() as tape:
                loss = loss_function(tf.gather(y, rows), model(features, training=True))
            optimizer.learning_rate.assign(learning_rate)
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

        signature = [tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.float32)]

        @tf.function(input_signature=signature, jit_compile=self.jit_compile or None)  # type: ignore[untyped-decorator]
        def train(order: Any, learning_rates: Any) -> None:
            images = tf.shape(order)[0]
            full_batches = images // batch_size
            rows = tf.reshape(order[: full_batches * batch_size], (full_batches, batch_size))
            for batch in tf.range(full_batches):
                step(rows[batch], learning_rates[batch])
            if full_batches * batch_size < images:
                step(order[full_batches * batch_size :], learning_rates[-1])

        return train

    def _prediction_function(self) -> Any:
        tf, model = self.tf, self.model

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
        def predict(X: Any, scale: Any) -> Any:
            return tf.nn.softmax(model(tf.cast(X, tf.float32) * scale, training=False))

        return predict
