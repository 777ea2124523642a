"""The update rules on parts of flat arrays, in vector lanes."""

from __future__ import annotations

import numpy as np

from nnkernels.jit import part
from nnkernels.kernels import simd
from nnkernels.kernels.contract import MOMENTUM, UpdateRule
from nnkernels.kernels.simd import load, store, zeros
from nnkernels.parameters import FloatArray


@part
def descend(w: FloatArray, g: FloatArray, start: int, end: int, step: np.float32) -> None:
    """Take a step of plain gradient descent on ``start:end`` of flat arrays."""
    eight = zeros(8)
    for i in range(start, end, 8):
        store(w, i, load(w, i, eight) - step * load(g, i, eight))


@part
def update(
    w: FloatArray,
    g: FloatArray,
    m: FloatArray,
    v: FloatArray,
    start: int,
    end: int,
    step: np.float32,
    rule: UpdateRule,
) -> None:
    """Take a step of a rule with moments on ``start:end`` of flat arrays; set the gradient to zero for the next batch.

    Moments that sink below the normal numbers become 0: pixels at the edge are seldom inked, and between two
    occasions their moments would shrink into the subnormals, whose arithmetic is slow on some CPUs.
    """
    eight = zeros(8)
    if rule.code == MOMENTUM:
        momentum = np.float32(rule.momentum)
        for i in range(start, end, 8):
            velocity = simd.without_subnormals(momentum * load(m, i, eight) - step * load(g, i, eight))
            store(m, i, velocity)
            store(w, i, load(w, i, eight) + velocity)
            store(g, i, eight)
    else:
        rate_1, rate_2 = np.float32(1 - rule.beta_1), np.float32(1 - rule.beta_2)
        epsilon = np.float32(rule.epsilon)
        for i in range(start, end, 8):
            gradient, mean, square = load(g, i, eight), load(m, i, eight), load(v, i, eight)
            mean = simd.without_subnormals(mean + rate_1 * (gradient - mean))
            square = simd.without_subnormals(square + rate_2 * (gradient * gradient - square))
            store(m, i, mean)
            store(v, i, square)
            store(w, i, load(w, i, eight) - step * mean / (simd.sqrt(square) + epsilon))
            store(g, i, eight)
