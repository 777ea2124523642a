"""A pair of fresh processes, one of each side, that take turns on one CPU.

A shared machine's CPUs slow down for minutes, each by itself, and a process keeps what its place in memory costs it.
On one CPU, in turns of some hundredths of a second, both sides meet the same speed; what the places in memory do is
left, so the pair of processes is the unit of every inference.
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
from nnkernels.measure.regression.sides import OnSide, SideProcess, Tree, started

SIDES = ("base", "tree")

# Of each segment, by the name of the comparison and the side: {"fused epoch": {"base": [...], "tree": [...]}}.
Nanoseconds = dict[str, dict[str, list[int]]]

CALIBRATION_RUNS = 3


@dataclass(frozen=True)
class Pair:
    """What one pair of processes measured.

    Attributes
    ----------
    cpu : int
        Where both ran; -1 where processes cannot be pinned.
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
    go_on: Callable[[], bool] = lambda: True,
) -> Pair | None:
    """Time comparisons in a fresh pair of processes on one of the CPUs.

    A turn of a scenario holds a segment of each side of each backend. The backends come in a random order, and the
    two sides of a backend one right after the other, in a random order too.

    Parameters
    ----------
    cpus : sequence of int
        The processes start on two neighbouring ones, at the same time, and then meet on one of the two.
    comparisons : sequence of Comparison
        With their units.
    go_on : callable
        Is asked before each turn; what it ends is no pair.
    """
    nanoseconds: Nanoseconds = {comparison.name: {side: [] for side in SIDES} for comparison in comparisons}
    place = int(rng.integers(max(len(cpus) - 1, 1)))
    where = [int(cpu) for cpu in rng.permutation(cpus[place : place + 2])]
    with ExitStack() as stack:
        processes: dict[str, SideProcess] = {}
        for i, start in zip(rng.permutation(2), (where[0], where[-1]), strict=True):
            processes[SIDES[i]] = stack.enter_context(started((base, tree)[i], folder, start))
        work = _prepared(processes, comparisons)
        for process in processes.values():
            process.move(where[0])
        for scenario in dict.fromkeys(comparison.scenario for comparison in comparisons):
            taking_part = [comparison for comparison in comparisons if comparison.scenario == scenario]
            for _ in range(turns):
                if not go_on():
                    return None
                for i in rng.permutation(len(taking_part)):
                    name = taking_part[i].name
                    for side in (SIDES[j] for j in rng.permutation(2)):
                        nanoseconds[name][side] += processes[side].ask("run", work=work[name, side])
    return Pair(where[0], nanoseconds)


def _prepared(processes: dict[str, SideProcess], comparisons: Sequence[Comparison]) -> dict[tuple[str, str], int]:
    """Let both sides prepare all work at once, and return its numbers."""
    for side, process in processes.items():
        for comparison in comparisons:
            process.tell("add", **comparison.work(comparison.units, slowed=side == "tree"))
    work = {}
    for side, process in processes.items():
        for comparison in comparisons:
            work[comparison.name, side] = process.answer()
    return work


def warm_up(
    process: SideProcess, folder: Path, comparisons: Sequence[Comparison], dataset: Dataset, segment_seconds: float
) -> dict[str, int]:
    """Let every backend of a fresh process pass the gate by each recipe, compile what is timed, and decide on segments.

    Returns
    -------
    dict
        Of each comparison, by its name, the units that take about ``segment_seconds``.

    Raises
    ------
    GateError
        If a backend departs from the oracle of the nnkernels that runs here.
    MeasurementError
        If the tree has another package, lacks a backend, or a process fails.
    """
    units = {}
    process.require_own_package()
    for backend, recipe in dict.fromkeys((one.backend, SCENARIOS[one.scenario].recipe) for one in comparisons):
        try:
            gate.require(backend, OnSide(process, backend, folder), dataset, recipe)
        except GateError as error:
            raise GateError(f"{process.tree.name}: {error}") from error
    for comparison in comparisons:
        most = comparison.most_units(len(dataset.X_train))
        few = max(1, most // 50) if SCENARIOS[comparison.scenario].kind == "train" else 1
        work = process.ask("add", **comparison.work(few))
        seconds = 1e-9 * float(np.median(process.ask("run", work=work, times=CALIBRATION_RUNS))) / few
        units[comparison.name] = int(np.clip(round(segment_seconds / seconds), 1, most))
    return units


def log_ratio(nanoseconds: dict[str, list[int]]) -> float:
    """Return what a pair says of a comparison: the median over turns of the log-ratio, tree to base."""
    return float(np.median(np.log(nanoseconds["tree"]) - np.log(nanoseconds["base"])))
