"""Loops in Python: the formulas written out, one number at a time."""

from __future__ import annotations

import math
from typing import Any


def train_inplace(params: Any, images: Any, y: Any, order: Any, learning_rates: Any, batch_size: int) -> None:
    """Train on consecutive batches; modifies ``params`` in place."""
    # Python reads elements of lists faster than elements of arrays. Python's numbers are float64.
    weights = [array.tolist() for array in params]
    for number in range(len(learning_rates)):
        batch = order[number * batch_size : (number + 1) * batch_size].tolist()
        X, labels = fetch(images, y, batch)
        A1, probs = forward(weights, X)
        gradients = backward(weights, X, labels, A1, probs)
        update_inplace(weights, gradients, float(learning_rates[number]))
    for array, trained in zip(params, weights, strict=True):
        array[:] = trained


def fetch(images: Any, y: Any, batch: Any) -> Any:
    """Return the pixels of a batch times 1/255, and its labels."""
    X = [[pixel / 255 for pixel in images[row].tolist()] for row in batch]
    labels = [int(y[row]) for row in batch]
    return X, labels


def forward(weights: Any, X: Any) -> Any:
    """Return ``A1 = max(X W1 + b1, 0)`` and ``probs = softmax(A1 W2 + b2)``."""
    W1, b1, W2, b2 = weights
    N, D, H, C = len(X), len(W1), len(b1), len(b2)
    A1 = [[0.0] * H for _ in range(N)]
    probs = [[0.0] * C for _ in range(N)]
    for n in range(N):
        for h in range(H):
            total = b1[h]
            # 15,680 iterations per image, about 0.1 us each: the interpreter looks up names and types, and creates an
            # object for each result. The multiplication itself takes less than 1 ns.
            for d in range(D):
                total += X[n][d] * W1[d][h]
            A1[n][h] = max(total, 0.0)
        for c in range(C):
            total = b2[c]
            for h in range(H):
                total += A1[n][h] * W2[h][c]
            probs[n][c] = total
        highest, total = max(probs[n]), 0.0
        for c in range(C):
            probs[n][c] = math.exp(probs[n][c] - highest)
            total += probs[n][c]
        for c in range(C):
            probs[n][c] /= total
    return A1, probs


def backward(weights: Any, X: Any, labels: Any, A1: Any, probs: Any) -> Any:
    """Return the gradients of the mean cross-entropy, by the chain rule, from the output backwards."""
    W1, b1, W2, b2 = weights
    N, D, H, C = len(X), len(W1), len(b1), len(b2)
    dW1, db1 = [[0.0] * H for _ in range(D)], [0.0] * H
    dW2, db2 = [[0.0] * C for _ in range(H)], [0.0] * C
    for n in range(N):
        for c in range(C):
            dlogit = (probs[n][c] - (c == labels[n])) / N
            probs[n][c] = dlogit  # from here on, the gradient of the logits
            db2[c] += dlogit
            for h in range(H):
                dW2[h][c] += A1[n][h] * dlogit
        for h in range(H):
            if A1[n][h] > 0:
                total = 0.0
                for c in range(C):
                    total += probs[n][c] * W2[h][c]
                db1[h] += total
                for d in range(D):
                    dW1[d][h] += X[n][d] * total
    return dW1, db1, dW2, db2


def update_inplace(weights: Any, gradients: Any, learning_rate: float) -> None:
    """Take a step of gradient descent: ``w -= learning_rate g``."""
    W1, b1, W2, b2 = weights
    dW1, db1, dW2, db2 = gradients
    for d in range(len(W1)):
        for h in range(len(b1)):
            W1[d][h] -= learning_rate * dW1[d][h]
    for h in range(len(b1)):
        b1[h] -= learning_rate * db1[h]
        for c in range(len(b2)):
            W2[h][c] -= learning_rate * dW2[h][c]
    for c in range(len(b2)):
        b2[c] -= learning_rate * db2[c]
