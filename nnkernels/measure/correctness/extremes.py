"""The extreme-input table: exact results for inputs that overflow, underflow, or are infinite or NaN."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.parameters import Parameters

INF, NAN = np.inf, np.nan
FAR_BELOW = 2e4  # a logit this far below another one has probability 0


class Row(NamedTuple):
    """One row of logits with its expected probabilities and losses.

    Attributes
    ----------
    logits : list of float
        One logit per class.
    probs : list of float
        Softmax of the logits; all NaN where it is undefined.
    losses : list of float
        Cross-entropy in nats, for each class as the true one.
    """

    logits: list[float]
    probs: list[float]
    losses: list[float]


# Derived from the definitions and exact up to rounding. Nothing here was computed by a kernel or by the oracle.
ROWS = {
    "all equal": Row([3.0, 3.0], [0.5, 0.5], [np.log(2), np.log(2)]),
    "all zero": Row([0.0, 0.0], [0.5, 0.5], [np.log(2), np.log(2)]),
    "all equal and large": Row([1e4, 1e4], [0.5, 0.5], [np.log(2), np.log(2)]),
    "all equal and very negative": Row([-1e4, -1e4], [0.5, 0.5], [np.log(2), np.log(2)]),
    "large, one apart": Row(
        [10001.0, 10000.0],
        [1 / (1 + np.exp(-1)), 1 / (1 + math.e)],
        [np.log1p(1 / math.e), np.log1p(math.e)],
    ),
    "1e4 and -1e4": Row([1e4, -1e4], [1.0, 0.0], [0.0, 2e4]),
    "-1e4 and 1e4": Row([-1e4, 1e4], [0.0, 1.0], [2e4, 0.0]),
    # The small probability is lost in the float32 sum 1 + exp(-50), but must not become 0 itself.
    "50 apart": Row([0.0, -50.0], [1.0, np.exp(-50.0)], [np.exp(-50.0), 50.0]),
    # A logit of -inf: the class has probability 0 and an infinite loss.
    "-inf": Row([-INF, 0.0], [0.0, 1.0], [INF, 0.0]),
    "-inf among equals": Row([0.0, -INF, 0.0], [0.5, 0.0, 0.5], [np.log(2), INF, np.log(2)]),
    # Softmax is undefined, so the results must be NaN.
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
    """Extend a row to a network with more classes.

    Parameters
    ----------
    row : Row
        A row of at most ``classes`` logits.
    classes : int
        Number of classes of the network.

    Returns
    -------
    logits : list of float
        The row's logits, followed by logits so low that their probability is 0.
    probs : list of float
        The row's probabilities, followed by zeros; all NaN if the row's are NaN.
    """
    finite = [logit for logit in row.logits if np.isfinite(logit)]
    more = classes - len(row.logits)
    lowest = min(finite) - FAR_BELOW if finite else -INF
    return [*row.logits, *[lowest] * more], [*row.probs, *[NAN if np.isnan(row.probs[0]) else 0.0] * more]


def blank_parameters(inputs: int, hidden: int, classes: int) -> Parameters:
    """Return parameters that are all zero.

    Parameters
    ----------
    inputs, hidden, classes : int
        Sizes of the network: D, H and C.

    Returns
    -------
    params : Parameters
        Zeros of float32.
    """
    shapes = ((inputs, hidden), (hidden,), (hidden, classes), (classes,))
    return Parameters(*(np.zeros(shape, np.float32) for shape in shapes))


def one_row_per_unit(rows: list[list[float]], inputs: int, hidden: int) -> Parameters:
    """Return parameters for which image k of :func:`one_pixel_images` has exactly the k-th row of logits.

    Each row uses its own input and hidden unit.

    Parameters
    ----------
    rows : list of list of float
        At most ``min(inputs, hidden)`` rows, each of C logits.
    inputs, hidden : int
        Sizes of the network: D and H.

    Returns
    -------
    params : Parameters
        Parameters of float32.
    """
    params = blank_parameters(inputs, hidden, len(rows[0]))
    units = np.arange(len(rows))
    params.W1[units, units] = 1
    params.W2[units] = rows
    return params


def one_pixel_images(count: int, inputs: int) -> npt.NDArray[np.uint8]:
    """Return images with a single nonzero pixel each, and a blank image.

    Parameters
    ----------
    count : int
        Number of images that are not blank.
    inputs : int
        Number of pixels of an image, at least ``count``.

    Returns
    -------
    X : ndarray of uint8, shape (count + 1, inputs)
        Image k has the value 255 in pixel k. The last image is blank.
    """
    X = np.zeros((count + 1, inputs), np.uint8)
    X[np.arange(count), np.arange(count)] = 255
    return X


def is_close(found: npt.ArrayLike, expected: npt.ArrayLike, rtol: float = 2e-6, atol: float = 0.0) -> bool:
    """Return whether results have the expected shape and values.

    Parameters
    ----------
    found, expected : array-like
        The results and the expected values. NaN equals NaN.
    rtol, atol : float
        Relative and absolute tolerance, as in :func:`numpy.allclose`.

    Returns
    -------
    close : bool
        Whether every value is within the tolerance.
    """
    found, expected = np.asarray(found), np.asarray(expected)
    return found.shape == expected.shape and np.allclose(found, expected, rtol=rtol, atol=atol, equal_nan=True)


def worst(found: npt.ArrayLike, expected: npt.ArrayLike) -> str:
    """Describe the largest deviation of results from their expected values, for a message.

    Parameters
    ----------
    found, expected : array-like
        The results and the expected values. A NaN in only one of them is the largest deviation possible.

    Returns
    -------
    text : str
        The found and the expected value at that place, or both shapes if they differ.
    """
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if found.shape != expected.shape:
        return f"shape {found.shape}, expected {expected.shape}"
    with np.errstate(all="ignore"):
        differences = np.abs(found - expected)
    differences[np.isnan(found) != np.isnan(expected)] = INF
    place = np.unravel_index(np.argmax(np.nan_to_num(differences, nan=-1.0, posinf=INF)), differences.shape)
    return f"{found[place]:.7g}, expected {expected[place]:.7g}"
