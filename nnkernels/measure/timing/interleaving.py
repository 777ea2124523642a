"""Paired timing: several tasks in one process, alternating in short segments, compared within each round.

A machine's speed drifts by tens of percent between processes and hours, and by little within a second.
So contenders take turns, and what is compared is the logarithm of the ratio of neighbouring segments.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nnkernels.measure.timing.settling import rest

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


def alternate(tasks: Mapping[str, Task], rounds: int, lost: dict[str, Exception] | None = None) -> SecondsByRound:
    """Time the tasks in turns.

    Within a round, each task's segments are interleaved with the others'; who begins rotates, so that each
    follows each.

    Parameters
    ----------
    lost : dict, optional
        Takes the error of each task that raises one; that task is left out, and the others go on. Without it, the
        error is the caller's. The tasks that are in it at the start are not timed.

    Returns
    -------
    dict
        For each task, seconds per unit of work: ``rounds`` lists of ``segments`` numbers.
    """
    seconds: SecondsByRound = {name: [[] for _ in range(rounds)] for name in tasks}
    out: dict[str, Exception] = {} if lost is None else lost
    turn = 0
    for round_ in range(rounds):
        for segment in range(max((task.segments for task in tasks.values()), default=0)):
            names = [name for name, task in tasks.items() if segment < task.segments and name not in out]
            turn += 1
            for i in range(len(names)):
                name = names[(i + turn) % len(names)]
                task = tasks[name]
                try:
                    task.before()
                    rest()
                    started = time.perf_counter()
                    task.run()
                    seconds[name][round_].append((time.perf_counter() - started) / task.units)
                except Exception as error:
                    if lost is None:
                        raise
                    out[name] = error
    return {name: of_task for name, of_task in seconds.items() if name not in out}


def log_ratios(numerator: list[list[float]], denominator: list[list[float]]) -> npt.NDArray[np.float64]:
    """Return the logarithms of the paired ratios of two tasks' seconds.

    Tasks with the same number of segments a round are paired segment by segment; others by the rounds' means.
    """
    a, b = [np.asarray(values, np.float64) for values in (numerator, denominator)]
    if a.shape[1] != b.shape[1]:
        a, b = a.mean(axis=1), b.mean(axis=1)
    return np.asarray(np.log(a) - np.log(b)).ravel()
