"""What the contenders on JAX share: the compiled loop over a stretch of batches, and the update rules."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.contenders._labels import check_labels
from nnkernels.contenders._updates import fresh_memory, update_function
from nnkernels.contenders._xla_threads import start_backend
from nnkernels.data import LabelledImages
from nnkernels.errors import ConfigurationError, DataError
from nnkernels.kernels.contract import step_sizes, update_rule
from nnkernels.parameters import FloatArray, Parameters, native
from nnkernels.recipes import Optimizer, Recipe
from nnkernels.transforms import as_images, feature_scale

PACKAGES = ("jax", "jaxlib")
EXTRA = "peers"

# Fetches a batch from the images as they are kept; its second argument are the rows.
Fetch = Callable[[Any, Any], Any]
# Multiplies a batch by W1, as it is kept: (N, H).
Product = Callable[[Any, Any], Any]


def import_jax() -> Any:
    """Import JAX on the CPU, which is what is compared, whatever else the machine has."""
    import jax

    config: Any = jax.config
    config.update("jax_platforms", "cpu")
    return jax


def require_threads(jax: Any, threads: int) -> None:
    """Start XLA on that many threads; raise ConfigurationError if it runs on others already."""
    found = start_backend(jax, threads)
    if found != threads:
        raise ConfigurationError(
            f"XLA's threads are {found}, not {threads}; the number must be set before JAX's first work"
        )


class JaxContender:
    """A contender whose training is one compiled loop; its kind says how images are kept and met by W1.

    The loop is ``lax.fori_loop`` and is told at run time how many batches there are, in room for an epoch of them.
    So a stretch of any length, the short last batch included, runs what was compiled in :meth:`prepare`.
    """

    whole_epochs_only = False
    threads_can_change = False

    fetch: Fetch
    product: Product

    def __init__(self) -> None:
        self.jax = import_jax()

    def use_threads(self, threads: int) -> None:
        """Start XLA on that many threads: possible only before JAX's first work."""
        require_threads(self.jax, threads)

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Copy the parameters, put the data where XLA has them, and compile."""
        jnp = self.jax.numpy
        check_labels(data, len(parameters.b2))
        self.recipe, self.rule = recipe, update_rule(recipe.optimizer)
        self.params = Parameters(*(jnp.array(array, copy=True) for array in self.kept(native(parameters))))
        self.memory = fresh_memory(recipe.optimizer, self.params, jnp.zeros_like)
        self.steps_done = 0
        self.image_count = len(data.X)
        self.given_form: Parameters | None = None  # the parameters for predictions, made when they are asked for
        self.room = max(1, recipe.batches(len(data.X)))  # batches that one call of the loop has room for
        self.images, self.labels = self.convert(data.X), jnp.asarray(data.y.astype(np.int32))
        self._train = training_function(self.fetch, self.product, recipe.optimizer, recipe.batch_size)
        self._predict = prediction_function()
        if self.image_count:  # no turn of the loop, but it compiles
            self._stretch(np.zeros(0, np.int64), np.zeros(0, np.float32))

    def convert(self, X: npt.NDArray[Any]) -> Any:
        """Bring the images into the form that this contender trains from."""
        raise NotImplementedError

    def kept(self, params: Parameters) -> Parameters:
        """Return the parameters as this contender keeps them, or as they were given; it is its own inverse."""
        return params

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Run the compiled loop, and wait for its end."""
        if len(order) and not 0 <= order.min() <= order.max() < self.image_count:  # XLA would not notice
            raise DataError(f"order goes from {order.min()} to {order.max()}; there are {self.image_count} images")
        images = self.room * self.recipe.batch_size
        for part in range(-(-len(order) // images)):  # one, unless the stretch is longer than an epoch
            self._stretch(
                order[part * images : (part + 1) * images],
                learning_rates[part * self.room : (part + 1) * self.room],
            )

    def _stretch(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        batches = self.recipe.batches(len(order))
        rows = np.zeros(self.room * self.recipe.batch_size, np.int32)
        rows[: len(order)] = order
        # What fills the last batch up weighs nothing, but 0 * NaN is NaN: it is an image of the batch.
        rows[len(order) :] = order[-1] if len(order) else 0
        rates = np.zeros(self.room, np.float32)
        rates[:batches] = step_sizes(self.rule, learning_rates[:batches], self.steps_done)
        self.given_form = None
        self.params, self.memory = self.jax.block_until_ready(
            self._train(self.params, self.memory, self.images, self.labels, rows, rates, len(order))
        )
        self.steps_done += batches

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Run the compiled forward pass and softmax; it compiles anew for each number of images."""
        if self.given_form is None:
            self.given_form = self.kept(self.params)
        probs: FloatArray = np.asarray(self._predict(self.given_form, as_images(X)))
        return probs

    def parameters(self) -> Parameters:
        """Return a copy of the parameters."""
        # What XLA hands out is its own memory, read-only.
        return Parameters(*(np.array(array, order="C", copy=True) for array in self.kept(self.params)))

    def close(self) -> None:
        """Drop the data and the parameters; what was compiled serves the next of its kind."""
        jax = self.jax
        self.__dict__.clear()
        self.jax = jax


def features(images: Any) -> Any:
    """Return the features, float32, of pixels or features on the device."""
    return images.astype(np.float32) * np.float32(feature_scale(images))


@cache
def training_function(fetch: Fetch, product: Product, optimizer: Optimizer, batch_size: int) -> Any:
    """Return the compiled loop: ``train(params, memory, images, labels, order, rates, count) -> params, memory``.

    ``order`` (room * batch_size,) and ``rates`` (room,) are filled up behind the ``count`` images that are meant.
    """
    jax = import_jax()
    jnp = jax.numpy
    update = update_function(optimizer, jax.tree.map, jnp.sqrt)

    def loss(params: Parameters, batch: Any, labels: Any, weights: Any) -> Any:
        A1 = jax.nn.relu(product(params.W1, batch) + params.b1)  # its gradient at 0 is 0; that of maximum is 1/2
        log_probs = jax.nn.log_softmax(A1 @ params.W2 + params.b2)
        return -jnp.sum(weights * jnp.take_along_axis(log_probs, labels[:, np.newaxis], axis=1)[:, 0])

    @jax.jit  # type: ignore[untyped-decorator]
    def train(params: Any, memory: Any, images: Any, labels: Any, order: Any, rates: Any, count: Any) -> Any:
        def step(batch: Any, carried: Any) -> Any:
            rows = jax.lax.dynamic_slice_in_dim(order, batch * batch_size, batch_size)
            left = count - batch * batch_size
            weights = jnp.where(jnp.arange(batch_size) < left, 1 / jnp.minimum(left, batch_size), 0)
            grads = jax.grad(loss)(carried[0], fetch(images, rows), labels[rows], weights)
            return update(*carried, grads, rates[batch])

        return jax.lax.fori_loop(0, (count + batch_size - 1) // batch_size, step, (params, memory))

    return train


@cache
def prediction_function() -> Any:
    """Return the compiled forward pass: ``predict(params, X) -> probs``, X uint8 pixels or float features."""
    jax = import_jax()

    @jax.jit  # type: ignore[untyped-decorator]
    def predict(params: Parameters, X: Any) -> Any:
        A1 = jax.nn.relu(features(X) @ params.W1 + params.b1)
        return jax.nn.softmax(A1 @ params.W2 + params.b2)

    return predict
