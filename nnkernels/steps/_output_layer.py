"""What the fused steps share: the output layer of a batch, and its part of the update."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnkernels.jit import part


@part
def output_layer(W2: Any, b2: Any, y: Any, batch: Any, A1: Any, dlogits: Any, dZ1: Any) -> None:
    """``dlogits = softmax(A1 W2 + b2) - onehot(y)`` and ``dZ1 = (dlogits W2^T) * [A1 > 0]`` of images of a batch."""
    H, C = W2.shape
    for n in range(len(batch)):
        for c in range(C):
            dlogits[n, c] = b2[c]
        for h in range(H):
            for c in range(C):
                dlogits[n, c] += A1[n, h] * W2[h, c]
        highest, total = dlogits[n, 0], np.float32(0)
        for c in range(C):
            highest = max(highest, dlogits[n, c])
        for c in range(C):
            dlogits[n, c] = np.exp(dlogits[n, c] - highest)
            total += dlogits[n, c]
        for c in range(C):
            dlogits[n, c] /= total
        dlogits[n, y[batch[n]]] -= np.float32(1)
        for h in range(H):
            gradient = np.float32(0)
            for c in range(C):
                gradient += dlogits[n, c] * W2[h, c]
            dZ1[n, h] = gradient if A1[n, h] > 0 else np.float32(0)


@part
def update_output_layer(b1: Any, W2: Any, b2: Any, A1: Any, dlogits: Any, dZ1: Any, N: int, step: Any) -> None:
    """Take a batch's step on all parameters but W1."""
    H, C = W2.shape
    for n in range(N):
        for h in range(H):
            b1[h] -= step * dZ1[n, h]
            for c in range(C):
                W2[h, c] -= step * A1[n, h] * dlogits[n, c]
        for c in range(C):
            b2[c] -= step * dlogits[n, c]
