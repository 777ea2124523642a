"""All paired ratios of the processes of a run at one scenario, computed at once.

A run has hundreds of pairs in each of a dozen processes. One pair or process after another, most of the time would be
spent on calls of NumPy with a handful of numbers each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.statistics import Floats, interquartile_mean


@dataclass(frozen=True)
class ProcessRatios:
    """The interquartile means of a process: of the log-seconds of each label, and of each pair's paired log-ratios.

    The pairs are those of :func:`~nnkernels.measure.timing.interleaving.log_ratios`: segments if both labels have as
    many per round, otherwise the means of the rounds.

    Attributes
    ----------
    labels : dict of str to int
        The position of each label.
    logs : ndarray of float64, shape (labels,)
        The mean of each label's log-seconds.
    pairs : ndarray of float64, shape (labels, labels)
        The mean log-ratio of each pair: numerator, then denominator. NaN if the pair has no undisturbed values.
    """

    labels: dict[str, int]
    logs: Floats
    pairs: Floats

    def log_seconds(self, label: str) -> float:
        """Return the mean of a label's log-seconds.

        Parameters
        ----------
        label : str
            A label, such as ``numpy@1``.

        Returns
        -------
        mean : float
            NaN if the process did not time it.
        """
        return float(self.logs[self.labels[label]]) if label in self.labels else float("nan")

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
        return float(self.pairs[self.labels[numerator], self.labels[denominator]])


def process_ratios(processes: Sequence[Mapping[str, Floats]]) -> list[ProcessRatios]:
    """Return the means of processes at a scenario.

    Parameters
    ----------
    processes : sequence of mapping of str to ndarray of float64, shape (rounds, segments)
        For each process, the seconds of each label, of which there is at least one. NaN marks excluded segments.

    Returns
    -------
    means : list of ProcessRatios
        One for each process.
    """
    alike: dict[tuple[tuple[str, tuple[int, ...]], ...], list[int]] = {}
    for place, seconds in enumerate(processes):
        alike.setdefault(tuple((label, values.shape) for label, values in seconds.items()), []).append(place)
    found: dict[int, ProcessRatios] = {}
    for shapes, places in alike.items():
        labels = {label: place for place, (label, _shape) in enumerate(shapes)}
        segments = np.array([shape[1] for _label, shape in shapes])
        logs, pairs = _means([[processes[place][label] for place in places] for label in labels], segments)
        found |= {place: ProcessRatios(labels, logs[index], pairs[index]) for index, place in enumerate(places)}
    return [found[place] for place in range(len(processes))]


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


def _means(seconds: list[list[Floats]], segments: npt.NDArray[np.int_]) -> tuple[Floats, Floats]:
    # ``seconds`` has the arrays of each label, one for each process; all processes have the same labels and shapes. The
    # means have the shapes (processes, labels) and (processes, labels, labels).
    labels, processes = len(seconds), len(seconds[0])
    means, pairs = np.full((processes, labels), np.nan), np.full((processes, labels, labels), np.nan)
    for number in set(segments.tolist()):
        places = np.flatnonzero(segments == number)
        values = np.stack([np.stack(seconds[place]) for place in places], axis=1)
        logs = np.log(values).reshape(processes, len(places), -1)
        means[:, places] = interquartile_mean(logs)
        pairs[:, places[:, None], places] = _pairs(logs)
    different = segments[:, None] != segments
    if different.any():
        rounds = np.stack([_round_means(np.stack(values)) for values in seconds], axis=1)
        pairs[:, different] = _pairs(np.log(rounds))[:, different]
    return means, pairs


def _pairs(logs: Floats) -> Floats:
    """Return the interquartile means of the differences of all pairs of rows, shape (..., labels, labels)."""
    return interquartile_mean(logs[..., :, None, :] - logs[..., None, :, :])


def _round_means(rounds: Floats) -> Floats:
    """Return the mean of each round without NaN; NaN if nothing is left."""
    present = ~np.isnan(rounds)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(present, rounds, 0.0).sum(axis=-1) / present.sum(axis=-1))
