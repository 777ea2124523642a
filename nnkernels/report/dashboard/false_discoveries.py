"""Judging many series at once: p-values of new runs, and which of them are significant at a false-discovery rate.

A new value is compared with past ones of the same series by the prediction interval of Student: under the hypothesis
that nothing changed, ``(new - mean) / (s * sqrt(1 + 1 / n))`` has Student's distribution with n - 1 degrees of
freedom, where ``mean`` and ``s`` are those of the n past values. The values are logarithms of ratios, each a mean over
processes, so that a normal distribution is plausible; consecutive runs that count are at least an hour apart.

Hundreds of series are judged, so some are outside by chance. The procedure of Benjamini and Hochberg keeps the expected
share of false ones among those listed at 5 %. It is valid for independent p-values, and for those that depend on each
other as absolute values of normal variables with a common summand do. That is the dependence within a run: all of its
ratios have the noise of the same reference, and each has noise of its own. (The inverse of such a covariance matrix has
no positive element off its diagonal, so the absolute values are multivariate totally positive of order 2, from which
the positive dependence follows that the proof requires.) Judgements of later runs share past values with those of
earlier ones, and the variances are estimated; for these, there is no proof. The correction of Benjamini and Yekutieli
holds in any case, but divides the threshold by six for two hundred judgements. Instead,
``tests/test_dashboard_history.py`` simulates histories with a common reference in which nothing changes, and counts
those with any listed change: 34 of 800 without controls, and fewer with controls.

References
----------
Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", J. R. Statist. Soc. B 57(1), 1995.
Y. Benjamini, D. Yekutieli, "The control of the false discovery rate in multiple testing under dependency", Annals of
Statistics 29(4), 2001; section 3.1 for absolute values of normal variables.
G. J. Hahn, W. Q. Meeker, "Statistical Intervals", Wiley, 1991; section 4.3 for prediction intervals.
B. Devlin, K. Roeder, "Genomic control for association studies", Biometrics 55(4), 1999; the inflation by controls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from nnkernels.statistics import CONFIDENCE, Floats

RATE = 0.05


@dataclass(frozen=True)
class Deviation:
    """A new value, compared with past ones.

    Attributes
    ----------
    mean, margin : float
        The mean of the past values, and the half-width of the prediction interval.
    statistic : float
        The deviation from the mean in units of its estimated standard deviation. Infinite if the past values are all
        equal and the new one differs.
    degrees_of_freedom : int
        The number of past values minus 1.
    """

    mean: float
    margin: float
    statistic: float
    degrees_of_freedom: int

    def p_value(self, inflation: float = 1.0) -> float:
        """Return the two-sided p-value.

        Parameters
        ----------
        inflation : float, default: 1.0
            By which the variance exceeds that of the past; at least 1.

        Returns
        -------
        p_value : float
            The probability of a deviation at least as large if nothing changed.
        """
        from scipy.special import stdtr

        return float(2 * stdtr(self.degrees_of_freedom, -abs(self.statistic) / inflation**0.5))


def prediction(past: Floats) -> tuple[float, float]:
    """Return the prediction interval of the next value.

    Parameters
    ----------
    past : ndarray of float64, shape (n,)
        At least two past values.

    Returns
    -------
    mean, margin : float
        The centre and the half-width of the 95 % interval.
    """
    scale = _scale(past)
    return float(past.mean()), _quantile(len(past) - 1, (1 + CONFIDENCE) / 2) * scale


def deviation(value: float, past: Floats) -> Deviation:
    """Compare a new value with past ones.

    Parameters
    ----------
    value : float
        The new value.
    past : ndarray of float64, shape (n,)
        At least two past values.

    Returns
    -------
    deviation : Deviation
        The comparison.
    """
    mean, margin = prediction(past)
    scale = _scale(past)
    difference = value - mean
    # Equal values have a standard deviation of 0, or of a rounding error.
    tiny = 1e-12 * max(1.0, abs(mean))
    if scale > tiny:
        statistic = difference / scale
    else:
        statistic = 0.0 if abs(difference) <= tiny else float(np.copysign(np.inf, difference))
    return Deviation(mean, margin, statistic, len(past) - 1)


def inflation(controls: Sequence[Deviation]) -> float:
    """Return by how much the variance of a run exceeds that of the past, according to its controls.

    The squared deviation of a control has an F distribution. Its quotient with the median of that distribution has the
    median 1 if the run was made under the conditions of the past. The factor is the median over the controls.

    Parameters
    ----------
    controls : sequence of Deviation
        The deviations of series that cannot have changed.

    Returns
    -------
    factor : float
        At least 1; 1 without controls.
    """
    if not controls:
        return 1.0
    medians = [_quantile(control.degrees_of_freedom, 0.75) ** 2 for control in controls]
    quotients = [control.statistic**2 / median for control, median in zip(controls, medians, strict=True)]
    finite = [quotient for quotient in quotients if np.isfinite(quotient)]
    return max(1.0, float(np.median(finite))) if finite else 1.0


def discoveries(p_values: Sequence[float], rate: float = RATE) -> npt.NDArray[np.bool_]:
    """Return which hypotheses are rejected by the procedure of Benjamini and Hochberg.

    Parameters
    ----------
    p_values : sequence of float
        The p-values of all hypotheses that are tested.
    rate : float, default: 0.05
        The false-discovery rate.

    Returns
    -------
    rejected : ndarray of bool, shape (hypotheses,)
        The k smallest p-values, where k is the largest number for which the k-th smallest is at most k / m of the rate.
    """
    values = np.asarray(p_values, np.float64)
    if not len(values):
        return np.zeros(0, np.bool_)
    ordered = np.sort(values)
    below = np.flatnonzero(ordered <= rate * np.arange(1, len(values) + 1) / len(values))
    limit = ordered[below[-1]] if len(below) else -1.0
    return np.asarray(values <= limit)


def _scale(past: Floats) -> float:
    """Return the estimated standard deviation of the difference between a new value and the mean of the past ones."""
    return float(past.std(ddof=1) * np.sqrt(1 + 1 / len(past)))


@cache
def _quantile(degrees_of_freedom: int, probability: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(degrees_of_freedom, probability))
