"""Means with Student's 95 % intervals, and proportions with Wilson's. Independent samples are processes, seeds or runs.

Values from one process share its conditions, such as its memory layout and the load on its neighbours. So they are
reduced to one value per process, and the interval is computed over those. Resampling the values within a process as
well, as in a cluster bootstrap, would count their noise twice, because the variance between processes includes it.

``tests/test_statistics.py`` measures the coverage of the intervals by simulation; ``bench/README.md`` has the results.

References
----------
B. L. Welch, "The generalization of 'Student's' problem when several different population variances are involved",
Biometrika 34(1-2), 1947.
F. E. Satterthwaite, "An approximate distribution of estimates of variance components", Biometrics Bulletin 2(6), 1946.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval.

    Attributes
    ----------
    value : float
        The estimate.
    low, high : float
        The ends of the interval. NaN if there is only one sample, from which the variance cannot be estimated.
    samples : int
        The number of processes, seeds or runs.
    """

    value: float
    low: float
    high: float
    samples: int

    def exp(self) -> Estimate:
        """Convert the estimate of a logarithm to one of the number itself.

        Returns
        -------
        estimate : Estimate
            The exponentials of ``value``, ``low`` and ``high``.
        """
        return Estimate(float(np.exp(self.value)), float(np.exp(self.low)), float(np.exp(self.high)), self.samples)


def student(values: npt.ArrayLike) -> Estimate:
    """Return the mean of independent values, with Student's interval.

    For positive quantities, such as seconds and ratios, pass logarithms and apply :meth:`Estimate.exp` to the result.

    Parameters
    ----------
    values : array-like of float, shape (n,)
        At least one value; one per process, seed or run.

    Returns
    -------
    estimate : Estimate
        The mean and its interval.
    """
    sample = np.asarray(values, np.float64)
    return _estimate(float(sample.mean()), float(student_margin(sample)), len(sample))


def student_margin(values: Floats) -> Floats:
    """Return the half-widths of Student's intervals of the means over the last axis.

    Parameters
    ----------
    values : ndarray of float64, shape (..., n)
        Independent samples along the last axis.

    Returns
    -------
    margins : ndarray of float64, shape (...)
        NaN if n is 1.
    """
    count = values.shape[-1]
    return np.asarray(_quantile(count - 1) * np.sqrt(_variance_of_mean(values)))


def welch(values: npt.ArrayLike, others: npt.ArrayLike) -> Estimate:
    """Return the difference between the means of two independent samples, with Welch's interval.

    The degrees of freedom are Satterthwaite's approximation.

    Parameters
    ----------
    values, others : array-like of float, shapes (n,) and (m,)
        At least one value each. If either has only one, the ends of the interval are NaN.

    Returns
    -------
    estimate : Estimate
        The mean of ``values`` minus that of ``others``. Its ``samples`` is the smaller of n and m.

    References
    ----------
    B. L. Welch, Biometrika 34(1-2), 1947, and F. E. Satterthwaite, Biometrics Bulletin 2(6), 1946; see the module.
    """
    first, second = (np.asarray(sample, np.float64) for sample in (values, others))
    fewer = min(len(first), len(second))
    variances = [float(_variance_of_mean(sample)) for sample in (first, second)]
    total = sum(variances)
    # With no variance at all, the degrees of freedom do not matter. With a NaN variance there is no interval.
    degrees_of_freedom = fewer - 1.0
    if total > 0:
        squares = sum(
            variance**2 / (len(sample) - 1) for variance, sample in zip(variances, (first, second), strict=True)
        )
        degrees_of_freedom = total**2 / squares
    return _estimate(float(first.mean() - second.mean()), _quantile(degrees_of_freedom) * total**0.5, fewer)


def wilson(successes: npt.ArrayLike, trials: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return Wilson's score intervals of proportions.

    Unlike a normal approximation, they stay within 0 and 1 and have a width for 0 or all successes.

    Parameters
    ----------
    successes, trials : array-like of float, shape (...)
        Numbers of successes and of trials; means of such numbers need not be integers.

    Returns
    -------
    low, high : ndarray of float64, shape (...)
        The ends of the intervals; 0 and 1 where there are no trials.

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
    Statistical Association 22(158), 1927.
    """
    from scipy.special import ndtri

    found, total = np.asarray(successes, np.float64), np.asarray(trials, np.float64)
    square = ndtri((1 + CONFIDENCE) / 2) ** 2
    share = np.divide(found, total, out=np.full_like(total, 0.5), where=total > 0)
    centre = (found + square / 2) / (total + square)
    margin = np.sqrt(square * (total * share * (1 - share) + square / 4)) / (total + square)
    # Exactly 0 and 1 at the ends, without rounding errors.
    low = np.where(found == 0, 0.0, centre - margin)
    return low, np.where(found == total, 1.0, centre + margin)


def interquartile_mean(values: npt.ArrayLike) -> Floats:
    """Return the mean of the middle half of the values of each process.

    It is nearly as robust as the median to a few disturbed values, and less noisy: on the recorded runs its intervals
    are about 4 % narrower. If a quarter of the number of values is not an integer, the outermost remaining values have
    fractional weights.

    Parameters
    ----------
    values : array-like of float, shape (..., n)
        Values of a process along the last axis. NaN is ignored.

    Returns
    -------
    means : ndarray of float64, shape (...)
        NaN where all values are NaN.
    """
    ordered = np.sort(np.asarray(values, np.float64), axis=-1)  # sorts NaN to the end
    count = np.count_nonzero(~np.isnan(ordered), axis=-1, keepdims=True)
    position = np.arange(ordered.shape[-1])
    weights = np.clip(np.minimum(position + 1, 0.75 * count) - np.maximum(position, 0.25 * count), 0.0, None)
    totals = np.nansum(weights * ordered, axis=-1)
    means = np.full_like(totals, np.nan)
    np.divide(totals, weights.sum(axis=-1), where=count[..., 0] > 0, out=means)
    return np.asarray(means)


def process_means(processes: Iterable[npt.ArrayLike]) -> Floats:
    """Reduce the values of each process to their interquartile mean.

    Parameters
    ----------
    processes : iterable of array-like of float
        The values of each process, of any shape. NaN is ignored.

    Returns
    -------
    means : ndarray of float64, shape (n,)
        One value per process that has a value.
    """
    reduced = np.array([interquartile_mean(np.ravel(np.asarray(values))) for values in processes], np.float64)
    return reduced[~np.isnan(reduced)]


def _variance_of_mean(values: Floats) -> Floats:
    count = values.shape[-1]
    if count == 1:
        return np.full(values.shape[:-1], np.nan)
    return np.asarray(values.var(axis=-1, ddof=1) / count)


@cache
def _quantile(degrees_of_freedom: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(degrees_of_freedom, (1 + CONFIDENCE) / 2))


def _estimate(value: float, margin: float, count: int) -> Estimate:
    return Estimate(value, value - margin, value + margin, count)
