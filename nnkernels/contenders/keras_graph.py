"""Keras' model, loss and optimizer in one ``tf.function`` over a whole stretch of batches, and the same by XLA."""

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
    """Return this file's contenders."""
    words = "Keras on TensorFlow, an epoch in one tf.function"
    return {
        # The XLA-compiled form was faster on every CPU on which both were measured.
        "keras-graph": Entry(KerasGraph, words, PACKAGES, EXTRA, from_profile="headline"),
        "keras-graph-xla": Entry(KerasGraphXla, f"{words}, by XLA", PACKAGES, EXTRA),
    }


class KerasGraph(KerasContender):
    """Keras' model, loss and optimizer; TensorFlow's loop over the batches, which never returns to Python."""

    whole_epochs_only = False

    def __init__(self) -> None:
        super().__init__()
        self.tf = self.backend.tf

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

    def _step_function(self) -> Any:
        """Return one gradient step, ``step(rows, learning_rate)``, for a graph to take in."""
        tf, model, optimizer, X, y, scale = self.tf, self.model, self.optimizer, self.X, self.y, self.scale
        import keras

        loss_function = keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float32")

        def step(rows: Any, learning_rate: Any) -> None:
            features = tf.cast(tf.gather(X, rows), tf.float32) * scale
            with tf.GradientTape() as tape:
                loss = loss_function(tf.gather(y, rows), model(features, training=True))
            optimizer.learning_rate.assign(learning_rate)
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

        return step

    def _training_function(self) -> Any:
        tf, batch_size, step = self.tf, self.recipe.batch_size, self._step_function()

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


class KerasGraphXla(KerasGraph):
    """The same loop compiled by XLA, which halves its CPU time.

    XLA compiles anew for each shape, so the loop has room for an epoch and is told at run time how many batches there
    are. A short last batch takes its step in a graph that XLA has no part in.
    """

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Build the model and trace the functions; they compile on their first call."""
        self.room = max(1, len(data.X) // recipe.batch_size)
        super().prepare(parameters, data, recipe)
        self._step = self.tf.function(self._step_function(), reduce_retracing=True)

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Run the compiled loop, and the step that is left; reading a weight afterwards waits for the end."""
        tf, room, batch_size = self.tf, self.room, self.recipe.batch_size
        full_batches = len(order) // batch_size
        batches = order[: full_batches * batch_size].reshape(-1, batch_size)
        for start in range(0, max(1, full_batches), room):  # once, unless the stretch is longer than an epoch
            count = len(batches[start : start + room])
            rows, rates = np.zeros((room, batch_size), np.int32), np.zeros(room, np.float32)
            rows[:count] = batches[start : start + room]
            rates[:count] = learning_rates[start : start + count]
            self._train(tf.constant(rows), tf.constant(rates), tf.constant(count))
        if full_batches * batch_size < len(order):
            rest = order[full_batches * batch_size :].astype(np.int32)
            self._step(tf.constant(rest), tf.constant(learning_rates[-1]))
        self.model.trainable_variables[-1].numpy()

    def _training_function(self) -> Any:
        tf, step = self.tf, self._step_function()

        @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
        def train(rows: Any, learning_rates: Any, count: Any) -> None:
            batch = tf.constant(0)
            while batch < count:
                step(rows[batch], learning_rates[batch])
                batch += 1

        return train
