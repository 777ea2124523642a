"""The output layer of all fused steps, and its part of the update, in vectors with one lane per class.

All fused steps share it, so their speed-ups come from the first layer, which has 98 % of the weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nnkernels.jit import device_function
from nnkernels.kernels.simd import exp_nonpositive, highest, load, store, total, zeros
from nnkernels.parameters import Parameters

# Multiples of eight, the length of a vector. They are constants, because the compiler has to know how many registers a
# row takes.
LANES = 24
CLASS_LANES = 16


def pad(params: Any) -> Any:
    """Return copies of the parameters, padded to LANES hidden units and CLASS_LANES classes. Padding never changes."""
    H, C = params.W2.shape
    W1 = np.pad(params.W1, ((0, 0), (0, LANES - H)))
    b1 = np.pad(params.b1, (0, LANES - H))
    W2 = np.pad(params.W2, ((0, LANES - H), (0, CLASS_LANES - C)))
    b2 = np.pad(params.b2, (0, CLASS_LANES - C), constant_values=-np.inf)  # the exponential of -inf is 0
    return Parameters(W1, b1, W2, b2)


def unpad(padded: Any, params: Any) -> None:
    """Copy the parameters that :func:`pad` returned back into ``params``."""
    H, C = params.W2.shape
    params.W1[:], params.b1[:] = padded.W1[:, :H], padded.b1[:H]
    params.W2[:], params.b2[:] = padded.W2[:H, :C], padded.b2[:C]


@device_function
def output_layer(W2: Any, b2: Any, y: Any, batch: Any, first: int, last: int, A1: Any, dlogits: Any, dZ1: Any) -> None:
    """``dlogits = softmax(A1 W2 + b2) - onehot(y)`` and ``dZ1 = (dlogits W2^T) * [A1 > 0]``."""
    row = zeros(CLASS_LANES)
    for n in range(first, last):
        logits = load(b2, 0, row)
        for h in range(LANES):
            logits += A1[n * LANES + h] * load(W2, h * CLASS_LANES, row)
        exponentials = exp_nonpositive(logits - highest(logits))
        store(dlogits, n * CLASS_LANES, exponentials / total(exponentials))
        dlogits[n * CLASS_LANES + y[batch[n]]] -= np.float32(1)
        gradient = load(dlogits, n * CLASS_LANES, row)
        for h in range(LANES):
            dZ1[n * LANES + h] = np.float32(0)
            if A1[n * LANES + h] > 0:
                dZ1[n * LANES + h] = total(gradient * load(W2, h * CLASS_LANES, row))


@device_function
def update_output_layer(b1: Any, W2: Any, b2: Any, A1: Any, dlogits: Any, dZ1: Any, N: int, step: Any) -> None:
    """Update all parameters except W1 with the gradients of a batch."""
    for h in range(LANES):
        weights = load(W2, h * CLASS_LANES, zeros(CLASS_LANES))
        for n in range(N):
            weights = weights - step * A1[n * LANES + h] * load(dlogits, n * CLASS_LANES, weights)
        store(W2, h * CLASS_LANES, weights)
    hidden, outputs = load(b1, 0, zeros(LANES)), load(b2, 0, zeros(CLASS_LANES))
    for n in range(N):
        hidden = hidden - step * load(dZ1, n * LANES, hidden)
        outputs = outputs - step * load(dlogits, n * CLASS_LANES, outputs)
    store(b1, 0, hidden)
    store(b2, 0, outputs)
