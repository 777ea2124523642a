"""The extreme-input table: what the kernels answer where overflow, rounding or a missing value decides."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.parameters import Parameters

INF, NAN = np.inf, np.nan
FAR_BELOW = 2e4  # a logit so far below another has the probability 0


class Row(NamedTuple):
    """A row of logits and what follows from it.

    Attributes
    ----------
    logits : list of float
        One for each class.
    probs : list of float
        Their softmax, all NaN where none is defined.
    losses : list of float
        The cross-entropy in nats, for each true class.
    """

    logits: list[float]
    probs: list[float]
    losses: list[float]


# Exact to rounding, whatever computes them: nothing here was computed by a kernel or by the oracle.
ROWS = {
    "all equal": Row([3.0, 3.0], [0.5, 0.5], [np.log(2), np.log(2)]),
    "all zero": Row([0.0, 0.0], [0.5, 0.5], [np.log(2), np.log(2)]),
    "all equal and large": Row([1e4, 1e4], [0.5, 0.5], [np.log(2), np.log(2)]),
    "all equal and very negative": Row([-1e4, -1e4], [0.5, 0.5], [np.log(2), np.log(2)]),
    "large, one apart": Row(
        [10001.0, 10000.0],
        [1 / (1 + np.exp(-1)), 1 / (1 + np.e)],
        [np.log1p(1 / np.e), np.log1p(np.e)],
    ),
    "1e4 and -1e4": Row([1e4, -1e4], [1.0, 0.0], [0.0, 2e4]),
    "-1e4 and 1e4": Row([-1e4, 1e4], [0.0, 1.0], [2e4, 0.0]),
    # Far below what float32 adds to 1, and still a number.
    "50 apart": Row([0.0, -50.0], [1.0, np.exp(-50.0)], [np.exp(-50.0), 50.0]),
    # An impossible class: its loss is infinite, the others share the probability.
    "-inf": Row([-INF, 0.0], [0.0, 1.0], [INF, 0.0]),
    "-inf among equals": Row([0.0, -INF, 0.0], [0.5, 0.0, 0.5], [np.log(2), INF, np.log(2)]),
    # No softmax is defined, and nothing pretends that it is.
    "+inf": Row([INF, 0.0], [NAN, NAN], [NAN, NAN]),
    "+inf twice": Row([INF, INF], [NAN, NAN], [NAN, NAN]),
    "+inf and -inf": Row([-INF, INF], [NAN, NAN], [NAN, NAN]),
    "-inf alone": Row([-INF, -INF], [NAN, NAN], [NAN, NAN]),
    "NaN first": Row([NAN, 0.0], [NAN, NAN], [NAN, NAN]),
    "NaN last": Row([0.0, NAN], [NAN, NAN], [NAN, NAN]),
    "NaN beside +inf": Row([INF, NAN], [NAN, NAN], [NAN, NAN]),
    "one class": Row([7.0], [1.0], [0.0]),
    "one class, NaN": Row([NAN], [NAN], [NAN]),
}
FINITE = {case: row for case, row in ROWS.items() if np.isfinite(row.logits).all()}
NOT_FINITE = {case: row for case, row in ROWS.items() if case not in FINITE}


def padded(row: Row, classes: int) -> tuple[list[float], list[float]]:
    """Return the logits and probabilities of a row for a network of more classes: the further ones are impossible."""
    finite = [logit for logit in row.logits if np.isfinite(logit)]
    more = classes - len(row.logits)
    lowest = min(finite) - FAR_BELOW if finite else -INF
    return [*row.logits, *[lowest] * more], [*row.probs, *[NAN if np.isnan(row.probs[0]) else 0.0] * more]


def blank_parameters(inputs: int, hidden: int, classes: int) -> Parameters:
    """Return float32 parameters of a network, all zero."""
    shapes = ((inputs, hidden), (hidden,), (hidden, classes), (classes,))
    return Parameters(*(np.zeros(shape, np.float32) for shape in shapes))


def one_row_a_unit(rows: list[list[float]], inputs: int, hidden: int) -> Parameters:
    """Return parameters by which image k of :func:`one_pixel_images` has the k-th row of logits, exactly."""
    params = blank_parameters(inputs, hidden, len(rows[0]))
    units = np.arange(len(rows))
    params.W1[units, units] = 1
    params.W2[units] = rows
    return params


def one_pixel_images(count: int, inputs: int) -> npt.NDArray[np.uint8]:
    """Return ``count`` images, of which the k-th has inked nothing but pixel k, and a blank one."""
    X = np.zeros((count + 1, inputs), np.uint8)
    X[np.arange(count), np.arange(count)] = 255
    return X


def is_close(found: npt.ArrayLike, expected: npt.ArrayLike, rtol: float = 2e-6, atol: float = 0.0) -> bool:
    """Tell whether answers are those that are expected, NaN where NaN is expected."""
    found, expected = np.asarray(found), np.asarray(expected)
    return found.shape == expected.shape and np.allclose(found, expected, rtol=rtol, atol=atol, equal_nan=True)


def worst(found: npt.ArrayLike, expected: npt.ArrayLike) -> str:
    """Return the answer that is furthest off beside what is expected, for a message."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if found.shape != expected.shape:
        return f"shape {found.shape}, expected {expected.shape}"
    with np.errstate(all="ignore"):
        off = np.abs(found - expected)
    off[np.isnan(found) != np.isnan(expected)] = INF
    place = np.unravel_index(np.argmax(np.nan_to_num(off, nan=-1.0, posinf=INF)), off.shape)
    return f"{found[place]:.7g}, expected {expected[place]:.7g}"
