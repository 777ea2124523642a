"""What a backend may add to the contract, and the composition of its functions where it adds nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from nnkernels.kernels.contract import MOMENTUM, SGD, Backend, OptimizerState, UpdateRule
from nnkernels.parameters import Parameters


class TrainInplace(Protocol):
    """The signature of a backend's optional ``train_inplace``; ``numba_kernels`` documents it."""

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
    """Return the backend's ``pack_images``, which brings images into the form that its ``train_inplace`` reads fastest.

    A backend without one reads them as they are.
    """
    return getattr(backend, "pack_images", lambda X: X)


def training_entry(backend: Backend) -> TrainInplace:
    """Return the backend's own ``train_inplace``, or the composition of its functions."""
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
    """Fetch, forward, backward and update, batch by batch; mutates ``params`` and ``state``."""
    # Fetching bytes and scaling them in place of floats moves a quarter of the memory.
    fetched = np.empty((batch_size, X.shape[1]), X.dtype)
    features = np.empty((batch_size, X.shape[1]), params.W1.dtype)
    factor = features.dtype.type(scale)
    for batch, learning_rate in enumerate(learning_rates.tolist()):
        rows = order[batch * batch_size : (batch + 1) * batch_size]
        N = len(rows)
        # mode="clip" spares a copy: only with it does take write straight into ``out``.
        np.take(X, rows, axis=0, out=fetched[:N], mode="clip")
        np.multiply(fetched[:N], factor, out=features[:N])
        labels = y[rows]
        activations = backend.forward(params, features[:N])
        grads = backend.backward(params, features[:N], labels, activations)
        if rule.code == SGD:
            backend.sgd_update_inplace(params, grads, state, learning_rate)
        elif rule.code == MOMENTUM:
            backend.momentum_update_inplace(params, grads, state, learning_rate, rule.momentum)
        else:
            backend.adam_update_inplace(params, grads, state, learning_rate, rule.beta_1, rule.beta_2, rule.epsilon)
