"""The numbers of the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nnkernels.report import formats
from nnkernels.report.ratios import BASELINE, PairedRatio
from nnkernels.report.summary import ContenderSummary, Summary
from nnkernels.statistics import Estimate


@dataclass(frozen=True)
class Figure:
    """One number of the answer.

    Attributes
    ----------
    value, interval : str
        The number and its 95 % interval, such as ``9.10`` and ``[8.30, 10.0]``. ``-`` and an empty string if the number
        does not exist; an empty interval if there is none.
    text : str
        What the number says, such as ``times as fast as NumPy``.
    reason : str
        Why there is no number; empty if there is one.
    estimate : Estimate or None
        The number itself.
    """

    value: str
    interval: str
    text: str
    reason: str = ""
    estimate: Estimate | None = None

    @property
    def number(self) -> str:
        """The number with its interval, in one string."""
        return f"{self.value} {self.interval}".strip()


def figures(summary: Summary, row: ContenderSummary | None, name: str) -> tuple[Figure, ...]:
    """Return the numbers of a contender.

    Parameters
    ----------
    summary : Summary
        The summary of a run.
    row : ContenderSummary or None
        The contender; None if it was not timed.
    name : str
        Its name.

    Returns
    -------
    figures : tuple of Figure
        Against NumPy, against the best form of Keras, seconds per epoch, and test error.
    """
    return (
        *comparisons(summary, row, name),
        _figure(row.epoch if row else None, "per epoch", f"`{name}` was not timed", formats.time),
        _figure(row.test_error if row else None, "test error", "not measured in this run", formats.percent),
    )


def comparisons(summary: Summary, row: ContenderSummary | None, name: str) -> tuple[Figure, Figure]:
    """Return how many times as fast a contender trains as NumPy and as the best form of Keras.

    Parameters
    ----------
    summary : Summary
        The summary of a run.
    row : ContenderSummary or None
        The contender; None if it was not timed.
    name : str
        Its name.

    Returns
    -------
    figures : tuple of (Figure, Figure)
        The two ratios, or why they do not exist.
    """
    best = summary.best_keras
    tried = sum(form.threads is not None for form in summary.keras_forms)
    keras = f"the best of {tried} forms of Keras tried (`{best}`)" if tried > 1 else f"Keras (`{best}`)"
    no_keras = "" if best else "no form of Keras was timed"
    return (
        _ratio(row, row.to_numpy if row else None, "NumPy", name, ""),
        _ratio(row, row.to_best_keras if row else None, keras if best else "Keras", name, no_keras),
    )


def _ratio(row: ContenderSummary | None, found: PairedRatio | None, other: str, name: str, reason: str) -> Figure:
    if row is None:
        reason = f"`{name}` was not timed"
    elif name == BASELINE and other == "NumPy":
        reason = "it is NumPy itself"
    text = f"times as fast as {other}"
    if found and not found.is_faster:
        text += f" at {_threads(found.threads)}, the only setting that shared a process"
    return _figure(found.estimate if found else None, text, reason or "never timed in the same process", formats.ratio)


def _figure(estimate: Estimate | None, text: str, reason: str, write: Callable[[Estimate], str]) -> Figure:
    if estimate is None:
        return Figure("-", "", text, reason)
    value, _space, interval = write(estimate).partition(" [")
    return Figure(value, f"[{interval}" if interval else "", text, estimate=estimate)


def _threads(setting: str) -> str:
    return "1 thread" if setting == "1" else "all threads"
