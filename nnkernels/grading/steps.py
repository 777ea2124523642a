"""The steps of the right backward pass, found numerically, so that they fit any activation function and any loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from nnkernels.grading.answers import NAMES
from nnkernels.grading.measured import Functions, Measured
from nnkernels.grading.mistakes import answer, exercise, same
from nnkernels.grading.numerical import differentiate, slope
from nnkernels.parameters import FloatArray

# The numerical derivatives have errors of 1e-11; a backward pass in float32 has errors of 1e-7.
SAME = 2e-6
BACKWARD = exercise("backward")


class Activation(NamedTuple):
    """An activation function, its derivative in terms of its output, and the code of that."""

    function: Callable[[FloatArray], FloatArray]
    slope_of: Callable[[FloatArray], Any]
    code: str


RELU = Activation(lambda Z1: np.maximum(Z1, 0), lambda A1: A1 > 0, "(Z1 > 0)")
TANH = Activation(np.tanh, lambda A1: 1 - A1**2, "(1 - A1**2)")
SIGMOID = Activation(lambda Z1: (1 + np.tanh(Z1 / 2)) / 2, lambda A1: A1 * (1 - A1), "A1 * (1 - A1)")
ANOTHER = Activation(lambda Z1: Z1 * np.nan, lambda A1: A1 * np.nan, "f'(Z1)")


def right_steps(functions: Functions, measured: Measured) -> dict[str, Any] | None:
    """Return what the lines of the backward pass read, by name, in ``X W1 + b1 -> f -> A1 W2 + b2 -> loss``.

    Returns
    -------
    dict or None
        ``dlogits`` (the numerical derivative of the loss), ``slopes`` (that of A1 by Z1), ``softmax`` (whether dlogits
        is ``(probs - onehot) / N``), ``relu``, and more. None for a network that is built otherwise, whose gradient
        these steps do not give.
    """
    params, X, y = measured.problem
    N, H, C = len(X), len(params.b1), len(params.b2)
    Z1, A1 = (_floats(measured.activations, name, (N, H)) for name in ("Z1", "A1"))
    logits, probs = (_floats(measured.activations, name, (N, C)) for name in ("logits", "probs"))
    if Z1 is None or A1 is None or logits is None:
        return None
    onehot = np.eye(C)[y]
    moving = logits.copy()
    dlogits, _roughness = differentiate(lambda: float(functions.loss(moving, y)), moving)

    def hidden(by: float) -> FloatArray:
        # b1 moves every Z1 of its column by as much, and so the columns of A1 by f'.
        return np.asarray(functions.forward(params._replace(b1=params.b1 + by), X).A1, np.float64)

    with np.errstate(all="ignore"):
        slopes, _difference = slope(hidden)
    known = (one for one in (RELU, TANH, SIGMOID) if same(A1, one.function(Z1), SAME))
    activation = next(known, ANOTHER)
    steps = {"X": X, "y": y, "N": N, "C": C, "W2": params.W2, "onehot": onehot, "Z1": Z1, "A1": A1, "logits": logits}
    steps |= {"probs": probs, "dlogits": dlogits, "slopes": slopes, "relu": activation is RELU, **activation._asdict()}
    steps["softmax"] = probs is not None and same((probs - onehot) / N, dlogits, SAME)
    rebuilt = (answer(BACKWARD.right[name][0], steps) for name in NAMES)
    return steps if all(same(*pair, SAME) for pair in zip(rebuilt, measured.gradient, strict=True)) else None


def _floats(activations: object, name: str, shape: tuple[int, ...]) -> FloatArray | None:
    try:
        array = np.asarray(getattr(activations, name, None), np.float64)
    except (TypeError, ValueError):
        return None
    return array if array.shape == shape else None
