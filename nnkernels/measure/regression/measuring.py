"""Pairs of processes, one after another, until the comparisons are resolved or the time is over."""

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

# A comparison is resolved where the resolution is this share of what was asked for: a slowdown of the size that was
# asked for is then found nearly always, and not just four times in five.
TARGET_SHARE = 2 / 3
PAIRS_A_LOOK = 4  # the spread is looked at whenever there are so many more

# Of a pair's time, starting its processes is the larger part where little is compared, and turns are cheap; but each
# pair is one sample, so that some have to fit into the time limit.
PAIRS_THAT_FIT = 16
SHARE_IN_TURNS = 0.6
FEWEST_TURNS, MOST_TURNS = 6, 40

Tell = Callable[[str], object]


@dataclass(frozen=True)
class Plan:
    """How long is measured, and how.

    Attributes
    ----------
    resolve : float
        The slowdown, as a share, that is to be found.
    minutes : float
        After which no more is measured, compiling and the gate not counted.
    segment_seconds : float
        What a segment takes about.
    """

    resolve: float = 0.03
    minutes: float = 2.0
    segment_seconds: float = 0.02

    def turns(self, comparisons: int) -> int:
        """Return how many segments each side does of each of so many comparisons, in a pair of processes."""
        in_turns = 60 * self.minutes / PAIRS_THAT_FIT * SHARE_IN_TURNS
        wanted = in_turns / (2 * self.segment_seconds * max(comparisons, 1))
        return round(min(max(wanted, FEWEST_TURNS), MOST_TURNS))

    def method(self) -> dict[str, Any]:
        """Return all that decides what an alarm means; measurements that differ in it are not put together."""
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
    """The pairs so far, and what is still to be measured."""

    def __init__(self, comparisons: Sequence[Comparison], resolve: float, error: float) -> None:
        self.wanted = TARGET_SHARE * resolve
        self.error = error
        self.still_open = list(comparisons)
        self.pairs: list[Pair] = []

    def add(self, pair: Pair) -> None:
        """Take a pair, and close what is resolved by it.

        The sizes of the log-ratios alone decide, and never which side was slower: so the error stays what it is.
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
    """Let both sides pass the gate, then measure pairs until all comparisons are resolved or the time is over.

    Parameters
    ----------
    error : float
        The probability of a false alarm of each comparison.
    tell : callable
        Is told what goes on.

    Returns
    -------
    comparisons, pairs
        The comparisons with the units of their segments.

    Raises
    ------
    GateError, MeasurementError
        If a side cannot be measured.
    """
    with tempfile.TemporaryDirectory(prefix="nnkernels-check-") as scratch:
        folder = Path(scratch)
        write_data(dataset, folder)
        tell("compiling both sides, and holding them against the oracle")
        # Processes end before the threads that wait for their answers: an error of one side, or SIGTERM, need not wait.
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
    """Return the log-ratio of each pair that measured a comparison."""
    return np.array([log_ratio(pair.nanoseconds[name]) for pair in pairs if name in pair.nanoseconds])
