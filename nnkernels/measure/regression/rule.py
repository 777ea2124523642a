"""The statistical test of a check: from log-ratios of pairs of processes to a verdict, with its resolution.

It is a one-sided Wilcoxon signed-rank test. If the two sides have the same speed, they are exchangeable within a pair,
so each log-ratio is positive or negative with equal probability, regardless of its absolute value. Given the absolute
values, the signs are therefore fair coin tosses, and the error probability of the test is exact. This holds for any
distribution, including heavy-tailed ones, and for any stopping rule that depends only on the absolute values.
:func:`spread_resolution` depends only on them.

References
----------
F. Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1(6), 1945.
J. L. Hodges and E. L. Lehmann, "Estimates of location based on rank tests", Annals of Mathematical Statistics 34(2),
1963, on the estimate and the interval that belong to the test.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Increase this version with every change in what is measured or how it is evaluated. Self-tests of different versions
# are never combined.
METHOD = 1

# Largest probability of a false alarm: of one comparison, and of a whole check.
COMPARISON_ERROR = 0.002
CHECK_ERROR = 0.025

POWER = 0.8
CONFIDENCE = 0.95
RESAMPLES = 1000
SEED = 0


@dataclass(frozen=True)
class Verdict:
    """The verdict on one comparison. Ratios are the tree's time divided by the base's.

    Attributes
    ----------
    pairs : int
        Number of pairs of processes.
    ratio, low, high : float
        Hodges-Lehmann estimate, and its two-sided 95 % interval.
    at_least : float
        One-sided lower bound of the ratio. The tree is slower if this is above 1.
    error : float
        Significance level: the probability of the verdict "slower" if both sides are equally fast.
    resolution : float
        The slowdown, as a fraction, that would have been detected with a probability of 80 %.
    """

    pairs: int
    ratio: float
    low: float
    high: float
    at_least: float
    error: float
    resolution: float

    @property
    def slower(self) -> bool:
        """Whether the tree is significantly slower than the base."""
        return self.at_least > 1


def error_per_comparison(comparisons: int) -> float:
    """Return the significance level of each comparison of a check.

    Parameters
    ----------
    comparisons : int
        Number of comparisons.

    Returns
    -------
    error : float
        Small enough that the whole check keeps its own level (Bonferroni).
    """
    return min(COMPARISON_ERROR, CHECK_ERROR / max(comparisons, 1))


def fewest_pairs(error: float) -> int:
    """Return the smallest number of pairs at which the test can be significant.

    Parameters
    ----------
    error : float
        Significance level.

    Returns
    -------
    pairs : int
        Number of pairs.
    """
    return int(np.ceil(np.log2(1 / error)))


def judge(log_ratios: Floats, error: float) -> Verdict:
    """Apply the test to the log-ratios of a comparison.

    Parameters
    ----------
    log_ratios : ndarray, shape (pairs,)
        One value per pair of processes: the logarithm of the tree's time over the base's.
    error : float
        One-sided significance level.

    Returns
    -------
    verdict : Verdict
        Estimate, interval, bound and resolution.

    Raises
    ------
    ValueError
        If there are no pairs, or if a log-ratio is not finite.
    """
    values = np.asarray(log_ratios, np.float64)
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(
            f"expected finite log-ratios, but only {np.isfinite(values).sum()} of {len(values)} are finite"
        )
    middle = _walsh_averages(values[np.newaxis])[0]
    centre = float(np.median(middle))
    margin = (1 - CONFIDENCE) / 2
    return Verdict(
        pairs=len(values),
        ratio=float(np.exp(centre)),
        low=float(np.exp(_lower_bounds(values[np.newaxis], margin)[0])),
        high=float(np.exp(-_lower_bounds(-values[np.newaxis], margin)[0])),
        at_least=float(np.exp(_lower_bounds(values[np.newaxis], error)[0])),
        error=error,
        resolution=_resolution(np.abs(values - centre), error),
    )


def spread_resolution(log_ratios: Floats, error: float) -> float:
    """Return the resolution, computed only from the absolute values of the log-ratios.

    Only these may decide when to stop measuring. A real slowdown appears as additional spread here, so the result is at
    least as large as the resolution of :func:`judge`.

    Parameters
    ----------
    log_ratios : ndarray, shape (pairs,)
        One value per pair of processes.
    error : float
        One-sided significance level.

    Returns
    -------
    resolution : float
        As a fraction; infinite if there are too few pairs.
    """
    return _resolution(np.abs(np.asarray(log_ratios, np.float64)), error)


def smallest_rank_sum(pairs: int, error: float) -> int:
    """Return the smallest significant sum of positive ranks.

    Parameters
    ----------
    pairs : int
        Number of pairs.
    error : float
        One-sided significance level.

    Returns
    -------
    rank_sum : int
        Larger than the sum of all ranks if no sum is significant.
    """
    tail = np.cumsum(_rank_sum_probabilities(pairs)[::-1])[::-1]
    return int(np.count_nonzero(tail > error))


@cache
def _rank_sum_probabilities(pairs: int) -> Floats:
    """Return the null distribution of the sum of positive ranks, from 0 to pairs (pairs + 1) / 2."""
    probabilities = np.zeros(pairs * (pairs + 1) // 2 + 1)
    probabilities[0] = 1
    for rank in range(1, pairs + 1):
        shifted = np.zeros_like(probabilities)
        shifted[rank:] = probabilities[:-rank]
        probabilities = (probabilities + shifted) / 2
    return probabilities


def _walsh_averages(samples: Floats) -> Floats:
    """Return the Walsh averages of each sample: the means of all pairs of its values, including each value with itself.

    Returns
    -------
    averages : ndarray, shape (samples, n (n + 1) / 2)
        As many are positive as the sum of positive ranks.
    """
    first, second = np.triu_indices(samples.shape[1])
    return np.asarray((samples[:, first] + samples[:, second]) / 2)


def _lower_bounds(samples: Floats, error: float) -> Floats:
    """Return the one-sided lower bound of each sample's centre; minus infinity if the sample is too small."""
    count = samples.shape[1]
    place = count * (count + 1) // 2 - smallest_rank_sum(count, error)
    if place < 0:
        return np.full(len(samples), -np.inf)
    first, second = _low_averages(count, place)
    ordered = np.sort(samples, axis=1).T  # by column: contiguous in memory below
    averages = (ordered[first] + ordered[second]) / 2
    return np.asarray(np.partition(averages, place, axis=0)[place])


