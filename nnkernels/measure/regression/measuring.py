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
from nnkernels.measure.regression.sides import ANY_CPU, Tree, running_side

# Measuring stops when the resolution is this fraction of the requested one. A slowdown of the requested size is then
# detected almost always, not just with a probability of 80 %.
TARGET_SHARE = 2 / 3
PAIRS_PER_LOOK = 4  # number of new pairs between two evaluations of the stopping rule

# If there are few comparisons, a pair spends most of its time on starting processes, so more turns cost little. But a
# pair is only one sample, so several pairs must fit into the time limit.
PAIRS_WITHIN_TIME_LIMIT = 16
MAX_MINUTES_OF_TURNS = 2.0  # a longer time limit means more pairs, not longer ones
TIMED_SHARE = 0.6  # fraction of a pair's time that is spent in timed segments
MIN_TURNS, MAX_TURNS = 6, 40

ShowProgress = Callable[[str], object]


@dataclass(frozen=True)
class Plan:
    """Duration and resolution of a check.

    Attributes
    ----------
    resolve : float
        Smallest slowdown to detect, as a fraction.
    minutes : float
        Time limit of the measurements, without compilation and the correctness check.
    segment_seconds : float
        Approximate duration of a segment.
    """

    resolve: float = 0.03
    minutes: float = 5.0
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
        timed_seconds = 60 * min(self.minutes, MAX_MINUTES_OF_TURNS) / PAIRS_WITHIN_TIME_LIMIT * TIMED_SHARE
        turns = timed_seconds / (2 * self.segment_seconds * max(comparisons, 1))
        return round(min(max(turns, MIN_TURNS), MAX_TURNS))

    def method(self) -> dict[str, Any]:
        """Return all settings that determine what an alarm means. Records with different settings are never combined.

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
            "turns": [PAIRS_WITHIN_TIME_LIMIT, TIMED_SHARE, MIN_TURNS, MAX_TURNS],
            **asdict(self),
        }


class Collected:
    """The pairs so far, and the comparisons that are not resolved yet.

    Parameters
    ----------
    comparisons : sequence of Comparison
        What to compare.
    resolve : float
        Smallest slowdown to detect, as a fraction.
    error : float
        Significance level of each comparison.

    Attributes
    ----------
    target : float
        The resolution at which a comparison is closed, as a fraction.
    unresolved : list of Comparison
        The comparisons that are not resolved yet.
    pairs : list of Pair
        The pairs so far.
    """

    def __init__(self, comparisons: Sequence[Comparison], resolve: float, error: float) -> None:
        self.target = TARGET_SHARE * resolve
        self.error = error
        self.unresolved = list(comparisons)
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
        for comparison in list(self.unresolved):
            values = log_ratios(self.pairs, comparison.name)
            enough = len(values) >= rule.fewest_pairs(self.error) and len(values) % PAIRS_PER_LOOK == 0
            if enough and rule.spread_resolution(values, self.error) <= self.target:
                self.unresolved.remove(comparison)


def measure(
    base: Tree,
    tree: Tree,
    dataset: Dataset,
    comparisons: Sequence[Comparison],
    plan: Plan,
    error: float,
    show_progress: ShowProgress = lambda _: None,
) -> tuple[list[Comparison], list[Pair]]:
    """Check both sides with the gate, then measure pairs until all comparisons are resolved or time runs out.

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
    show_progress : callable
        ``show_progress(text)``; called with progress messages.

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
        show_progress("compiling both versions, and checking them against the oracle")
        # Leaving this block ends the processes first, then the threads that wait for their answers. So after an error
        # on one side, or SIGTERM, nothing waits for the other side.
        with ThreadPoolExecutor(2) as pool, ExitStack() as processes:
            both = [
                pool.submit(warm_up, process, folder, comparisons, dataset, plan.segment_seconds)
                for process in [processes.enter_context(running_side(side, folder)) for side in (base, tree)]
            ]
            units, _ = [one.result() for one in both]
        ready = [one.with_units(units[one.name], len(dataset.X_train)) for one in comparisons]
        collected = Collected(ready, plan.resolve, error)
        cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [ANY_CPU]
        rng = np.random.default_rng()
        deadline = time.monotonic() + 60 * plan.minutes
        while collected.unresolved and (left := deadline - time.monotonic()) > 0:
            show_progress(
                f"pair {len(collected.pairs) + 1}: {len(collected.unresolved)} of {len(ready)} comparisons unresolved, "
                f"{left:.0f} s left"
            )
            pair = measure_pair(
                base,
                tree,
                folder,
                cpus,
                collected.unresolved,
                plan.turns(len(ready)),
                rng,
                lambda: time.monotonic() < deadline,
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
