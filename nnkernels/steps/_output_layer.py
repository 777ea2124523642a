"""What the fused steps share: the output layer of a batch, and its part of the update, image by image."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnkernels.jit import part


@part
def output_layer(W2: Any, b2: Any, y: Any, batch: Any, A1: Any, dlogits: Any, dZ1: Any) -> None:
    """``dlogits = softmax(A1 W2 + b2) - onehot(y)`` and ``dZ1 = (dlogits W2^T) * [A1 > 0]``."""
    for n in range(len(batch)):
        _of_image(W2, b2, y[batch[n]], A1[n], dlogits[n], dZ1[n])


@part
def update_output_layer(b1: Any, W2: Any, b2: Any, A1: Any, dlogits: Any, dZ1: Any, N: int, step: Any) -> None:
    """Take a batch's step on all parameters but W1."""
    for n in range(N):
        _update_by_image(b1, W2, b2, A1[n], dlogits[n], dZ1[n], step)


@part
def _of_image(W2: Any, b2: Any, label: int, A1: Any, dlogits: Any, dZ1: Any) -> None:
    for c in range(len(b2)):
        dlogits[c] = b2[c]
    for h in range(len(W2)):
        for c in range(len(b2)):
            dlogits[c] += A1[h] * W2[h, c]
    highest, total = dlogits[0], np.float32(0)
    for c in range(len(b2)):
        highest = max(highest, dlogits[c])
    for c in range(len(b2)):
        dlogits[c] = np.exp(dlogits[c] - highest)
        total += dlogits[c]
    for c in range(len(b2)):
        dlogits[c] /= total
    dlogits[label] -= np.float32(1)
    for h in range(len(W2)):
        gradient = np.float32(0)
        for c in range(len(b2)):
            gradient += dlogits[c] * W2[h, c]
        dZ1[h] = gradient if A1[h] > 0 else np.float32(0)


@part
def _update_by_image(b1: Any, W2: Any, b2: Any, A1: Any, dlogits: Any, dZ1: Any, step: Any) -> None:
    for h in range(len(W2)):
        b1[h] -= step * dZ1[h]
        for c in range(len(b2)):
            W2[h, c] -= step * A1[h] * dlogits[c]
    for c in range(len(b2)):
        b2[c] -= step * dlogits[c]
