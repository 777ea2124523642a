"""Estimates with intervals, where the unit that is resampled is the process (or the seed).

The standard error is the cluster bootstrap's, corrected for the bias that it has with few clusters, and the interval
is Student's with one degree of freedom fewer than clusters. Percentiles of resampled clusters would not do: those of
four processes never leave the range of the four, which covers the truth 87 times in 100 at best.

References
----------
T. Hesterberg, "What teachers should know about the bootstrap", The American Statistician 69(4), 2015, on narrowness
bias and on t intervals with bootstrap standard errors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95
RESAMPLES = 4000
SEED = 0

Floats = npt.NDArray[np.float64]
Reduction = Callable[..., Any]


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval.

    Attributes
    ----------
    low, high : float
        NaN where a single process was measured: it says nothing of the next one.
    samples : int
        Processes, or seeds.
    """

    value: float
    low: float
    high: float
    samples: int

    def exp(self) -> Estimate:
        """Return the estimate of a logarithm as one of the number itself."""
        return Estimate(float(np.exp(self.value)), float(np.exp(self.low)), float(np.exp(self.high)), self.samples)


def median_over_processes(processes: Sequence[Floats]) -> Estimate:
    """Return the median over processes of each process's median, with a cluster bootstrap interval.

    Give logarithms of what is positive (seconds, ratios), and take :meth:`Estimate.exp` of the answer.

    Parameters
    ----------
    processes : sequence of ndarray
        The values of each process. Both levels are resampled: processes, and values within each.
    """
    length = min(len(values) for values in processes)
    return _bootstrap(np.stack([values[:length] for values in processes]), np.median)


def mean_over_seeds(values: Floats) -> Estimate:
    """Return the mean with a bootstrap interval over seeds."""
    return _bootstrap(np.asarray(values, np.float64)[:, np.newaxis], np.mean)


def _bootstrap(clusters: Floats, reduction: Reduction) -> Estimate:
    count, length = clusters.shape
    value = float(reduction(reduction(clusters, axis=1)))
    if count < 2:
        return Estimate(value, np.nan, np.nan, count)
    rng = np.random.default_rng(SEED)
    chosen = rng.integers(count, size=(RESAMPLES, count, 1))
    within = rng.integers(length, size=(RESAMPLES, count, length))
    resampled = reduction(reduction(clusters[chosen, within], axis=2), axis=1)
    margin = _students_t(count) * np.sqrt(count / (count - 1)) * float(np.std(resampled))
    return Estimate(value, value - margin, value + margin, count)


def _students_t(count: int) -> float:
    from scipy import stats

    return float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1))
