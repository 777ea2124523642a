"""Fused: forward, backward and update of a batch in one function, without storing the gradient of W1.

BLAS is hard to beat at dense products, so this step may gain nothing by itself. But loops inside a library cannot be
changed; the next steps improve these.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nnkernels.jit import device_function, kernel
from nnkernels.steps._output_layer import CLASS_LANES, LANES, output_layer, pad, unpad, update_output_layer

SCALE = np.float32(1 / 255)


def train_inplace(params: Any, images: Any, y: Any, order: Any, learning_rates: Any, batch_size: int) -> None:
    """Train on consecutive batches; modifies ``params`` in place."""
    padded = pad(params)
    W1, b1, W2, b2 = padded
    W1T = np.ascontiguousarray(W1[:, : len(params.b1)].T)  # one row per hidden unit, so pixels are contiguous
    _train(W1T, b1, W2.ravel(), b2, images, y, order, learning_rates, batch_size)
    W1[:, : len(params.b1)] = W1T.T
    unpad(padded, params)


@kernel
def _train(
    W1T: Any, b1: Any, W2: Any, b2: Any, images: Any, y: Any, order: Any, learning_rates: Any, batch_size: int
) -> None:
    rows = (batch_size + 3) // 4 * 4
    X = np.zeros((rows, images.shape[1]), np.float32)
    A1, dZ1 = np.zeros(rows * LANES, np.float32), np.zeros(rows * LANES, np.float32)
    dlogits = np.zeros(rows * CLASS_LANES, np.float32)
    for number in range(len(learning_rates)):
        batch = order[number * batch_size : (number + 1) * batch_size]
        N = len(batch)
        step = learning_rates[number] / np.float32(N)
        fetch(images, batch, X, dZ1)
        first_layer(W1T, b1, X, N, A1)
        output_layer(W2, b2, y, batch, 0, N, A1, dlogits, dZ1)
        update_output_layer(b1, W2, b2, A1, dlogits, dZ1, N, step)
        update_first_layer(W1T, X, N, dZ1, step)


@device_function
def fetch(images: Any, batch: Any, X: Any, dZ1: Any) -> None:
    """``X = images[batch] * scale``; unused rows of a short batch get the gradient 0."""
    for n in range(len(batch)):
        image = images[batch[n]]
        for d in range(len(image)):
            X[n, d] = SCALE * np.float32(image[d])
    for n in range(len(batch), len(X)):
        for h in range(LANES):
            dZ1[n * LANES + h] = 0


@device_function
def first_layer(W1T: Any, b1: Any, X: Any, N: int, A1: Any) -> None:
    """``A1 = max(X W1 + b1, 0)``."""
    for n in range(0, N, 4):
        for h in range(len(W1T)):
            z0, z1, z2, z3 = b1[h], b1[h], b1[h], b1[h]
            # Each weight is loaded once for four images. The compiler may reorder the sums (``reassoc``), and
            # consecutive d are contiguous in memory, so it vectorises this loop.
            for d in range(X.shape[1]):
                w = W1T[h, d]
                z0 += X[n, d] * w
                z1 += X[n + 1, d] * w
                z2 += X[n + 2, d] * w
                z3 += X[n + 3, d] * w
            a = n * LANES + h
            A1[a], A1[a + LANES] = max(z0, np.float32(0)), max(z1, np.float32(0))
            A1[a + 2 * LANES], A1[a + 3 * LANES] = max(z2, np.float32(0)), max(z3, np.float32(0))


@device_function
def update_first_layer(W1T: Any, X: Any, N: int, dZ1: Any, step: Any) -> None:
    """``W1 -= step X^T dZ1``: the gradient is subtracted from the weights directly, without being stored."""
    for n in range(0, N, 4):
        for h in range(len(W1T)):
            a = n * LANES + h
            g0, g1 = step * dZ1[a], step * dZ1[a + LANES]
            g2, g3 = step * dZ1[a + 2 * LANES], step * dZ1[a + 3 * LANES]
            for d in range(X.shape[1]):
                W1T[h, d] -= (g0 * X[n, d] + g1 * X[n + 1, d]) + (g2 * X[n + 2, d] + g3 * X[n + 3, d])
