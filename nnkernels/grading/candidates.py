"""The arrays that each classic mistake, and each pair or three of them, would give: what yours is compared with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nnkernels.grading import mistakes as m
from nnkernels.grading.mistakes import Mistake
from nnkernels.grading.pieces import Pieces, sigmoid
from nnkernels.parameters import FloatArray

# More at once would explain too much.
MOST_MISTAKES = 3

Candidate = tuple[tuple[Mistake, ...], FloatArray]


def candidates(name: str, pieces: Pieces) -> Iterator[Candidate]:
    """Yield arrays for ``dW1``, ``db1``, ``dW2`` or ``db2``, each with the mistakes that lead to it.

    Sign and factor come on top of each: see :func:`wrong_factors`.
    """
    layer_input, not_transposed = (pieces.A1, m.A1_NOT_TRANSPOSED) if name == "dW2" else (pieces.X, m.X_NOT_TRANSPOSED)
    yield (m.ALL_ZERO,), np.zeros_like(pieces.params[("dW1", "db1", "dW2", "db2").index(name)])
    for slips, dlogits in _dlogits(pieces):
        arriving = [(slips, dlogits)] if name in ("dW2", "db2") else _through_hidden(pieces, slips, dlogits)
        for slips_so_far, gradient in arriving:
            if name in ("db1", "db2"):
                formed = list(_sums(gradient))
            else:
                formed = list(_products(layer_input, gradient, not_transposed))
                if name == "dW2":
                    formed.append(((m.Z1_FOR_A1,), pieces.Z1.T @ gradient))
            for last_slips, array in formed:
                if len(slips_so_far + last_slips) <= MOST_MISTAKES:
                    yield slips_so_far + last_slips, array


def wrong_factors(N: int, C: int) -> list[tuple[tuple[Mistake, ...], float]]:
    """Return what an array may be multiplied by, with the mistakes that lead to it; 1, with none, among them."""
    factors: list[tuple[tuple[Mistake, ...], float]] = [
        ((), 1),
        ((m.MISSING_1_N,), N),
        ((m.DIVIDED_TWICE,), 1 / N),
        ((m.DIVIDED_BY_CLASSES,), 1 / C),
        ((m.DOUBLED,), 2),
        ((m.HALVED,), 0.5),
    ]
    return factors + [((*mistakes, m.WRONG_SIGN), -factor) for mistakes, factor in factors]


def _dlogits(pieces: Pieces) -> list[Candidate]:
    found: list[Candidate] = [((), pieces.dlogits)]
    probs, y, N = pieces.probs, pieces.y, len(pieces.y)
    if not pieces.is_softmax_cross_entropy or probs is None:
        return found
    error = (probs - pieces.onehot) / N
    columns = probs.copy()
    columns[:, y] -= 1
    return [
        *found,
        ((m.JACOBIAN_TWICE,), probs * (error - (probs * error).sum(axis=1, keepdims=True))),
        ((m.JACOBIAN_DIAGONAL_TWICE,), probs * (1 - probs) * error),
        ((m.JACOBIAN_MISSING,), -pieces.onehot / probs / N),
        ((m.NO_ONEHOT,), probs / N),
        ((m.ONEHOT_EVERYWHERE,), columns / N),
        ((m.LABELS_NOT_ONEHOT,), (probs - y[:, np.newaxis]) / N),
        ((m.LOGITS_FOR_PROBS,), (pieces.logits - pieces.onehot) / N),
    ]


def _through_hidden(pieces: Pieces, slips: tuple[Mistake, ...], dlogits: FloatArray) -> Iterator[Candidate]:
    W2 = pieces.params.W2
    ways: list[Candidate] = [((), dlogits @ W2.T)]
    if W2.shape[0] == W2.shape[1]:
        ways += [((m.W2_NOT_TRANSPOSED,), dlogits @ W2), ((m.W2_LEFT_OUT,), dlogits)]
    for way_slips, dA1 in ways:
        for slope_slips, dZ1 in _through_activation(pieces, dA1):
            if len(slips + way_slips + slope_slips) <= MOST_MISTAKES:
                yield slips + way_slips + slope_slips, dZ1


def _through_activation(pieces: Pieces, dA1: FloatArray) -> list[Candidate]:
    Z1, A1, kind = pieces.Z1, pieces.A1, pieces.activation
    found: list[Candidate] = [
        ((), dA1 * pieces.slopes),
        ((m.NO_MASK if kind == "relu" else m.NO_SLOPE,), dA1),
        ((m.MASK_OF_GRADIENT,), dA1 * (dA1 > 0)),
        ((m.TIMES_A1,), dA1 * A1),
        ((m.TIMES_Z1,), dA1 * Z1),
    ]
    if kind == "relu":
        found.append(((m.MASK_INVERTED,), dA1 * (Z1 <= 0)))
    else:
        found.append(((m.MASK_WITHOUT_RELU,), dA1 * (Z1 > 0)))
    if kind == "tanh":
        found += [((m.SLOPE_AT_A1,), dA1 * (1 - np.tanh(A1) ** 2)), ((m.SLOPE_FORM_OF_Z1,), dA1 * (1 - Z1**2))]
    else:
        found.append(((m.SLOPE_OF_TANH,), dA1 * (1 - A1**2)))
    if kind == "sigmoid":
        again = sigmoid(A1)
        found += [((m.SLOPE_AT_A1,), dA1 * again * (1 - again)), ((m.SLOPE_FORM_OF_Z1,), dA1 * Z1 * (1 - Z1))]
    else:
        found.append(((m.SLOPE_OF_SIGMOID,), dA1 * A1 * (1 - A1)))
    return found


def _products(layer_input: FloatArray, gradient: FloatArray, not_transposed: Mistake) -> Iterator[Candidate]:
    yield (), layer_input.T @ gradient
    yield (m.RESULT_TRANSPOSED,), gradient.T @ layer_input
    yield (m.IMAGES_NOT_SUMMED,), layer_input[:, :, np.newaxis] * gradient[:, np.newaxis, :]
    yield (m.LAST_IMAGE_ONLY,), np.outer(layer_input[-1], gradient[-1])
    yield (m.FIRST_IMAGE_ONLY,), np.outer(layer_input[0], gradient[0])
    if layer_input.shape[1] == gradient.shape[0]:
        yield (not_transposed,), layer_input @ gradient


def _sums(gradient: FloatArray) -> Iterator[Candidate]:
    total = gradient.sum()
    yield (), gradient.sum(axis=0)
    yield (m.NOT_SUMMED,), gradient
    yield (m.WRONG_AXIS,), gradient.sum(axis=1)
    for shape in ((), (1,), (1, 1), (gradient.shape[1],)):
        yield (m.SUMMED_OVER_ALL,), np.full(shape, total)
    yield (m.KEPT_DIMENSION,), gradient.sum(axis=0, keepdims=True)
    yield (m.KEPT_DIMENSION,), gradient.sum(axis=0, keepdims=True).T
    yield (m.LAST_IMAGE_ONLY,), gradient[-1]
    yield (m.FIRST_IMAGE_ONLY,), gradient[0]
