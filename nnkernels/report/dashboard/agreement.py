"""Whether contenders reach the same test error: their differences over the same seeds, and a sentence."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from nnkernels.report.asv_rows import measured_rows
from nnkernels.report.ratios import BASELINE
from nnkernels.report.runs import Run
from nnkernels.report.summary import TEST_ERROR
from nnkernels.statistics import Estimate, Floats, student

# Differences below this many percentage points count as no difference. It is about a tenth of what the error rate of
# one contender varies between seeds.
MARGIN = 0.1
AGREES, DIFFERS, UNDECIDED = "agrees", "differs", "undecided"


@dataclass(frozen=True)
class ContenderError:
    """The test error of a contender.

    Attributes
    ----------
    contender : str
        Its name.
    error : Estimate
        The mean over seeds, as a fraction.
    difference : Estimate or None
        The error minus that of the reference, in percentage points, paired by seed. None for the reference.
    verdict : str
        ``agrees`` if the interval of the difference lies within :data:`MARGIN`, ``differs`` if it excludes 0 and does
        not, otherwise ``undecided``. Empty for the reference.
    """

    contender: str
    error: Estimate
    difference: Estimate | None
    verdict: str


@dataclass(frozen=True)
class Agreement:
    """The test errors of the contenders of a run.

    Attributes
    ----------
    reference : str
        The contender with which the others are compared: NumPy, or the first one.
    errors : tuple of ContenderError
        In the order of the run.
    sentence : str
        Who agrees and who does not, with numbers.
    """

    reference: str
    errors: tuple[ContenderError, ...]
    sentence: str


def agreement(run: Run) -> Agreement | None:
    """Compare the test errors of the contenders of a run, seed by seed.

    Parameters
    ----------
    run : Run
        The run. Of pooled runs, the error of a seed is the mean over the runs that have it.

    Returns
    -------
    agreement : Agreement or None
        None if the run did not measure the error.
    """
    rates = _rates_by_seed(run)
    if not rates:
        return None
    reference = BASELINE if BASELINE in rates else next(iter(rates))
    errors = tuple(_error(name, own, None if name == reference else rates[reference]) for name, own in rates.items())
    return Agreement(reference, errors, _sentence(reference, errors))


def _rates_by_seed(run: Run) -> dict[str, Floats]:
    """Return the error rate of each contender by seed, averaged over pooled runs."""
    of_runs: dict[str, list[Floats]] = {}
    for one in run.each:
        for row, _samples_are_seeds, rates in measured_rows(one.asv_results):
            if row["benchmark"] == TEST_ERROR:
                of_runs.setdefault(row["contender"], []).append(rates)
    return {
        name: np.array([np.nanmean(rates) for rates in itertools.zip_longest(*found, fillvalue=np.nan)])
        for name, found in of_runs.items()
    }


def _error(name: str, own: Floats, reference: Floats | None) -> ContenderError:
    if reference is None:
        return ContenderError(name, student(own), None, "")
    seeds = min(len(own), len(reference))
    difference = student(100 * (own[:seeds] - reference[:seeds]))
    return ContenderError(name, student(own), difference, _verdict(difference))


def _verdict(difference: Estimate) -> str:
    if difference.low >= -MARGIN and difference.high <= MARGIN:
        return AGREES
    return DIFFERS if difference.low > 0 or difference.high < 0 else UNDECIDED


def _sentence(reference: str, errors: tuple[ContenderError, ...]) -> str:
    agreeing = [one for one in errors if one.verdict in ("", AGREES)]
    seeds = min(one.error.samples for one in errors)
    reached = _range([one.error.value for one in agreeing])
    over = f"{seeds} seed{'' if seeds == 1 else 's'}"
    if len(errors) == 1:
        return f"{reference} reaches {reached} test error (mean over {over})."
    if len(agreeing) == len(errors):
        differences = [one.difference for one in errors if one.difference]
        mean, bound = (_upper(max(map(abs, ends))) for ends in _extremes(differences))
        return (
            f"All {len(errors)} contenders reach {reached} test error (mean over {over}); seed by seed, none differs "
            f"from {reference} by more than {mean} points, and all 95 % intervals of the differences are within "
            f"{bound} points."
        )
    parts = [
        f"{len(agreeing)} of {len(errors)} contenders reach {reached} test error (mean over {over}), within {MARGIN:g} "
        f"points of {reference}."
    ]
    for verdict, what in ((DIFFERS, "Different from"), (UNDECIDED, "Not decided against")):
        named = [f"{one.contender} ({points(one.difference)} points)" for one in errors if one.verdict == verdict]
        parts += [f"{what} {reference}: {', '.join(named)}."] if named else []
    return " ".join(parts)


def points(difference: Estimate | None, digits: int = 3) -> str:
    """Format a difference of two rates.

    Parameters
    ----------
    difference : Estimate or None
        In percentage points.
    digits : int, default: 3
        Number of decimals.

    Returns
    -------
    text : str
        For example ``+0.012 [-0.003, +0.027]``; a dash for None.
    """
    if difference is None:
        return "-"
    interval = "" if math.isnan(difference.low) else f" [{difference.low:+.{digits}f}, {difference.high:+.{digits}f}]"
    return f"{difference.value:+.{digits}f}{interval}"


def _extremes(differences: list[Estimate]) -> tuple[list[float], list[float]]:
    return [one.value for one in differences], [end for one in differences for end in (one.low, one.high)]


def _range(rates: list[float]) -> str:
    ends = [f"{100 * rate:.2f}" for rate in (min(rates), max(rates))]
    return f"{ends[0]} %" if ends[0] == ends[1] else f"{ends[0]} to {ends[1]} %"


def _upper(value: float) -> str:
    """Round upwards to two decimals, so that "not more than" stays true. Rounding errors do not count."""
    return f"{math.ceil(100 * value - 1e-9) / 100:.2f}"
