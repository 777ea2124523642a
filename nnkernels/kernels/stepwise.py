"""The optional functions of a backend, with defaults that are composed of its required functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt

from nnkernels.kernels.contract import MOMENTUM, SGD, Activations, Backend, OptimizerState, UpdateRule, decay_factors
from nnkernels.parameters import Parameters


class TrainInplace(Protocol):
    """The signature of the optional ``train_inplace``. ``numba_kernels`` documents it."""

    def __call__(
        self,
        params: Parameters,
        state: OptimizerState,
        X: npt.NDArray[Any],
        y: npt.NDArray[np.int64],
        order: npt.NDArray[np.int64],
        learning_rates: npt.NDArray[np.float32],
        batch_size: int,
        scale: float,
        rule: UpdateRule,
    ) -> None: ...


def image_packer(backend: Backend) -> Callable[[npt.NDArray[Any]], Any]:
    """Return the function that converts images to the internal layout of a backend's ``train_inplace``.

    Parameters
    ----------
    backend : Backend
        The backend.

    Returns
    -------
    pack_images : callable
        The backend's ``pack_images``; by default, the identity.
    """
    return getattr(backend, "pack_images", lambda X: X)


class PackedImages(NamedTuple):
    """Images in the internal layout of a backend.

    Attributes
    ----------
    pack : callable
        The function that converted them. Backends that share it can share the result.
    images : object
        Its result.
    scale : float
        Factor from stored values to features.
    """

    pack: Callable[[npt.NDArray[Any]], Any]
    images: Any
    scale: float


def packed_images(backend: Backend, X: npt.NDArray[Any], scale: float) -> PackedImages:
    """Convert images to the internal layout of a backend.

    Parameters
    ----------
    backend : Backend
        The backend.
    X : ndarray, shape (N, D)
        The images.
    scale : float
        Factor from their values to features.

    Returns
    -------
    packed : PackedImages
        The images.
    """
    pack = image_packer(backend)
    return PackedImages(pack, pack(X), scale)


def training_entry(backend: Backend) -> TrainInplace:
    """Return the function that trains a backend on many batches.

    Parameters
    ----------
    backend : Backend
        The backend.

    Returns
    -------
    train_inplace : callable
        The backend's ``train_inplace``; by default, :func:`train_stepwise_inplace`.
    """
    own = getattr(backend, "train_inplace", None)
    return cast("TrainInplace", own) if own else partial(train_stepwise_inplace, backend)


def train_stepwise_inplace(
    backend: Backend,
    params: Parameters,
    state: OptimizerState,
    X: npt.NDArray[Any],
    y: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    learning_rates: npt.NDArray[np.float32],
    batch_size: int,
    scale: float,
    rule: UpdateRule,
) -> None:
    """Train on consecutive batches, each with a forward pass, a backward pass and an update.

    Parameters
    ----------
    backend : Backend
        The backend whose functions are called.
    params : Parameters
        Weights and biases, updated in place.
    state : OptimizerState
        State of the optimizer, updated in place.
    X : ndarray of uint8 or float, shape (n_images, D)
        Images, whose features are ``X * scale``.
    y : ndarray of int64, shape (n_images,)
        Labels.
    order : ndarray of int64, shape (M,)
        Indices of the images.
    learning_rates : ndarray of float32, shape (ceil(M / batch_size),)
        Learning rate of each batch.
    batch_size : int
        Number of images per batch.
    scale : float
        Factor from stored values to features.
    rule : UpdateRule
        The optimizer.
    """
    # Gathering bytes and scaling them afterwards reads a quarter of the memory that gathering floats would.
    fetched = np.empty((batch_size, X.shape[1]), X.dtype)
    features = np.empty((batch_size, X.shape[1]), params.W1.dtype)
    factor = features.dtype.type(scale)
    decays = decay_factors(rule, learning_rates)
    for batch, learning_rate in enumerate(learning_rates.tolist()):
        rows = order[batch * batch_size : (batch + 1) * batch_size]
        N = len(rows)
        # Only with mode="clip" does take write directly into ``out``, without a buffer.
        np.take(X, rows, axis=0, out=fetched[:N], mode="clip")
        np.multiply(fetched[:N], factor, out=features[:N])
        labels = y[rows]
        activations = backend.forward(params, features[:N])
        if rule.label_smoothing:
            activations = smoothed(activations, labels, rule.label_smoothing)
        grads = backend.backward(params, features[:N], labels, activations)
        if rule.weight_decay:
            for w in params:
                w *= w.dtype.type(decays[batch])
        if rule.code == SGD:
            backend.sgd_update_inplace(params, grads, state, learning_rate)
        elif rule.code == MOMENTUM:
            backend.momentum_update_inplace(params, grads, state, learning_rate, rule.momentum)
        else:
            backend.adam_update_inplace(params, grads, state, learning_rate, rule.beta_1, rule.beta_2, rule.epsilon)


def smoothed(activations: Activations, y: npt.NDArray[np.integer[Any]], label_smoothing: float) -> Activations:
    """Return the activations from which ``backward`` computes the gradient for smoothed labels.

    With the targets ``(1 - s) onehot(y) + s / C``, the gradient of the loss with respect to the logits is ``(probs - (1
    - s) onehot(y) - s / C) / N``. That is what ``backward`` makes of ``probs + s (onehot(y) - 1 / C)``.

    Parameters
    ----------
    activations : Activations
        The result of a forward pass. It is not changed.
    y : ndarray of integers, shape (N,)
        The true classes.
    label_smoothing : float
        The share s of the targets that is uniform over the C classes.

    Returns
    -------
    activations : Activations
        The same, with shifted probabilities.
    """
    real = activations.probs.dtype.type
    probs = activations.probs - real(label_smoothing / activations.probs.shape[1])
    probs[np.arange(len(y)), y] += real(label_smoothing)
    return activations._replace(probs=probs)
