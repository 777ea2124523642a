"""The rule: from the log-ratios of pairs of processes to "slower", with an exact error and a stated resolution.

Wilcoxon's signed-rank test, one-sided. If nothing is slower, the two sides of a pair are alike but for the names, so
each log-ratio is as likely to be positive as negative whatever its size. Given the sizes, the signs are then tosses of
a fair coin, and the error of the test is exact: for any distribution, however heavy its tails, and at any number of
pairs at which a rule stops that looks at the sizes alone. :func:`spread_resolution` looks at the sizes alone.

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

# Whoever changes anything of what is measured or how it is judged counts this up: self-tests of different versions
# are never put together.
METHOD = 1

# The probability of an alarm about what is not slower: of one comparison, and of a whole check at most.
COMPARISON_ERROR = 0.002
CHECK_ERROR = 0.025

POWER = 0.8
CONFIDENCE = 0.95
RESAMPLES = 1000
SEED = 0


@dataclass(frozen=True)
class Verdict:
    """What the rule says of one comparison; ratios are times of the tree over times of the base.

    Attributes
    ----------
    pairs : int
        Pairs of processes.
    ratio, low, high : float
        Hodges and Lehmann's estimate, and its two-sided 95 % interval.
    at_least : float
        The one-sided bound that the rule judges by: it is slower if this is above 1.
    error : float
        The probability of that if nothing has changed.
    resolution : float
        The slowdown, as a share, that would have been found with a probability of 80 %.
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
        """Whether the tree is slower than the base."""
        return self.at_least > 1


def error_of_each(comparisons: int) -> float:
    """Return the error of each of so many comparisons, so that a whole check keeps its own."""
    return min(COMPARISON_ERROR, CHECK_ERROR / max(comparisons, 1))


def fewest_pairs(error: float) -> int:
    """Return the number of pairs from which on the rule can find anything at all."""
    return int(np.ceil(np.log2(1 / error)))


def judge(log_ratios: Floats, error: float) -> Verdict:
    """Apply the rule.

    Parameters
    ----------
    log_ratios : ndarray, shape (pairs,)
        One a pair of processes, of the tree's time to the base's.
    error : float
        One-sided.

    Raises
    ------
    ValueError
        If there are no pairs, or one of the ratios is not finite.
    """
    values = np.asarray(log_ratios, np.float64)
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"{len(values)} log-ratios, of which {np.isfinite(values).sum()} are finite")
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
    """Return the resolution as far as the sizes of the log-ratios tell it, which is all that may stop a measurement.

    A slowdown counts as spread here, so it is no better than the resolution that :func:`judge` gives.
    """
    return _resolution(np.abs(np.asarray(log_ratios, np.float64)), error)


def smallest_rank_sum(pairs: int, error: float) -> int:
    """Return the smallest sum of positive ranks that is significant; more than all ranks together if none is."""
    tail = np.cumsum(_rank_sum_probabilities(pairs)[::-1])[::-1]
    return int(np.count_nonzero(tail > error))


@cache
def _rank_sum_probabilities(pairs: int) -> Floats:
    """Return the probability of each sum of positive ranks, 0 to pairs (pairs + 1) / 2, where signs are fair coins."""
    probabilities = np.zeros(pairs * (pairs + 1) // 2 + 1)
    probabilities[0] = 1
    for rank in range(1, pairs + 1):
        shifted = np.zeros_like(probabilities)
        shifted[rank:] = probabilities[:-rank]
        probabilities = (probabilities + shifted) / 2
    return probabilities


def _walsh_averages(samples: Floats) -> Floats:
    """Return the means of all pairs of values of each sample, a value with itself included: (samples, n (n + 1) / 2).

    As many of them are positive as the sum of positive ranks says.
    """
    first, second = np.triu_indices(samples.shape[1])
    return np.asarray((samples[:, first] + samples[:, second]) / 2)


def _lower_bounds(samples: Floats, error: float) -> Floats:
    """Return, of each sample, what its centre is significantly above; minus infinity where it is too small for that."""
    averages = _walsh_averages(samples)
    place = averages.shape[1] - smallest_rank_sum(samples.shape[1], error)
    if place < 0:
        return np.full(len(samples), -np.inf)
    return np.asarray(np.partition(averages, place, axis=1)[:, place])


def _resolution(sizes: Floats, error: float) -> float:
    """Return the slowdown that the rule finds with the stated power where deviations have these sizes.

    Samples are drawn from the deviations with either sign. The rule finds a shift of a sample by more than minus its
    lower bound.
    """
    count = len(sizes)
    if count < max(fewest_pairs(error), 3):
        return float("inf")
    rng = np.random.default_rng(SEED)
    drawn = np.sort(sizes)[rng.integers(count, size=(RESAMPLES, count))] * rng.choice([-1, 1], (RESAMPLES, count))
    # The deviations are from the sample's own centre, and a spread that is sometimes underestimated costs power. With
    # two degrees of freedom fewer, slowdowns of the stated size are found with 75 to 80 % probability in the mean over
    # samples of normal noise; with 72 % over 12 pairs of which one in ten is held up.
    needed = -_lower_bounds(drawn * np.sqrt(count / (count - 2)), error)
    return float(np.expm1(np.quantile(needed, POWER)))
