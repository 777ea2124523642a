"""Compiled training and prediction functions of the contenders on JAX."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from nnkernels.contenders._updates import update_function
from nnkernels.parameters import Parameters
from nnkernels.recipes import Recipe
from nnkernels.transforms import feature_scale

# fetch(images, rows) -> batch; images are in the contender's own form.
Fetch = Callable[[Any, Any], Any]
# product(W1, batch) -> array of shape (N, H); W1 is in the contender's internal layout.
Product = Callable[[Any, Any], Any]


def import_jax() -> Any:
    """Import JAX and select the CPU, on which all contenders are compared.

    Returns
    -------
    jax : module
        The imported JAX.
    """
    import jax

    config: Any = jax.config
    config.update("jax_platforms", "cpu")
    return jax


def features(images: Any) -> Any:
    """Convert pixels or features on the device to float32 features.

    Parameters
    ----------
    images : jax.Array, shape (N, D)
        uint8 pixels or float features.

    Returns
    -------
    features : jax.Array of float32, shape (N, D)
        Scaled by 1/255 if the images are pixels.
    """
    return images.astype(np.float32) * np.float32(feature_scale(images))


@cache
def training_function(fetch: Fetch, product: Product, recipe: Recipe) -> Any:
    """Return the compiled training loop.

    Parameters
    ----------
    fetch : callable
        ``fetch(images, rows) -> batch``.
    product : callable
        ``product(W1, batch)``, of shape (N, H).
    recipe : Recipe
        Update rule, label smoothing and images per batch.

    Returns
    -------
    train : callable
        ``train(params, moments, images, labels, order, rates, decays, count) -> (params, moments)``. ``order`` has the
        shape (max_batches * batch_size,); ``rates`` and ``decays`` have the shape (max_batches,). Only the first
        ``count`` images are trained on; the rest of the arrays is padding.
    """
    jax = import_jax()
    jnp = jax.numpy
    update = update_function(recipe.optimizer, jax.tree.map, jnp.sqrt)
    batch_size, smoothing = recipe.batch_size, recipe.label_smoothing

    def loss(params: Parameters, batch: Any, labels: Any, weights: Any) -> Any:
        A1 = jax.nn.relu(product(params.W1, batch) + params.b1)  # its gradient at 0 is 0; that of jnp.maximum is 1/2
        log_probs = jax.nn.log_softmax(A1 @ params.W2 + params.b2)
        log_likelihoods = jnp.take_along_axis(log_probs, labels[:, np.newaxis], axis=1)[:, 0]
        if smoothing:
            log_likelihoods = (1 - smoothing) * log_likelihoods + smoothing * log_probs.mean(axis=1)
        return -jnp.sum(weights * log_likelihoods)

    @jax.jit  # type: ignore[untyped-decorator]
    def train(
        params: Any, moments: Any, images: Any, labels: Any, order: Any, rates: Any, decays: Any, count: Any
    ) -> Any:
        def step(batch: Any, carried: Any) -> Any:
            rows = jax.lax.dynamic_slice_in_dim(order, batch * batch_size, batch_size)
            remaining = count - batch * batch_size
            weights = jnp.where(jnp.arange(batch_size) < remaining, 1 / jnp.minimum(remaining, batch_size), 0)
            grads = jax.grad(loss)(carried[0], fetch(images, rows), labels[rows], weights)
            return update(*carried, grads, rates[batch], decays[batch])

        return jax.lax.fori_loop(0, (count + batch_size - 1) // batch_size, step, (params, moments))

    return train


@cache
def prediction_function() -> Any:
    """Return the compiled forward pass.

    Returns
    -------
    predict : callable
        ``predict(params, X) -> probs``, where X has uint8 pixels or float features.
    """
    jax = import_jax()

    @jax.jit  # type: ignore[untyped-decorator]
    def predict(params: Parameters, X: Any) -> Any:
        A1 = jax.nn.relu(features(X) @ params.W1 + params.b1)
        return jax.nn.softmax(A1 @ params.W2 + params.b2)

    return predict
