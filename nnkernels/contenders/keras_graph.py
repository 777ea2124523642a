"""Keras' model, loss and optimizer in one ``tf.function`` over all batches, with and without XLA."""

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
    """Return the contenders of this file.

    Returns
    -------
    entries : dict of str to Entry
        The entries by name.
    """
    description = "Keras on TensorFlow, an epoch in one tf.function"
    return {
        # Not in the quick profile, because the form with XLA was faster on every CPU on which both were measured.
        "keras-graph": Entry(KerasGraph, description, PACKAGES, EXTRA, from_profile="headline"),
        "keras-graph-xla": Entry(KerasGraphXla, f"{description}, by XLA", PACKAGES, EXTRA),
    }


class KerasGraph(KerasContender):
    """A contender with Keras' model, loss and optimizer in TensorFlow's own loop over the batches, without Python."""

    whole_epochs_only = False

    def __init__(self) -> None:
        super().__init__()
        self.tf = self.backend.tf

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Build the model and define both functions, which are traced in their first call.

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
        super().prepare(parameters, data, recipe)
        self._train = self._training_function()
        self._predict = self._prediction_function()

    def convert(self, data: LabelledImages) -> None:
        """Copy the images to a tensor of their own dtype, because gathering bytes is faster than gathering floats.

        Parameters
        ----------
        data : LabelledImages
            The training images.
        """
        self.replace_images(data.X)
        self.y = self.tf.constant(data.y.astype(np.int32))
        self.scale = feature_scale(data.X)

    def replace_images(self, X: npt.NDArray[Any]) -> None:
        """Train on other images from now on; they are copied to a tensor.

        Parameters
        ----------
        X : ndarray, shape (N, D)
            The images, as many as before, of the same shape and dtype. Labels, parameters and the state of the
            optimizer stay as they are.
        """
        self.X = self.tf.constant(X)

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Run the loop over the batches, then read a weight, which waits until the loop has finished.

        Parameters
        ----------
        order : ndarray of int64, shape (M,)
            Indices of the training images, in the order of training.
        learning_rates : ndarray of float32, shape (ceil(M / batch_size),)
            The learning rate of each batch.
        """
        tf = self.tf
        self._train(self.X, tf.constant(order, tf.int32), tf.constant(learning_rates, tf.float32))
        self.model.trainable_variables[-1].numpy()

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Run the forward pass and softmax.

        Parameters
        ----------
        X : array-like, shape (N, D)
            Integer pixels or float features.

        Returns
        -------
        probs : ndarray of float32, shape (N, C)
            Class probabilities.
        """
        images = as_images(X)
        scale = self.tf.constant(feature_scale(images), "float32")
        probs: FloatArray = self._predict(self.tf.constant(images), scale).numpy()
        return probs

    def _step_function(self) -> Any:
        """Return the function ``step(X, rows, learning_rate)`` of one gradient step, to be traced into a graph."""
        tf, model, optimizer, y, scale = self.tf, self.model, self.optimizer, self.y, self.scale
        loss_function, one_hot = self.loss_function(), self.recipe.label_smoothing > 0
        classes = model.output_shape[-1]

        def step(X: Any, rows: Any, learning_rate: Any) -> None:
            features, labels = tf.cast(tf.gather(X, rows), tf.float32) * scale, tf.gather(y, rows)
            with tf.GradientTape() as tape:
                loss = loss_function(tf.one_hot(labels, classes) if one_hot else labels, model(features, training=True))
            optimizer.learning_rate.assign(learning_rate)
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

        return step

    def _training_function(self) -> Any:
        tf, batch_size, step = self.tf, self.recipe.batch_size, self._step_function()
        images_spec = tf.TensorSpec.from_tensor(self.X)
        signature = [images_spec, tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.float32)]

        @tf.function(input_signature=signature)  # type: ignore[untyped-decorator]
        def train(X: Any, order: Any, learning_rates: Any) -> None:
            images = tf.shape(order)[0]
            full_batches = images // batch_size
            for batch in tf.range(full_batches):
                step(X, order[batch * batch_size : (batch + 1) * batch_size], learning_rates[batch])
            if full_batches * batch_size < images:
                step(X, order[full_batches * batch_size :], learning_rates[full_batches])

        return train

    def _prediction_function(self) -> Any:
        tf, model = self.tf, self.model

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
        def predict(X: Any, scale: Any) -> Any:
            return tf.nn.softmax(model(tf.cast(X, tf.float32) * scale, training=False))

        return predict


class KerasGraphXla(KerasGraph):
    """The same loop compiled by XLA, which halves its CPU time.

    XLA recompiles for each shape. So the arrays always have the size of one epoch, and the number of batches is passed
    at run time. A short last batch is trained in a separate graph without XLA.
    """

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Build the model and define the functions, which are compiled in their first call.

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
        self.max_batches = max(1, len(data.X) // recipe.batch_size)
        super().prepare(parameters, data, recipe)
        self._step = self.tf.function(self._step_function(), reduce_retracing=True)

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Run the compiled loop, then a short last batch. Then read a weight, which waits until both have finished.

        Parameters
        ----------
        order : ndarray of int64, shape (M,)
            Indices of the training images, in the order of training.
        learning_rates : ndarray of float32, shape (ceil(M / batch_size),)
            The learning rate of each batch.
        """
        tf, max_batches, batch_size = self.tf, self.max_batches, self.recipe.batch_size
        full_batches = len(order) // batch_size
        batches = order[: full_batches * batch_size].reshape(-1, batch_size)
        # A single part, unless there are more batches than in an epoch.
        for start in range(0, max(1, full_batches), max_batches):
            count = len(batches[start : start + max_batches])
            rows, rates = np.zeros((max_batches, batch_size), np.int32), np.zeros(max_batches, np.float32)
            rows[:count] = batches[start : start + max_batches]
            rates[:count] = learning_rates[start : start + count]
            self._train(self.X, tf.constant(rows), tf.constant(rates), tf.constant(count))
        if full_batches * batch_size < len(order):
            last_batch = order[full_batches * batch_size :].astype(np.int32)
            self._step(self.X, tf.constant(last_batch), tf.constant(learning_rates[-1]))
        self.model.trainable_variables[-1].numpy()

    def _training_function(self) -> Any:
        tf, step = self.tf, self._step_function()

        @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
        def train(X: Any, rows: Any, learning_rates: Any, count: Any) -> None:
            batch = tf.constant(0)
            while batch < count:
                step(X, rows[batch], learning_rates[batch])
                batch += 1

        return train