@cache
def _low_averages(count: int, place: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return which averages of a sorted sample's values can be among the ``place + 1`` smallest.

    An average is at least as large as those of earlier values. It is left out if more than ``place`` of these exist.
    Few remain, because the bound is far out in the tail.

    Returns
    -------
    first, second : ndarray of intp
        Indices of the two values of each average.
    """
    first, second = np.triu_indices(count)
    no_larger = (first + 1) * (second + 1) - first * (first + 1) // 2  # of pairs a <= b, with itself
    possible = no_larger <= place + 1
    return first[possible], second[possible]


def _resolution(sizes: Floats, error: float) -> float:
    """Return the slowdown that the test detects with the stated power, given absolute deviations from the centre.

    Samples are drawn from the deviations, with random signs. The test detects any shift larger than the negative of a
    sample's lower bound.

    Returns
    -------
    resolution : float
        As a fraction; infinite if there are too few deviations.
    """
    count = len(sizes)
    if count < max(fewest_pairs(error), 3):
        return float("inf")
    rng = np.random.default_rng(SEED)
    drawn = np.sort(sizes)[rng.integers(count, size=(RESAMPLES, count))] * rng.choice([-1, 1], (RESAMPLES, count))
    # The deviations are from the sample's own centre, which underestimates the spread and would cost power. Hence the
    # correction by two degrees of freedom. With it, slowdowns of the stated size are detected with a mean probability
    # of 75 to 80 % under normal noise, and of 72 % with 12 pairs of which one in ten is delayed.
    needed = -_lower_bounds(drawn * np.sqrt(count / (count - 2)), error)
    return float(np.expm1(np.quantile(needed, POWER)))
