"""The update rules on ranges of flat arrays, eight elements at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnkernels.jit import device_function
from nnkernels.kernels import simd
from nnkernels.kernels.contract import MOMENTUM, SGD, UpdateRule
from nnkernels.kernels.simd import load, store, width, zeros
from nnkernels.parameters import FloatArray


@device_function
def sgd_step(w: FloatArray, g: FloatArray, start: int, end: int, step: np.float32) -> None:
    """Take a step of plain gradient descent on the elements ``start:end``. See ``numpy_kernels.sgd_update_inplace``.

    Parameters
    ----------
    w : ndarray of float32, shape (size,)
        Parameters, updated in place.
    g : ndarray of float32, shape (size,)
        Gradients.
    start, end : int
        The range, in multiples of eight.
    step : float32
        Learning rate.
    """
    zeros8 = zeros(8)
    for i in range(start, end, 8):
        store(w, i, load(w, i, zeros8) - step * load(g, i, zeros8))


@device_function
def moment_step(
    w: FloatArray,
    g: FloatArray,
    m: FloatArray,
    v: FloatArray,
    start: int,
    end: int,
    gradient_start: int,
    step: np.float32,
    decay: np.float32,
    rule: UpdateRule,
    zero: Any,
) -> None:
    """Take a step of any optimizer on the elements ``start:end``, and set the gradients to zero for the next batch.

    The formulas are those of ``numpy_kernels``, except that subnormal moments become 0. Pixels near the edge are rarely
    nonzero. In between, their moments would decay to subnormal numbers, whose arithmetic is slow on some CPUs.

    Parameters
    ----------
    w : ndarray of float32, shape (size,)
        Parameters, updated in place.
    g : ndarray of float32, shape (size,)
        Gradients, set to zero.
    m, v : ndarray of float32, shape (size,)
        First and second moments, updated in place. Momentum uses ``m`` as the velocity and ignores ``v``; plain
        gradient descent ignores both.
    start, end : int
        The range, in multiples of the width of ``zero``.
    gradient_start : int
        Index of the gradient of the element ``start``.
    step : float32
        Step size, which for Adam includes the bias correction (see ``contract.step_sizes``).
    decay : float32
        Factor of the parameters before the step (see ``contract.decay_factors``).
    rule : UpdateRule
        The optimizer.
    zero : Lanes
        Zeros, as wide as the vectors of the step.
    """
    lanes, offset = width(zero), gradient_start - start
    if rule.code == MOMENTUM:
        momentum = np.float32(rule.momentum)
        for i in range(start, end, lanes):
            velocity = simd.without_subnormals(momentum * load(m, i, zero) - step * load(g, i + offset, zero))
            store(m, i, velocity)
            store(w, i, load(w, i, zero) * decay + velocity)
            store(g, i + offset, zero)
    elif rule.code == SGD:
        for i in range(start, end, lanes):
            store(w, i, load(w, i, zero) * decay - step * load(g, i + offset, zero))
            store(g, i + offset, zero)
    else:
        rate_1, rate_2 = np.float32(1 - rule.beta_1), np.float32(1 - rule.beta_2)
        epsilon = np.float32(rule.epsilon)
        for i in range(start, end, lanes):
            gradient, mean, square = load(g, i + offset, zero), load(m, i, zero), load(v, i, zero)
            mean = simd.without_subnormals(mean + rate_1 * (gradient - mean))
            square = simd.without_subnormals(square + rate_2 * (gradient * gradient - square))
            store(m, i, mean)
            store(v, i, square)
            store(w, i, load(w, i, zero) * decay - step * mean / (simd.sqrt(square) + epsilon))
            store(g, i + offset, zero)
