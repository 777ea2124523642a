"""NumPy: whole arrays at a time, matrix products in BLAS."""

from __future__ import annotations

from typing import Any

import numpy as np

SCALE = np.float32(1 / 255)


def train_inplace(params: Any, images: Any, y: Any, order: Any, learning_rates: Any, batch_size: int) -> None:
    """Train on consecutive batches; modifies ``params`` in place."""
    for number in range(len(learning_rates)):
        batch = order[number * batch_size : (number + 1) * batch_size]
        X, labels = fetch(images, y, batch)
        A1, probs = forward(params, X)
        gradients = backward(params, X, labels, A1, probs)
        update_inplace(params, gradients, learning_rates[number])


def fetch(images: Any, y: Any, batch: Any) -> Any:
    """Return the pixels of a batch times 1/255, and its labels."""
    return images[batch] * SCALE, y[batch]


def forward(params: Any, X: Any) -> Any:
    """Return ``A1 = max(X W1 + b1, 0)`` and ``probs = softmax(A1 W2 + b2)``."""
    W1, b1, W2, b2 = params
    # Each line is a compiled loop, and in matrix products BLAS makes good use of the CPU's vector units and caches.
    # What remains of Python is about 30 calls per batch, a microsecond or more each, and a new array for each result.
    A1 = np.maximum(X @ W1 + b1, 0)
    logits = A1 @ W2 + b2
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    return A1, probs


def backward(params: Any, X: Any, labels: Any, A1: Any, probs: Any) -> Any:
    """Return the gradients of the mean cross-entropy, by the chain rule, from the output backwards."""
    _W1, _b1, W2, _b2 = params
    N = len(X)
    dlogits = probs
    dlogits[np.arange(N), labels] -= 1
    dlogits /= N
    dZ1 = (dlogits @ W2.T) * (A1 > 0)
    return X.T @ dZ1, dZ1.sum(axis=0), A1.T @ dlogits, dlogits.sum(axis=0)


def update_inplace(params: Any, gradients: Any, learning_rate: Any) -> None:
    """Take a step of gradient descent: ``w -= learning_rate g``."""
    for w, g in zip(params, gradients, strict=True):
        w -= learning_rate * g
