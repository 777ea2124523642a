"""Threads: the images of a batch are divided among them, and then the weights to update."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from nnkernels.jit import device_function, kernel
from nnkernels.kernels.simd import load, relu, store, zeros
from nnkernels.steps._lists import pack_images as pack_images
from nnkernels.steps._output_layer import CLASS_LANES, LANES, output_layer, pad, unpad, update_output_layer
from nnkernels.team import barrier_wait, partition, run_together

SCALE = np.float32(1 / 255)


def train_inplace(params: Any, images: Any, y: Any, order: Any, learning_rates: Any, batch_size: int) -> None:
    """Train on consecutive batches; modifies ``params`` in place."""
    padded = pad(params)
    W1, b1, W2, b2 = padded
    values, pixels, starts = images
    A1, dZ1 = np.zeros(batch_size * LANES, np.float32), np.zeros(batch_size * LANES, np.float32)
    dlogits = np.zeros(batch_size * CLASS_LANES, np.float32)
    arrays = (A1, dZ1, dlogits, W1.ravel(), b1, W2.ravel(), b2, values, pixels, starts, y, order, learning_rates)
    run_together(_train, numba.get_num_threads(), *arrays, batch_size)
    unpad(padded, params)


@kernel
def _train(
    thread: int,
    threads: int,
    barrier: Any,
    A1: Any,
    dZ1: Any,
    dlogits: Any,
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
    first_pixel, last_pixel = partition(len(W1) // LANES, thread, threads)
    phase = 0
    for number in range(len(learning_rates)):
        batch = order[number * batch_size : (number + 1) * batch_size]
        N = len(batch)
        step = learning_rates[number] / np.float32(N)
        first, last = partition(N, thread, threads)
        first_layer(W1, b1, values, pixels, starts, batch, first, last, A1)
        output_layer(W2, b2, y, batch, first, last, A1, dlogits, dZ1)
        # Weights must not change while another thread still reads them, and all gradients of the batch must be complete
        # before the first is used. So the threads wait for each other twice per batch, that is in about 15 us of work.
        phase = barrier_wait(barrier, threads, phase)
        if thread == 0:
            update_output_layer(b1, W2, b2, A1, dlogits, dZ1, N, step)
        update_first_layer(W1, values, pixels, starts, batch, first_pixel, last_pixel, dZ1, step)
        phase = barrier_wait(barrier, threads, phase)


@device_function
def first_layer(
    W1: Any, b1: Any, values: Any, pixels: Any, starts: Any, batch: Any, first: int, last: int, A1: Any
) -> None:
    """``A1 = max(X W1 + b1, 0)``."""
    for n in range(first, last):
        # In nonzero_lists, the sums of an image are loaded and stored for each pixel. These stay in registers until the
        # last pixel. Two sets of sums alternate, because an addition waits four cycles for the previous one's result.
        row = zeros(LANES)
        even, odd = row, row
        for k in range(starts[batch[n]], starts[batch[n] + 1], 2):
            even += np.float32(values[k]) * load(W1, np.intp(pixels[k]) * LANES, row)
            odd += np.float32(values[k + 1]) * load(W1, np.intp(pixels[k + 1]) * LANES, row)
        store(A1, n * LANES, relu(SCALE * (even + odd) + load(b1, 0, row)))


@device_function
def update_first_layer(
    W1: Any, values: Any, pixels: Any, starts: Any, batch: Any, first: int, last: int, dZ1: Any, step: Any
) -> None:
    """``W1 -= step X^T dZ1``: the weights of zero pixels do not change."""
    for n in range(len(batch)):
        gradient = step * SCALE * load(dZ1, n * LANES, zeros(LANES))
        for k in range(starts[batch[n]], starts[batch[n] + 1]):
            if pixels[k] < first:  # weights of an earlier thread
                continue
            if pixels[k] >= last:
                break
            w = np.intp(pixels[k]) * LANES
            store(W1, w, load(W1, w, gradient) - np.float32(values[k]) * gradient)
