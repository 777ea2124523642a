"""Pairs of fresh processes, one per side, that take turns on one CPU.

On a shared machine, each CPU may be slow for minutes, independently of the others. Within a process, the placement of
its memory shifts all times by a constant factor. Two processes that alternate on one CPU every few hundredths of a
second run at the same speed, which leaves only the effect of the memory placement. So the statistical unit is the pair
of processes, not the segment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnkernels.data import Dataset
from nnkernels.errors import GateError
from nnkernels.measure.correctness import gate
from nnkernels.measure.regression.comparisons import SCENARIOS, Comparison
from nnkernels.measure.regression.remote_contender import RemoteContender
from nnkernels.measure.regression.sides import SideProcess, Tree, running_side

SIDES = ("base", "tree")

# The time of each segment, by comparison and side: {"fused epoch": {"base": [...], "tree": [...]}}.
Nanoseconds = dict[str, dict[str, list[int]]]

CALIBRATION_RUNS = 3


@dataclass(frozen=True)
class Pair:
    """The measurements of one pair of processes.

    Attributes
    ----------
    cpu : int
        The CPU on which both ran; -1 if processes cannot be pinned.
    nanoseconds : dict
        ``nanoseconds[comparison][side]``: the time of each segment. Sides are ``base`` and ``tree``.
    """

    cpu: int
    nanoseconds: Nanoseconds


def measure_pair(
    base: Tree,
    tree: Tree,
    folder: Path,
    cpus: Sequence[int],
    comparisons: Sequence[Comparison],
    turns: int,
    rng: np.random.Generator,
    may_continue: Callable[[], bool] = lambda: True,
) -> Pair | None:
    """Time comparisons in a fresh pair of processes on one CPU.

    A turn of a scenario has one segment of each backend on each side. The backends are in random order. A backend's two
    sides follow one another directly, also in random order.

    Parameters
    ----------
    base, tree : Tree
        The two sides.
    folder : Path
        The folder of the data.
    cpus : sequence of int
        Available CPUs. The two processes start simultaneously on two adjacent ones, and then run on one of the two.
    comparisons : sequence of Comparison
        What to time, with units.
    turns : int
        Number of turns.
    rng : Generator
        Source of the random orders and CPUs.
    may_continue : callable
        ``may_continue() -> bool``; called before each turn.

    Returns
    -------
    pair : Pair or None
        None if ``may_continue`` has returned False.
    """
    nanoseconds: Nanoseconds = {comparison.name: {side: [] for side in SIDES} for comparison in comparisons}
    place = int(rng.integers(max(len(cpus) - 1, 1)))
    where = [int(cpu) for cpu in rng.permutation(cpus[place : place + 2])]
    with ExitStack() as stack:
        processes: dict[str, SideProcess] = {}
        for i, start in zip(rng.permutation(2), (where[0], where[-1]), strict=True):
            processes[SIDES[i]] = stack.enter_context(running_side((base, tree)[i], folder, start))
        work = _prepared(processes, comparisons)
        for process in processes.values():
            process.move(where[0])
        for scenario in dict.fromkeys(comparison.scenario for comparison in comparisons):
            taking_part = [comparison for comparison in comparisons if comparison.scenario == scenario]
            for _ in range(turns):
                if not may_continue():
                    return None
                for i in rng.permutation(len(taking_part)):
                    name = taking_part[i].name
                    for side in (SIDES[j] for j in rng.permutation(2)):
                        nanoseconds[name][side] += processes[side].ask("run", work=work[name, side])
    return Pair(where[0], nanoseconds)


def _prepared(processes: dict[str, SideProcess], comparisons: Sequence[Comparison]) -> dict[tuple[str, str], int]:
    """Let both processes prepare all work in parallel; return the identifiers of the work."""
    for side, process in processes.items():
        for comparison in comparisons:
            process.send("add", **comparison.work(comparison.units, slowed=side == "tree"))
    work = {}
    for side, process in processes.items():
        for comparison in comparisons:
            work[comparison.name, side] = process.answer()
    return work


def warm_up(
    process: SideProcess, folder: Path, comparisons: Sequence[Comparison], dataset: Dataset, segment_seconds: float
) -> dict[str, int]:
    """Check every backend of a fresh process with the gate, compile what is timed, and choose the size of the segments.

    Parameters
    ----------
    process : SideProcess
        A fresh process.
    folder : Path
        The folder of the data.
    comparisons : sequence of Comparison
        What will be timed.
    dataset : Dataset
        The source of the gate's images.
    segment_seconds : float
        Desired duration of a segment.

    Returns
    -------
    units : dict
        For each comparison's name, the number of units that take about ``segment_seconds``.

    Raises
    ------
    GateError
        If a backend differs from the oracle of the calling process.
    MeasurementError
        If the process does not import nnkernels from its tree, lacks a backend, or fails.
    """
    units = {}
    process.require_own_package()
    for backend, recipe in dict.fromkeys((one.backend, SCENARIOS[one.scenario].recipe) for one in comparisons):
        try:
            gate.require(backend, RemoteContender(process, backend, folder), dataset, recipe)
        except GateError as error:
            raise GateError(f"{process.tree.name}: {error}") from error
    for comparison in comparisons:
        max_units = comparison.max_units(len(dataset.X_train))
        calibration_units = max(1, max_units // 50) if SCENARIOS[comparison.scenario].kind == "train" else 1
        work = process.ask("add", **comparison.work(calibration_units))
        seconds = 1e-9 * float(np.median(process.ask("run", work=work, times=CALIBRATION_RUNS))) / calibration_units
        units[comparison.name] = int(np.clip(round(segment_seconds / seconds), 1, max_units))
    return units


def log_ratio(nanoseconds: dict[str, list[int]]) -> float:
    """Return the log-ratio of one pair for a comparison.

    Parameters
    ----------
    nanoseconds : dict
        The times of the segments, by side.

    Returns
    -------
    log_ratio : float
        Median over turns of the logarithm of the tree's time over the base's.
    """
    return float(np.median(np.log(nanoseconds["tree"]) - np.log(nanoseconds["base"])))
