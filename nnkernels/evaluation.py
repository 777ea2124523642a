"""The evaluation of parameters on images: loss, error rate and probabilities, in batches of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels import kernels
from nnkernels.errors import DataError
from nnkernels.kernels import Activations, Backend
from nnkernels.parameters import FloatArray, Parameters, native
from nnkernels.transforms import as_features

EVALUATION_BATCH = 2048  # images per forward pass: their features fit into the cache


def evaluate(
    params: Parameters, X: npt.NDArray[Any], y: npt.NDArray[np.integer[Any]], backend: Backend | None = None
) -> tuple[float, float]:
    """Return the mean cross-entropy and the error rate of parameters on images.

    Parameters
    ----------
    params : Parameters
        The parameters of the network.
    X : array-like, shape (N, D)
        Integers are pixels and floats are features, see :func:`nnkernels.transforms.as_images`.
    y : ndarray of integers, shape (N,)
        Class indices.
    backend : Backend, optional
        The backend whose forward pass and loss are used. By default these are the reference kernels, so that
        differences between contenders come from the training alone. A network with other mathematics needs its own
        backend.

    Returns
    -------
    loss : float
        Mean cross-entropy in nats.
    error_rate : float
        Fraction of misclassified images, 0 to 1.

    Raises
    ------
    DataError
        If there are no images.
    """
    if len(X) == 0:
        raise DataError("there are no images to evaluate on")
    judge = backend or kernels.load("numpy")
    y = np.ascontiguousarray(y, y.dtype.newbyteorder("="))
    total_loss, wrong = 0.0, 0
    for batch, activations in _forward_in_batches(judge, params, X):
        logits = activations.logits
        total_loss += float(judge.loss(logits, y[batch])) * len(logits)  # a user's loss may return NumPy's float32
        wrong += int(np.count_nonzero(logits.argmax(axis=1) != y[batch]))
    return total_loss / len(X), wrong / len(X)


def probabilities(backend: Backend, params: Parameters, X: npt.NDArray[Any]) -> FloatArray:
    """Return the class probabilities of images, computed by a backend's forward pass.

    Apart from the result, the memory needed is that of :data:`EVALUATION_BATCH` images.

    Parameters
    ----------
    backend : Backend
        The backend that computes the forward pass.
    params : Parameters
        The parameters of the network.
    X : array-like, shape (N, D)
        Integers are pixels and floats are features, see :func:`nnkernels.transforms.as_images`.

    Returns
    -------
    probs : ndarray, shape (N, C)
        Probabilities in the dtype of the parameters.
    """
    probs = np.empty((len(X), len(params.b2)), params.W1.dtype)
    for batch, activations in _forward_in_batches(backend, params, X):
        probs[batch] = activations.probs
    return probs


def _forward_in_batches(
    backend: Backend, params: Parameters, X: npt.NDArray[Any]
) -> Iterator[tuple[slice, Activations]]:
    params = native(params)
    for start in range(0, len(X), EVALUATION_BATCH):
        batch = slice(start, start + EVALUATION_BATCH)
        yield batch, backend.forward(params, as_features(X[batch], params.W1.dtype))
