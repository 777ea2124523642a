"""Numba with BLAS: matrix products in the library, everything else in compiled loops."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnkernels.jit import device_function, kernel

SCALE = np.float32(1 / 255)


@kernel
def train_inplace(params: Any, images: Any, y: Any, order: Any, learning_rates: Any, batch_size: int) -> None:
    """Train on consecutive batches; modifies ``params`` in place."""
    for number in range(len(learning_rates)):
        batch = order[number * batch_size : (number + 1) * batch_size]
        X, labels = fetch(images, y, batch)
        A1, probs = forward(params, X)
        gradients = backward(params, X, labels, A1, probs)
        update_inplace(params, gradients, learning_rates[number])


@device_function
def fetch(images: Any, y: Any, batch: Any) -> Any:
    """Return the pixels of a batch times 1/255, and its labels."""
    X = np.zeros((len(batch), images.shape[1]), np.float32)
    labels = np.zeros(len(batch), np.int64)
    for n in range(len(batch)):
        labels[n], image = y[batch[n]], images[batch[n]]
        for d in range(len(image)):
            X[n, d] = SCALE * np.float32(image[d])
    return X, labels


@device_function
def forward(params: Any, X: Any) -> Any:
    """Return ``A1 = max(X W1 + b1, 0)`` and ``probs = softmax(A1 W2 + b2)``."""
    W1, b1, W2, b2 = params
    N, H, C = len(X), len(b1), len(b2)
    # BLAS computes several elements of a row at a time, in vector registers, from blocks that stay in the cache.
    A1 = X @ W1
    for n in range(N):
        for h in range(H):
            A1[n, h] = max(A1[n, h] + b1[h], np.float32(0))
    probs = A1 @ W2
    for n in range(N):
        for c in range(C):
            probs[n, c] += b2[c]
        highest = probs[n, 0]
        for c in range(1, C):
            highest = max(highest, probs[n, c])
        total = np.float32(0)
        for c in range(C):
            probs[n, c] = np.exp(probs[n, c] - highest)
            total += probs[n, c]
        for c in range(C):
            probs[n, c] /= total
    return A1, probs


@device_function
def backward(params: Any, X: Any, labels: Any, A1: Any, probs: Any) -> Any:
    """Return the gradients of the mean cross-entropy, by the chain rule, from the output backwards."""
    _W1, b1, W2, b2 = params
    N, H, C = len(X), len(b1), len(b2)
    db1, db2 = np.zeros_like(b1), np.zeros_like(b2)
    for n in range(N):
        for c in range(C):
            dlogit = (probs[n, c] - np.float32(c == labels[n])) / np.float32(N)
            probs[n, c] = dlogit  # from here on, the gradient of the logits
            db2[c] += dlogit
    dW2 = A1.T @ probs
    dZ1 = probs @ W2.T
    for n in range(N):
        for h in range(H):
            dZ1[n, h] = dZ1[n, h] if A1[n, h] > 0 else np.float32(0)
            db1[h] += dZ1[n, h]
    dW1 = X.T @ dZ1
    return dW1, db1, dW2, db2


@device_function
def update_inplace(params: Any, gradients: Any, learning_rate: Any) -> None:
    """Take a step of gradient descent: ``w -= learning_rate g``."""
    W1, b1, W2, b2 = params
    dW1, db1, dW2, db2 = gradients
    for d in range(len(W1)):
        for h in range(len(b1)):
            W1[d, h] -= learning_rate * dW1[d, h]
    for h in range(len(b1)):
        b1[h] -= learning_rate * db1[h]
        for c in range(len(b2)):
            W2[h, c] -= learning_rate * dW2[h, c]
    for c in range(len(b2)):
        b2[c] -= learning_rate * db2[c]
