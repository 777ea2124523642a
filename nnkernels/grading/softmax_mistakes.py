"""What a softmax with a classic mistake computes: to compare somebody's softmax with."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from nnkernels.parameters import FloatArray


class Mistake(NamedTuple):
    """A mistake in a softmax: its name, and why it is one."""

    name: str
    explanation: str


OVERFLOW = Mistake(
    "overflow",
    "exp overflows from a logit of 710 on (of 89 in float32), and inf / inf is NaN; where all are very negative, it is "
    "0 / 0. Subtract the row maximum first: the probabilities are the same, and no exponential is larger than 1.",
)
WHOLE_MAXIMUM = Mistake(
    "maximum of the whole array rather than of the row",
    "One large logit anywhere makes all exponentials of another row zero, and 0 / 0 is NaN. Each row has to be shifted "
    "by its own maximum.",
)
COLUMN_MAXIMUM = Mistake(
    "maximum of the column rather than of the row",
    "A shift changes nothing only if it is the same for all logits of a row; the maxima of the columns (axis=0) differ "
    "along a row.",
)
SHIFT_WITHOUT_KEEPDIMS = Mistake(
    "maximum without keepdims",
    "logits.max(axis=1) has shape (N,), which NumPy lines up with the columns: an error, or, if N = C, the maximum of "
    "another row.",
)
SHIFT_ABOVE_ALONE = Mistake(
    "maximum subtracted above the line only",
    "The exponentials are of the shifted logits, but the sum that divides them is not. Take the sum of the same "
    "exponentials.",
)
WRONG_AXIS = Mistake(
    "normalised over the wrong axis",
    "The columns sum to 1 (axis=0, over the images), where each row has to (axis=1, over the classes of one image).",
)
WHOLE_SUM = Mistake(
    "normalised over the whole array",
    "All entries together sum to 1, as of a sum without an axis; each row has to by itself.",
)
SUM_WITHOUT_KEEPDIMS = Mistake(
    "sum without keepdims",
    "The sum over axis 1 has shape (N,), which NumPy lines up with the columns: an error, or, if N = C, division by "
    "the sum of another row. Keep it as a column (N, 1).",
)
CUT_OFF = Mistake(
    "wrong for large logits",
    "Ordinary logits are right and large ones wrong. Cutting them off, say, makes equal what is not. Only the "
    "differences within a row count: subtract the row maximum, and nothing is lost.",
)
NOT_NORMALISED = Mistake(
    "rows do not sum to 1",
    "The exponentials were not divided by their sum over the row.",
)
LOGARITHM = Mistake("logarithm of softmax", "These are the logarithms of the probabilities (log-softmax).")
SIGMOID = Mistake(
    "sigmoid instead of softmax",
    "Each logit was taken by itself, 1 / (1 + exp(-logit)), so that the rows do not sum to 1. Softmax weighs the "
    "classes of a row against each other.",
)
HARD_MAXIMUM = Mistake(
    "argmax instead of softmax",
    "The largest logit got 1 and the others 0. Softmax gives every class its share, so that there is a gradient.",
)
NO_EXPONENTIAL = Mistake(
    "exp left out",
    "The logits themselves were divided by their sum. They may be negative; their exponentials are not.",
)

Softmax = Callable[[FloatArray], FloatArray]
Candidate = tuple[tuple[Mistake, ...], Softmax]


def candidates() -> list[Candidate]:
    """Return softmaxes with one or two mistakes, the simplest first; some raise ValueError if N is not C."""
    found: list[Candidate] = [
        ((LOGARITHM,), lambda logits: np.log(_composed(_shifted, _divided)(logits))),
        ((LOGARITHM,), lambda logits: _shifted(logits) - np.log(np.exp(_shifted(logits)).sum(axis=1, keepdims=True))),
        ((SIGMOID,), lambda logits: 1 / (1 + np.exp(-logits))),
        ((HARD_MAXIMUM,), lambda logits: np.eye(logits.shape[1])[logits.argmax(axis=1)]),
        ((NO_EXPONENTIAL,), lambda logits: logits / logits.sum(axis=1, keepdims=True)),
        ((SHIFT_ABOVE_ALONE,), lambda logits: np.exp(_shifted(logits)) / np.exp(logits).sum(axis=1, keepdims=True)),
    ]
    for shift_mistake, shift in _SHIFTS.items():
        for division_mistake, division in _DIVISIONS.items():
            mistakes = tuple(mistake for mistake in (shift_mistake, division_mistake) if mistake)
            if (shift_mistake, division_mistake) in ((COLUMN_MAXIMUM, WRONG_AXIS), (WHOLE_MAXIMUM, WHOLE_SUM)):
                mistakes = (mistakes[1],)  # one thought, though it is written twice
            if mistakes:
                found.append((mistakes, _composed(shift, division)))
    return sorted(found, key=lambda candidate: len(candidate[0]))


def _composed(shift: Softmax, division: Softmax) -> Softmax:
    return lambda logits: division(np.exp(shift(logits)))


def _shifted(logits: FloatArray) -> FloatArray:
    right: FloatArray = logits - logits.max(axis=1, keepdims=True)
    return right


def _divided(exponentials: FloatArray) -> FloatArray:
    right: FloatArray = exponentials / exponentials.sum(axis=1, keepdims=True)
    return right


_SHIFTS: dict[Mistake | None, Softmax] = {
    None: _shifted,
    OVERFLOW: lambda logits: logits,
    WHOLE_MAXIMUM: lambda logits: logits - logits.max(),
    COLUMN_MAXIMUM: lambda logits: logits - logits.max(axis=0),
    SHIFT_WITHOUT_KEEPDIMS: lambda logits: logits - logits.max(axis=1),
}
_DIVISIONS: dict[Mistake | None, Softmax] = {
    None: _divided,
    WRONG_AXIS: lambda exponentials: exponentials / exponentials.sum(axis=0),
    WHOLE_SUM: lambda exponentials: exponentials / exponentials.sum(),
    SUM_WITHOUT_KEEPDIMS: lambda exponentials: exponentials / exponentials.sum(axis=1),
    NOT_NORMALISED: lambda exponentials: exponentials,
}
