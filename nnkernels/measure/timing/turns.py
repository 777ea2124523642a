"""Records of turns, with the order and conditions of their segments, and the rule that excludes disturbed turns.

The rule was fixed before any run was evaluated. It uses only what is recorded, so it can be applied again:

- **A turn is disturbed** if others used more than a tenth of one CPU's time during it (:data:`MAX_DISTURBANCE`), or if
  a thread of this process was still computing when a segment began. Others are other processes and, through steal
  time, other guests of the host. The limit is a tenth of one CPU, not of all, because a team of threads waits for its
  slowest.
- **Times below the resolution of ticks do not count**: two ticks per CPU (:data:`RESOLUTION_SECONDS`). A tick is 10 ms,
  and a segment may be shorter, so turns are evaluated as a whole. The rule is less sensitive for short turns.
- **A disturbed turn is excluded for all tasks**, so that a disturbance never affects only one side of a ratio.
- **Each task keeps at least one turn**: if all of its turns are disturbed, the least disturbed one counts.
- **Involuntary context switches are recorded but not used.** A team with as many threads as CPUs is interrupted by any
  short job of the system, and by its own waiting threads. Steal time and the time of other processes already tell how
  long a CPU was lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from typing_extensions import TypedDict

from nnkernels.measure.timing.conditions import Counters

MAX_DISTURBANCE = 0.1
RESOLUTION_SECONDS = 0.02


class Turn(TypedDict):
    """One turn: a segment of each task. The lists have one entry per segment, in order of execution.

    Counters of a segment start at the end of the previous one, so that every tick belongs to some segment.

    Attributes
    ----------
    order : list of int
        Indices of the tasks.
    elapsed_ms : list of int
        Wall-clock milliseconds, including the wait before the segment.
    steal_ms, others_ms : list of int or None
        CPU milliseconds; see :class:`~nnkernels.measure.timing.conditions.Counters`. None if unknown.
    switches : list of int or None
        Involuntary context switches; None if unknown.
    not_at_rest : list of int
        Indices of the tasks whose segments began while a thread of this process was still computing.
    """

    order: list[int]
    elapsed_ms: list[int]
    steal_ms: list[int] | None
    others_ms: list[int] | None
    switches: list[int] | None
    not_at_rest: list[int]


class Turns(TypedDict):
    """All turns of a scenario.

    Attributes
    ----------
    seed : int
        Seed of the random orders. Each turn uses the next permutation of all tasks, from which tasks that have no
        segment in the turn are removed.
    tasks : list of str
        Names of the tasks.
    cpus : int
        Number of CPUs whose counters were read.
    rounds : list of list of Turn
        The turns of each round.
    """

    seed: int
    tasks: list[str]
    cpus: int
    rounds: list[list[Turn]]


@dataclass(frozen=True)
class Judgement:
    """The disturbed and the excluded turns of a scenario.

    Attributes
    ----------
    disturbed : ndarray of bool, shape (rounds, turns per round)
        Whether a turn was disturbed.
    left_out : ndarray of bool, shape (rounds, turns per round)
        Whether a turn is excluded. A disturbed turn is kept if it is the least disturbed one of a task without
        undisturbed turns.
    """

    disturbed: npt.NDArray[np.bool_]
    left_out: npt.NDArray[np.bool_]


def empty_turn() -> Turn:
    """Return a turn without segments.

    Returns
    -------
    turn : Turn
        All of its lists are empty.
    """
    return Turn(order=[], elapsed_ms=[], steal_ms=[], others_ms=[], switches=[], not_at_rest=[])


def add_segment(turn: Turn, place: int, at_rest: bool, before: Counters, after: Counters) -> None:
    """Append a segment to a turn.

    Parameters
    ----------
    turn : Turn
        The turn, changed in place.
    place : int
        Index of the task.
    at_rest : bool
        Whether all other threads were at rest when the segment began.
    before, after : Counters
        Readings at the end of the previous segment and of this one.
    """
    turn["order"].append(place)
    turn["elapsed_ms"].append(round(1e3 * (after.elapsed - before.elapsed)))
    turn["steal_ms"] = _appended(turn["steal_ms"], before.steal, after.steal, 1e3)
    turn["others_ms"] = _appended(turn["others_ms"], before.others, after.others, 1e3)
    turn["switches"] = _appended(turn["switches"], before.switches, after.switches, 1)
    if not at_rest:
        turn["not_at_rest"].append(place)


def disturbance(turn: Turn, cpus: int) -> float:
    """Return how much CPU time others took during a turn.

    Parameters
    ----------
    turn : Turn
        The turn.
    cpus : int
        Number of CPUs whose counters were read.

    Returns
    -------
    share : float
        CPU time of others over wall-clock time, plus 1 for each segment that began before other threads were at rest.
    """
    # If the guest's kernel charges stolen time to this process, the computed time of others is negative by that amount.
    milliseconds = sum(turn["steal_ms"] or []) + max(sum(turn["others_ms"] or []), 0)
    if milliseconds <= 1e3 * RESOLUTION_SECONDS * cpus:
        milliseconds = 0
    return milliseconds / max(sum(turn["elapsed_ms"]), 1) + len(turn["not_at_rest"])


def judge(turns: Turns, timed: Iterable[str]) -> Judgement:
    """Apply the rule to the turns of a scenario.

    Parameters
    ----------
    turns : Turns
        The turns.
    timed : iterable of str
        Names of the tasks that have times. Each keeps at least one turn.

    Returns
    -------
    judgement : Judgement
        The disturbed and the excluded turns.
    """
    shape = len(turns["rounds"]), max(map(len, turns["rounds"]), default=0)
    cpus = turns["cpus"]
    share = np.array([[disturbance(turn, cpus) for turn in round_] for round_ in turns["rounds"]]).reshape(shape)
    disturbed = share > MAX_DISTURBANCE
    left_out = disturbed.copy()
    places = {name: place for place, name in enumerate(turns["tasks"])}
    timed_places = [places[name] for name in timed]
    if not disturbed.any():
        return Judgement(disturbed, left_out)
    took_part = [
        np.array([[place in turn["order"] for turn in round_] for round_ in turns["rounds"]]).reshape(shape)
        for place in timed_places
    ]
    # Tasks with the fewest turns come first, because tasks with more turns took part in the same ones.
    for mask in sorted(took_part, key=np.count_nonzero):
        if mask.any() and left_out[mask].all():
            left_out[np.unravel_index(np.where(mask, share, np.inf).argmin(), shape)] = False
    return Judgement(disturbed, left_out)


def _appended(values: list[int] | None, before: float | None, after: float | None, scale: float) -> list[int] | None:
    if values is None or before is None or after is None:
        return None
    return [*values, round(scale * (after - before))]
