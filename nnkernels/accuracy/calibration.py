"""Calibration: whether networks are right as often as their probabilities say.

The *confidence* of an answer is the probability of the predicted class. Answers are grouped into bins by confidence.
A network is calibrated if in each bin the share of right answers, the *accuracy*, is the mean confidence.

References
----------
C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from nnkernels.errors import ConfigurationError, DataError
from nnkernels.statistics import Estimate, student, wilson

if TYPE_CHECKING:
    import pandas as pd

BINS = 15  # as in the reference
Binning = Literal["width", "mass"]
BINNINGS: tuple[Binning, ...] = ("width", "mass")
ROUNDING = 1e-6  # by which float32 probabilities may exceed 1

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Reliability:
    """The answers of one or several networks in B bins of confidence.

    Attributes
    ----------
    edges : ndarray of float64, shape (B + 1,)
        The ends of the bins. A confidence on the edge of two bins belongs to the lower one.
    counts : ndarray of int64, shape (B,)
        The number of answers in each bin, of all networks together.
    confidence, accuracy : ndarray of float64, shape (B,)
        The mean confidence, and the share of right answers. NaN for an empty bin.
    low, high : ndarray of float64, shape (B,)
        The ends of Wilson's 95 % interval of the accuracy, for as many answers as a single network has in the bin on
        average. All networks see the same images, so their answers are not independent; the interval of their common
        accuracy is at most as wide as this one. 0 and 1 for an empty bin.
    networks : int
        The number of networks.
    """

    edges: Floats
    counts: Indices
    confidence: Floats
    accuracy: Floats
    low: Floats
    high: Floats
    networks: int

    def to_frame(self) -> pd.DataFrame:
        """Return the bins as a table.

        Returns
        -------
        table : DataFrame
            One row per bin: ``above`` and ``up_to`` (its ends), ``count``, ``confidence``, ``accuracy``, ``low`` and
            ``high``.
        """
        import pandas as pd

        return pd.DataFrame(
            {
                "above": self.edges[:-1],
                "up_to": self.edges[1:],
                "count": self.counts,
                "confidence": self.confidence,
                "accuracy": self.accuracy,
                "low": self.low,
                "high": self.high,
            }
        )


def reliability(
    probs: npt.ArrayLike, y: npt.NDArray[np.integer[Any]], bins: int = BINS, by: Binning = "width"
) -> Reliability:
    """Group the answers of networks by their confidence.

    Parameters
    ----------
    probs : array-like, shape (N, C) or (S, N, C)
        The probabilities of one network, or of S networks for the same images.
    y : ndarray of integers, shape (N,)
        True classes.
    bins : int, default: 15
        The number of bins.
    by : {"width", "mass"}, default: "width"
        Bins of equal width from 0 to 1, or with the same number of answers. Of the latter, there are fewer if many
        confidences are equal.

    Returns
    -------
    reliability : Reliability
        The bins, which are the same for all networks.

    Raises
    ------
    DataError
        If the probabilities or the labels have another shape, or impossible values.
    ConfigurationError
        If the number or kind of bins is invalid.
    """
    confidence, right = _answers(probs, y)
    edges = _edges(confidence, bins, by)
    counts, mean_confidence, accuracy = _by_bin(confidence, right, edges)
    per_network = counts / len(confidence)
    low, high = wilson(np.nan_to_num(accuracy) * per_network, per_network)
    return Reliability(edges, counts, mean_confidence, accuracy, low, high, len(confidence))


def expected_calibration_error(
    probs: npt.ArrayLike, y: npt.NDArray[np.integer[Any]], bins: int = BINS, by: Binning = "width"
) -> Estimate:
    """Return the expected calibration error of the predicted class (top-label calibration).

    For one network, with the n_b answers in bin b of N,

        ECE = sum over b of n_b / N * abs(accuracy_b - confidence_b).

    It depends on the bins. For a calibrated network it is not quite 0, because the accuracies of bins vary by chance.

    Parameters
    ----------
    probs : array-like, shape (N, C) or (S, N, C)
        The probabilities of one network, or of S networks for the same images.
    y : ndarray of integers, shape (N,)
        True classes.
    bins : int, default: 15
        The number of bins.
    by : {"width", "mass"}, default: "width"
        Bins of equal width from 0 to 1, or, for each network, with the same number of answers.

    Returns
    -------
    error : Estimate
        The mean over the networks, 0 to 1, with Student's interval. It includes how training varies with the seed, not
        how the error would vary with other images.

    Raises
    ------
    DataError
        If the probabilities or the labels have another shape, or impossible values.
    ConfigurationError
        If the number or kind of bins is invalid.

    References
    ----------
    Guo et al. 2017, equation 3; see the module.
    """
    errors = []
    for confidence, right in zip(*_answers(probs, y), strict=True):
        counts, mean_confidence, accuracy = _by_bin(confidence, right, _edges(confidence, bins, by))
        gaps = np.abs(np.nan_to_num(accuracy - mean_confidence))
        errors.append(float((counts * gaps).sum() / len(confidence)))
    return student(errors)


def overconfidence(probs: npt.ArrayLike, y: npt.NDArray[np.integer[Any]]) -> Estimate:
    """Return by how much the mean confidence exceeds the accuracy.

    Parameters
    ----------
    probs : array-like, shape (N, C) or (S, N, C)
        The probabilities of one network, or of S networks for the same images.
    y : ndarray of integers, shape (N,)
        True classes.

    Returns
    -------
    difference : Estimate
        The mean over the networks with Student's interval, -1 to 1. Negative if the networks are more often right than
        they say.

    Raises
    ------
    DataError
        If the probabilities or the labels have another shape, or impossible values.
    """
    confidence, right = _answers(probs, y)
    return student((confidence - right).mean(axis=1))


def checked_answers(probs: npt.ArrayLike, y: npt.NDArray[np.integer[Any]]) -> tuple[npt.NDArray[Any], Indices]:
    """Check the probabilities of networks for labelled images.

    Parameters
    ----------
    probs : array-like, shape (N, C) or (S, N, C)
        The probabilities of one network, or of S networks.
    y : ndarray of integers, shape (N,)
        True classes.

    Returns
    -------
    probs : ndarray, shape (S, N, C)
        The probabilities.
    y : ndarray of int64, shape (N,)
        The true classes.

    Raises
    ------
    DataError
        If a shape is another one, or a value is impossible.
    """
    probs, y = np.asarray(probs), np.asarray(y)
    stacked = probs[np.newaxis] if probs.ndim == 2 else probs
    if stacked.ndim != 3 or not stacked.size or stacked.dtype.kind != "f":
        raise DataError(
            f"the probabilities have dtype {probs.dtype} and shape {probs.shape}; expected floats of shape (N, C), or "
            "(S, N, C) for several networks"
        )
    if y.shape != stacked.shape[1:2] or y.dtype.kind not in "iu":
        raise DataError(
            f"the labels have dtype {y.dtype} and shape {y.shape}; expected integers of shape {stacked.shape[1:2]}"
        )
    if not (stacked.min() >= 0 and stacked.max() <= 1 + ROUNDING):  # false for NaN
        raise DataError("the probabilities contain values outside 0 to 1, or NaN; expected the output of a softmax")
    if y.min() < 0 or y.max() >= stacked.shape[2]:
        raise DataError(
            f"the labels lie in {y.min()} to {y.max()}; expected 0 to {stacked.shape[2] - 1}, as there are "
            f"{stacked.shape[2]} probabilities per image"
        )
    return stacked, y.astype(np.int64)


def _answers(probs: npt.ArrayLike, y: npt.NDArray[np.integer[Any]]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return the confidence (S, N) of each answer, and whether it is right."""
    stacked, labels = checked_answers(probs, y)
    confidence = np.minimum(stacked.max(axis=2).astype(np.float64), 1.0)
    return confidence, stacked.argmax(axis=2) == labels


def _edges(confidence: Floats, bins: int, by: Binning) -> Floats:
    if bins < 1:
        raise ConfigurationError(f"bins is {bins}; expected at least 1")
    shares = np.linspace(0, 1, bins + 1)
    if by == "width":
        return shares
    if by != "mass":
        raise ConfigurationError(f"by is {by!r}; expected one of: {', '.join(BINNINGS)}")
    edges = np.unique(np.quantile(confidence, shares))
    return edges if len(edges) > 1 else np.repeat(edges, 2)


def _by_bin(confidence: Floats, right: npt.NDArray[np.bool_], edges: Floats) -> tuple[Indices, Floats, Floats]:
    """Return the number of answers in each bin, their mean confidence and their accuracy."""
    bins = len(edges) - 1
    place = np.searchsorted(edges[1:-1], confidence.ravel(), side="left")
    counts = np.bincount(place, minlength=bins)
    sums = [np.bincount(place, weights=values.ravel(), minlength=bins) for values in (confidence, right)]
    means = [np.divide(total, counts, out=np.full(bins, np.nan), where=counts > 0) for total in sums]
    return counts, means[0], means[1]
