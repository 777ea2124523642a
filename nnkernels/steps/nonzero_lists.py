"""Lists of nonzero pixels: the first layer visits about 150 of 784 pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnkernels.jit import device_function, kernel
from nnkernels.steps._lists import pack_images as pack_images
from nnkernels.steps._output_layer import CLASS_LANES, LANES, output_layer, pad, unpad, update_output_layer

SCALE = np.float32(1 / 255)


def train_inplace(params: Any, images: Any, y: Any, order: Any, learning_rates: Any, batch_size: int) -> None:
    """Train on consecutive batches; modifies ``params`` in place."""
    padded = pad(params)
    W1, b1, W2, b2 = padded
    values, pixels, starts = images
    _train(W1, b1, W2.ravel(), b2, values, pixels, starts, y, order, learning_rates, batch_size)
    unpad(padded, params)


@kernel
def _train(
    W1: Any,
    b1: Any,
    W2: Any,
    b2: Any,
    values: Any,
    pixels: Any,
    starts: Any,
    y: Any,
    order: Any,
    learning_rates: Any,
    batch_size: int,
) -> None:
    A1 = np.zeros(batch_size * LANES, np.float32)
    dZ1 = np.zeros(batch_size * LANES, np.float32)
    dlogits = np.zeros(batch_size * CLASS_LANES, np.float32)
    for number in range(len(learning_rates)):
        batch = order[number * batch_size : (number + 1) * batch_size]
        N = len(batch)
        step = learning_rates[number] / np.float32(N)
        first_layer(W1, b1, values, pixels, starts, batch, A1)
        output_layer(W2, b2, y, batch, 0, N, A1, dlogits, dZ1)
        update_output_layer(b1, W2, b2, A1, dlogits, dZ1, N, step)
        update_first_layer(W1, values, pixels, starts, batch, dZ1, step)


@device_function
def first_layer(W1: Any, b1: Any, values: Any, pixels: Any, starts: Any, batch: Any, A1: Any) -> None:
    """``A1 = max(X W1 + b1, 0)``."""
    for n in range(len(batch)):
        sums = A1[n * W1.shape[1] : (n + 1) * W1.shape[1]]
        for h in range(len(sums)):
            sums[h] = 0
        # Zero pixels add nothing to the sums, so the lists leave them out: four out of five pixels.
        for k in range(starts[batch[n]], starts[batch[n] + 1]):
            x, d = np.float32(values[k]), pixels[k]
            for h in range(len(sums)):
                sums[h] += x * W1[d, h]
        for h in range(len(sums)):
            sums[h] = max(SCALE * sums[h] + b1[h], np.float32(0))


@device_function
def update_first_layer(W1: Any, values: Any, pixels: Any, starts: Any, batch: Any, dZ1: Any, step: Any) -> None:
    """``W1 -= step X^T dZ1``: the weights of zero pixels do not change."""
    for n in range(len(batch)):
        gradient = dZ1[n * W1.shape[1] : (n + 1) * W1.shape[1]]
        for k in range(starts[batch[n]], starts[batch[n] + 1]):
            x, d = step * SCALE * np.float32(values[k]), pixels[k]
            for h in range(len(gradient)):
                W1[d, h] -= x * gradient[h]
