"""Paired timing: several tasks in one process, alternating in short segments, compared within each round.

A machine's speed drifts by tens of percent between processes and hours, and by little within a second.
So contenders take turns, and what is compared is the logarithm of the ratio of segments of one turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nnkernels.measure.timing.conditions import Machine
from nnkernels.measure.timing.settling import rest
from nnkernels.measure.timing.turns import Turns, add_segment, empty_turn

SecondsByRound = dict[str, list[list[float]]]


@dataclass(frozen=True)
class Task:
    """Work to be timed in segments.

    Attributes
    ----------
    run : callable
        Does one segment.
    units : float
        How many units of work a segment is (a tenth of an epoch: 0.1; 200 predictions: 200).
    segments : int
        Segments a round.
    before : callable
        Called before each segment, outside the clock (to set the number of threads).
    warm_up : callable
        Called once before all, outside the clock.
    """

    run: Callable[[], object]
    units: float
    segments: int = 1
    before: Callable[[], object] = lambda: None
    warm_up: Callable[[], object] = lambda: None


def alternate(
    tasks: Mapping[str, Task],
    rounds: int,
    lost: dict[str, Exception] | None = None,
    seed: int = 0,
    machine: Machine | None = None,
) -> tuple[SecondsByRound, Turns]:
    """Time the tasks in turns.

    Within a round, each task's segments are interleaved with the others'. The order of each turn is drawn at random,
    so that no task always finds the caches as the same other one has left them.

    Parameters
    ----------
    lost : dict, optional
        Takes the error of each task that raises one; that task is left out, and the others go on. Without it, the
        error is the caller's. The tasks that are in it at the start are not timed.
    seed : int
        Of the orders.
    machine : Machine, optional
        Whose counters are read after each segment, outside the clock.

    Returns
    -------
    seconds : dict
        For each task, seconds per unit of work: ``rounds`` lists of ``segments`` numbers. Disturbed turns are in it.
    turns : Turns
        Orders and conditions, those of tasks that were lost later included.
    """
    machine = machine or Machine()
    names = list(tasks)
    seconds: SecondsByRound = {name: [[] for _ in range(rounds)] for name in tasks}
    turns = Turns(seed=seed, tasks=names, cpus=len(machine.cpus), rounds=[])
    out: dict[str, Exception] = {} if lost is None else lost
    orders = np.random.default_rng(seed)
    before = machine.read()
    for round_ in range(rounds):
        turns["rounds"].append([])
        for segment in range(max((task.segments for task in tasks.values()), default=0)):
            turn = empty_turn()
            turns["rounds"][-1].append(turn)
            for place in orders.permutation(len(names)).tolist():
                name, task, at_rest = names[place], tasks[names[place]], True
                if segment >= task.segments or name in out:
                    continue
                try:
                    task.before()
                    at_rest = rest()
                    started = time.perf_counter()
                    task.run()
                    seconds[name][round_].append((time.perf_counter() - started) / task.units)
                except Exception as error:
                    if lost is None:
                        raise
                    out[name] = error
                after = machine.read()
                add_segment(turn, place, at_rest, before, after)
                before = after
    return {name: of_task for name, of_task in seconds.items() if name not in out}, turns


def log_ratios(numerator: list[list[float]], denominator: list[list[float]]) -> npt.NDArray[np.float64]:
    """Return the logarithms of the paired ratios of two tasks' seconds.

    Tasks with the same number of segments a round are paired segment by segment; others by the rounds' means. NaN
    stands for what is left out: it has no part in a mean, and a pair without one of its sides is no pair.

    Returns
    -------
    ndarray of float64, shape (pairs,)
    """
    a, b = [np.asarray(values, np.float64) for values in (numerator, denominator)]
    if a.shape[1] != b.shape[1]:
        a, b = _means(a), _means(b)
    ratios = (np.log(a) - np.log(b)).ravel()
    return np.asarray(ratios[~np.isnan(ratios)])


def _means(rounds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the mean of each round's numbers, NaN where there are none."""
    present = ~np.isnan(rounds)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(present, rounds, 0.0).sum(axis=1) / present.sum(axis=1))
