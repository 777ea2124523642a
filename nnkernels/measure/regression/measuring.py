"""Measuring pairs of processes, one after another, until all comparisons are resolved or the time limit is reached."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nnkernels.data import Dataset
from nnkernels.measure.regression import rule
from nnkernels.measure.regression.comparisons import Comparison, write_data
from nnkernels.measure.regression.pairs import Pair, log_ratio, measure_pair, warm_up
from nnkernels.measure.regression.sides import ANY_CPU, Tree, started

# Measuring stops at this fraction of the requested resolution. A slowdown of the requested size is then detected almost
# always, not just with a probability of 80 %.
TARGET_SHARE = 2 / 3
PAIRS_A_LOOK = 4  # the stopping rule is evaluated each time there are this many more pairs

# If there are few comparisons, most of a pair's time is the start of its processes, so more turns cost little. But a
# pair is only one sample, so several pairs must fit into the time limit.
PAIRS_THAT_FIT = 16
MINUTES_THAT_COUNT = 2.0  # a longer limit gives more pairs, not longer ones
SHARE_IN_TURNS = 0.6
FEWEST_TURNS, MOST_TURNS = 6, 40

Tell = Callable[[str], object]


@dataclass(frozen=True)
class Plan:
    """Duration and resolution of a check.

    Attributes
    ----------
    resolve : float
        The slowdown that is to be detected, as a fraction.
    minutes : float
        Time limit of the measurements, without compilation and the correctness check.
    segment_seconds : float
        Approximate duration of a segment.
    """

    resolve: float = 0.03
    minutes: float = 2.0
    segment_seconds: float = 0.02

    def turns(self, comparisons: int) -> int:
        """Return the number of segments per comparison and side in one pair of processes.

        Parameters
        ----------
        comparisons : int
            Number of comparisons.

        Returns
        -------
        turns : int
            Chosen so that several pairs fit into the time limit.
        """
        in_turns = 60 * min(self.minutes, MINUTES_THAT_COUNT) / PAIRS_THAT_FIT * SHARE_IN_TURNS
        wanted = in_turns / (2 * self.segment_seconds * max(comparisons, 1))
        return round(min(max(wanted, FEWEST_TURNS), MOST_TURNS))

    def method(self) -> dict[str, Any]:
        """Return everything that determines the meaning of an alarm. Records that differ in it are never combined.

        Returns
        -------
        method : dict
            Version, constants, and the fields of the plan; for JSON.
        """
        return {
            "version": rule.METHOD,
            "comparison_error": rule.COMPARISON_ERROR,
            "check_error": rule.CHECK_ERROR,
            "power": rule.POWER,
            "target_share": TARGET_SHARE,
            "turns": [PAIRS_THAT_FIT, SHARE_IN_TURNS, FEWEST_TURNS, MOST_TURNS],
            **asdict(self),
        }


class Collected:
    """The pairs so far, and the comparisons that are not resolved yet.

    Parameters
    ----------
    comparisons : sequence of Comparison
        What to compare.
    resolve : float
        The slowdown that is to be detected, as a fraction.
    error : float
        Significance level of each comparison.

    Attributes
    ----------
    wanted : float
        The resolution at which a comparison is closed, as a fraction.
    still_open : list of Comparison
        The comparisons that are not resolved yet.
    pairs : list of Pair
        The pairs so far.
    """

    def __init__(self, comparisons: Sequence[Comparison], resolve: float, error: float) -> None:
        self.wanted = TARGET_SHARE * resolve
        self.error = error
        self.still_open = list(comparisons)
        self.pairs: list[Pair] = []

    def add(self, pair: Pair) -> None:
        """Add a pair, and close the comparisons that are now resolved.

        Only the absolute values of the log-ratios decide when to stop, never which side was slower. So stopping early
        does not change the error probability.

        Parameters
        ----------
        pair : Pair
            The new pair.
        """
        self.pairs.append(pair)
        for comparison in list(self.still_open):
            values = log_ratios(self.pairs, comparison.name)
            enough = len(values) >= rule.fewest_pairs(self.error) and len(values) % PAIRS_A_LOOK == 0
            if enough and rule.spread_resolution(values, self.error) <= self.wanted:
                self.still_open.remove(comparison)


def measure(
    base: Tree,
    tree: Tree,
    dataset: Dataset,
    comparisons: Sequence[Comparison],
    plan: Plan,
    error: float,
    tell: Tell = lambda _: None,
) -> tuple[list[Comparison], list[Pair]]:
    """Check both sides with the gate, then measure pairs until all comparisons are resolved or the time is over.

    Parameters
    ----------
    base, tree : Tree
        The two sides.
    dataset : Dataset
        Training and test images.
    comparisons : sequence of Comparison
        What to compare.
    plan : Plan
        Duration and resolution.
    error : float
        Probability of a false alarm of each comparison.
    tell : callable
        ``tell(text)``; called with progress messages.

    Returns
    -------
    comparisons : list of Comparison
        The comparisons, with the units of their segments.
    pairs : list of Pair
        The complete pairs.

    Raises
    ------
    GateError
        If a backend of either side fails the gate.
    MeasurementError
        If a side cannot be measured.
    """
    with tempfile.TemporaryDirectory(prefix="nnkernels-check-") as scratch:
        folder = Path(scratch)
        write_data(dataset, folder)
        tell("compiling both sides, and holding them against the oracle")
        # The processes are ended before the threads that wait for their answers, so that an error of one side, or
        # SIGTERM, does not have to wait for the other side.
        with ThreadPoolExecutor(2) as pool, ExitStack() as processes:
            both = [
                pool.submit(warm_up, process, folder, comparisons, dataset, plan.segment_seconds)
                for process in [processes.enter_context(started(side, folder)) for side in (base, tree)]
            ]
            units, _ = [one.result() for one in both]
        ready = [one.with_units(units[one.name], len(dataset.X_train)) for one in comparisons]
        collected = Collected(ready, plan.resolve, error)
        cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [ANY_CPU]
        rng = np.random.default_rng()
        ends = time.monotonic() + 60 * plan.minutes
        while collected.still_open and (left := ends - time.monotonic()) > 0:
            tell(
                f"pair {len(collected.pairs) + 1}, {len(collected.still_open)} comparisons not resolved yet, "
                f"{left:.0f} s left"
            )
            pair = measure_pair(
                base,
                tree,
                folder,
                cpus,
                collected.still_open,
                plan.turns(len(ready)),
                rng,
                lambda: time.monotonic() < ends,
            )
            if pair:
                collected.add(pair)
    return ready, collected.pairs


def log_ratios(pairs: Sequence[Pair], name: str) -> rule.Floats:
    """Return the log-ratio of each pair that measured a comparison.

    Parameters
    ----------
    pairs : sequence of Pair
        The pairs.
    name : str
        Name of the comparison.

    Returns
    -------
    log_ratios : ndarray of float64, shape (n_pairs,)
        Logarithms of the tree's time over the base's.
    """
    return np.array([log_ratio(pair.nanoseconds[name]) for pair in pairs if name in pair.nanoseconds])
