"""Whether two contenders have the same error rate, up to a margin, and how many seeds may show it."""

from __future__ import annotations

from typing import Literal

import numpy as np

from nnkernels.statistics import Estimate, Floats, student, student_margin

Verdict = Literal["equivalent", "different", "undecided"]
MARGIN = 0.001  # a difference of 0.1 percentage points


def verdict(difference: Estimate) -> Verdict:
    """Judge the paired difference of two error rates by its whole 95 % interval.

    Parameters
    ----------
    difference : Estimate
        The mean difference, a fraction.

    Returns
    -------
    verdict : {"equivalent", "different", "undecided"}
        ``equivalent`` if the interval is within 0.1 points of 0, ``different`` if all of it is further away.
    """
    if difference.low >= -MARGIN and difference.high <= MARGIN:
        return "equivalent"
    if difference.low > MARGIN or difference.high < -MARGIN:
        return "different"
    return "undecided"


def planned_seeds(differences: Floats, pilot: int, most: int) -> int:
    """Return the number of seeds after which the verdict is expected to be ``equivalent``.

    The mean and the standard deviation of the first differences stand for those of all. Once the number is planned, the
    verdict is that of all seeds, whatever it is: trying again until it pleases would make it too likely.

    Parameters
    ----------
    differences : ndarray of float64, shape (n,)
        Differences of error rates, one per seed.
    pilot : int
        How many of them, from the first, to plan with. At least 2.
    most : int
        Largest number of seeds.

    Returns
    -------
    seeds : int
        ``n`` if the verdict is clear, or if it is not expected to become ``equivalent`` with at most ``most`` seeds.
    """
    done = len(differences)
    if verdict(student(differences)) != "undecided":
        return done
    first = differences[:pilot]
    for count in range(done + 1, most + 1):
        # A sample of `count` values with the mean and the standard deviation of the pilot.
        if abs(first.mean()) + _margin(first, count) <= MARGIN:
            return count
    return done


def _margin(pilot: Floats, count: int) -> float:
    """Return the half-width that the interval of ``count`` values with the pilot's deviation has."""
    pattern = np.resize([1.0, -1.0], count)
    pattern = (pattern - pattern.mean()) / pattern.std(ddof=1)
    return float(student_margin(pattern * pilot.std(ddof=1)))
