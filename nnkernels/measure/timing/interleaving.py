"""Paired timing: several tasks of one process alternate in short segments and are compared within each round.

The speed of a machine drifts by tens of percent between processes and hours, but little within a second. So tasks take
turns, and the statistic is the logarithm of the ratio of two segments of the same turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nnkernels.measure.timing.conditions import Machine
from nnkernels.measure.timing.settling import wait_until_idle
from nnkernels.measure.timing.turns import Turns, add_segment, empty_turn

SecondsByRound = dict[str, list[list[float]]]


@dataclass(frozen=True)
class Task:
    """Work to be timed in segments.

    Attributes
    ----------
    run : callable
        Performs one segment.
    units : float
        Units of work per segment, such as 0.1 for a tenth of an epoch, or 200 for 200 predictions.
    segments : int
        Segments per round.
    before : callable
        Called before each segment, to set the number of threads; not timed.
    warm_up : callable
        Called once before the first segment; not timed.
    """

    run: Callable[[], object]
    units: float
    segments: int = 1
    before: Callable[[], object] = lambda: None
    warm_up: Callable[[], object] = lambda: None


def alternate(
    tasks: Mapping[str, Task],
    rounds: int,
    errors: dict[str, Exception] | None = None,
    seed: int = 0,
    machine: Machine | None = None,
) -> tuple[SecondsByRound, Turns]:
    """Time tasks in turns.

    Within a round, the segments of all tasks are interleaved. Each turn has a new random order, so that a task does not
    always find the caches as the same predecessor left them.

    Parameters
    ----------
    tasks : mapping of str to Task
        The tasks by name.
    rounds : int
        Number of rounds.
    errors : dict, optional
        Receives the exception of each task that raises one; the other tasks continue. Tasks that are in it from the
        start are not timed. By default, exceptions propagate.
    seed : int
        Seed of the orders.
    machine : Machine, optional
        Its counters are read after each segment, which is not timed.

    Returns
    -------
    seconds : dict
        Seconds per unit of work of each task: for each of ``rounds`` rounds, a list of ``segments`` numbers. Disturbed
        turns are included.
    turns : Turns
        Orders and conditions, including the segments of tasks that failed later.
    """
    machine = machine or Machine()
    names = list(tasks)
    seconds: SecondsByRound = {name: [[] for _ in range(rounds)] for name in tasks}
    turns = Turns(seed=seed, tasks=names, cpus=len(machine.cpus), rounds=[])
    failed: dict[str, Exception] = {} if errors is None else errors
    orders = np.random.default_rng(seed)
    before = machine.read()
    for round_ in range(rounds):
        turns["rounds"].append([])
        for segment in range(max((task.segments for task in tasks.values()), default=0)):
            turn = empty_turn()
            turns["rounds"][-1].append(turn)
            for place in orders.permutation(len(names)).tolist():
                name, task, at_rest = names[place], tasks[names[place]], True
                if segment >= task.segments or name in failed:
                    continue
                try:
                    task.before()
                    at_rest = wait_until_idle()
                    started = time.perf_counter()
                    task.run()
                    seconds[name][round_].append((time.perf_counter() - started) / task.units)
                except Exception as error:
                    if errors is None:
                        raise
                    failed[name] = error
                after = machine.read()
                add_segment(turn, place, at_rest, before, after)
                before = after
    return {name: task_seconds for name, task_seconds in seconds.items() if name not in failed}, turns


def log_ratios(numerator: list[list[float]], denominator: list[list[float]]) -> npt.NDArray[np.float64]:
    """Return the logarithms of the paired ratios of two tasks' seconds.

    If both tasks have the same number of segments per round, they are paired segment by segment. Otherwise the means of
    their rounds are paired. NaN marks excluded segments: they are ignored in means, and a pair with a NaN is dropped.

    Parameters
    ----------
    numerator, denominator : list of list of float
        Seconds, one list per round.

    Returns
    -------
    log_ratios : ndarray of float64, shape (pairs,)
        Natural logarithms of numerator over denominator.
    """
    a, b = [np.asarray(values, np.float64) for values in (numerator, denominator)]
    if a.shape[1] != b.shape[1]:
        a, b = _means(a), _means(b)
    ratios = (np.log(a) - np.log(b)).ravel()
    return np.asarray(ratios[~np.isnan(ratios)])


def _means(rounds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the mean of each round without NaN; NaN if nothing is left."""
    present = ~np.isnan(rounds)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(present, rounds, 0.0).sum(axis=1) / present.sum(axis=1))
