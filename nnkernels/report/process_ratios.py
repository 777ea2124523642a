"""All paired ratios of one process at one scenario, computed at once.

A run has hundreds of pairs in each of a dozen processes. One pair after another, most of the time would be spent on
calls of NumPy with a handful of numbers each.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.statistics import Floats, interquartile_mean


class ProcessRatios:
    """The interquartile means of the paired log-ratios of each pair of labels.

    The pairs are those of :func:`~nnkernels.measure.timing.interleaving.log_ratios`: segments if both labels have as
    many per round, otherwise the means of the rounds.

    Parameters
    ----------
    seconds : mapping of str to ndarray of float64, shape (rounds, segments)
        The seconds of each label. NaN marks excluded segments.

    Attributes
    ----------
    labels : dict of str to int
        The position of each label.
    """

    def __init__(self, seconds: Mapping[str, Floats]) -> None:
        self.labels = {label: place for place, label in enumerate(seconds)}
        count = len(seconds)
        self._means = np.full((count, count), np.nan)
        segments = np.array([values.shape[1] for values in seconds.values()])
        logs = [np.log(values).ravel() for values in seconds.values()]
        for number in set(segments.tolist()):
            places = np.flatnonzero(segments == number)
            self._means[np.ix_(places, places)] = _pairs(np.stack([logs[place] for place in places]))
        different = segments[:, None] != segments
        if different.any():
            rounds = _pairs(np.log(np.stack([_round_means(values) for values in seconds.values()])))
            self._means[different] = rounds[different]

    def log_ratio(self, numerator: str, denominator: str) -> float:
        """Return the mean log-ratio of two labels' seconds.

        Parameters
        ----------
        numerator, denominator : str
            Labels, such as ``numpy@1``.

        Returns
        -------
        mean : float
            NaN if the process did not time both, or if they have no undisturbed pair.
        """
        if numerator not in self.labels or denominator not in self.labels:
            return float("nan")
        return float(self._means[self.labels[numerator], self.labels[denominator]])


def undisturbed_seconds(measured: InterleavedRun) -> dict[str, dict[str, Floats]]:
    """Return the undisturbed measurements of a process.

    Parameters
    ----------
    measured : InterleavedRun
        The process.

    Returns
    -------
    seconds : dict of str to dict of str to ndarray of float64, shape (rounds, segments)
        ``seconds[scenario][label]``, with NaN in excluded segments, without the labels that have nothing left.
    """
    scenarios = {
        scenario: {label: np.array(rounds, np.float64) for label, rounds in measured.undisturbed(scenario).items()}
        for scenario in measured.seconds
    }
    return {
        scenario: {label: values for label, values in seconds.items() if np.isfinite(values).any()}
        for scenario, seconds in scenarios.items()
    }


def _pairs(logs: Floats) -> Floats:
    """Return the interquartile means of the differences of all pairs of rows, shape (labels, labels)."""
    return interquartile_mean(logs[:, None, :] - logs[None, :, :])


def _round_means(rounds: Floats) -> Floats:
    """Return the mean of each round without NaN; NaN if nothing is left."""
    present = ~np.isnan(rounds)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(present, rounds, 0.0).sum(axis=1) / present.sum(axis=1))
