"""The steps of the right backward pass, found numerically, so that they fit any activation function and any loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nnkernels.grading.measured import Functions, Measured
from nnkernels.grading.numerical import differentiate, slope
from nnkernels.grading.report import SMALLEST_SCALE
from nnkernels.parameters import FloatArray, Parameters

# What is equal to this, relative to the largest entry, is taken for the same array. The numerical derivatives have
# errors of 1e-11; a backward pass in float32 has errors of 1e-7.
SAME = 2e-6


@dataclass(frozen=True)
class Pieces:
    """What a right backward pass goes through, for a network ``X W1 + b1 -> f -> A1 W2 + b2 -> loss``.

    Attributes
    ----------
    params, X, y : Parameters, ndarray, ndarray
    Z1, A1, logits, probs : ndarray
        As forward returned them; probs is None where it has not the shape of the logits.
    dlogits : ndarray, shape (N, C)
        Derivative of the loss in the logits, numerical.
    slopes : ndarray, shape (N, H)
        Derivative of A1 in Z1, numerical.
    is_softmax_cross_entropy : bool
        Whether dlogits is ``(probs - onehot(y)) / N``.
    activation : str
        ``relu``, ``tanh``, ``sigmoid``, or empty for another one.
    """

    params: Parameters
    X: FloatArray
    y: npt.NDArray[np.int64]
    Z1: FloatArray
    A1: FloatArray
    logits: FloatArray
    probs: FloatArray | None
    dlogits: FloatArray
    slopes: FloatArray
    is_softmax_cross_entropy: bool
    activation: str

    @property
    def onehot(self) -> FloatArray:
        """The labels as rows, shape (N, C)."""
        rows = np.zeros(self.logits.shape)
        rows[np.arange(len(self.y)), self.y] = 1
        return rows


def take_apart(functions: Functions, measured: Measured) -> Pieces | None:
    """Return the steps, or None where the network is built otherwise and they would not give its gradient."""
    params, X, y = measured.problem
    N, H, C = len(X), len(params.b1), len(params.b2)
    found = [_floats(getattr(measured.activations, field, None)) for field in ("Z1", "A1", "logits", "probs")]
    Z1, A1, logits, probs = found
    if Z1 is None or A1 is None or logits is None or Z1.shape != (N, H) or A1.shape != (N, H):
        return None
    if probs is not None and probs.shape != (N, C):
        probs = None
    moving = logits.copy()
    dlogits = differentiate(lambda: float(functions.loss(moving, y)), moving).values

    def hidden(by: float) -> FloatArray:
        # b1 moves every Z1 of its column by as much, and so the columns of A1 by f'.
        moved = params._replace(b1=params.b1 + by)
        return np.asarray(functions.forward(moved, X).A1, np.float64)

    with np.errstate(all="ignore"):
        slopes, _difference = slope(hidden)
    dZ1 = (dlogits @ params.W2.T) * slopes
    rebuilt = Parameters(X.T @ dZ1, dZ1.sum(axis=0), A1.T @ dlogits, dlogits.sum(axis=0))
    if not all(same(mine, true) for mine, true in zip(rebuilt, measured.gradient, strict=True)):
        return None
    pieces = Pieces(params, X, y, Z1, A1, logits, probs, dlogits, slopes, False, _activation(Z1, A1))
    softmax = probs is not None and same((probs - pieces.onehot) / N, dlogits)
    return Pieces(params, X, y, Z1, A1, logits, probs, dlogits, slopes, softmax, pieces.activation)


def same(left: FloatArray, right: FloatArray) -> bool:
    """Tell whether two arrays have one shape and, to a millionth of the largest entry, one content."""
    if left.shape != right.shape:
        return False
    scale = max(float(np.max(np.abs(right), initial=0.0)), SMALLEST_SCALE)
    return bool(np.all(np.abs(left - right) <= SAME * scale))


def sigmoid(values: FloatArray) -> FloatArray:
    """Return the logistic function, written so that it cannot overflow."""
    halved: FloatArray = (1 + np.tanh(values / 2)) / 2
    return halved


def _activation(Z1: FloatArray, A1: FloatArray) -> str:
    known = {"relu": np.maximum(Z1, 0), "tanh": np.tanh(Z1), "sigmoid": sigmoid(Z1)}
    return next((name for name, values in known.items() if same(values, A1)), "")


def _floats(value: object) -> FloatArray | None:
    try:
        return np.asarray(value, np.float64)
    except (TypeError, ValueError):
        return None
