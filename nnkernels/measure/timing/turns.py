"""Turns as they are recorded: in which order the tasks came, under which conditions, and which turns count.

The rule was fixed before any run was judged by it. It reads nothing but the record, so it can be applied again:

- **A turn is disturbed** if others took more than a tenth of one CPU's time during it (:data:`MOST_TAKEN`), or if a
  thread of this process still computed when a segment began. Others are other processes and, by steal time, other
  guests of the host. A tenth of one CPU, not of all: a team of threads waits for its slowest.
- **What ticks cannot tell from nothing does not count**: two ticks a CPU (:data:`UNSEEN_SECONDS`). So turns are judged
  as a whole. A segment can take milliseconds, a tick is ten. Short turns are judged less sharply for it.
- **A disturbed turn is left out for all tasks**, so that a disturbance never shifts one side of a ratio alone.
- **Nobody is left without a time**: where all turns of a task are disturbed, the least disturbed of them counts.
- **Involuntary switches are evidence only.** A team with as many threads as CPUs is switched by any short job of the
  system, and by its own waiting threads. How long the CPU was lost is what steal and other processes' time say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from nnkernels.measure.timing.conditions import Counters

MOST_TAKEN = 0.1
UNSEEN_SECONDS = 0.02


class Turn(TypedDict):
    """A turn. Its lists have an entry a segment, in the order in which they came.

    What belongs to a segment is what happened since the end of the one before it, so that no tick falls between two.

    Attributes
    ----------
    order : list of int
        Places of the tasks in the list of all.
    elapsed_ms : list of int
        Milliseconds, the waiting before the segment included.
    steal_ms, others_ms : list of int, or None where it is not told
        CPU milliseconds; see :class:`~nnkernels.measure.timing.conditions.Counters`.
    switches : list of int, or None where it is not told
    not_at_rest : list of int
        Those of the tasks before whose segments a thread of this process still computed.
    """

    order: list[int]
    elapsed_ms: list[int]
    steal_ms: list[int] | None
    others_ms: list[int] | None
    switches: list[int] | None
    not_at_rest: list[int]


class Turns(TypedDict):
    """The turns of a scenario.

    Attributes
    ----------
    seed : int
        Of the orders: those of a generator's permutations of all tasks, a turn each, without the tasks that have no
        part in the turn.
    tasks : list of str
    cpus : int
        Number of the CPUs that were looked at.
    rounds : list of list of Turn
        The turns of each round.
    """

    seed: int
    tasks: list[str]
    cpus: int
    rounds: list[list[Turn]]


@dataclass(frozen=True)
class Judgement:
    """Which turns of a scenario are disturbed, and which are left out.

    Attributes
    ----------
    disturbed, left_out : ndarray of bool, shape (rounds, turns a round)
        Those that are disturbed and not left out are the least disturbed of a task that has no others.
    """

    disturbed: npt.NDArray[np.bool_]
    left_out: npt.NDArray[np.bool_]


def empty_turn() -> Turn:
    """Return a turn before its first segment."""
    return Turn(order=[], elapsed_ms=[], steal_ms=[], others_ms=[], switches=[], not_at_rest=[])


def add_segment(turn: Turn, place: int, at_rest: bool, before: Counters, after: Counters) -> None:
    """Add a segment of the task at a place, between two readings of the counters."""
    turn["order"].append(place)
    turn["elapsed_ms"].append(round(1e3 * (after.elapsed - before.elapsed)))
    turn["steal_ms"] = _appended(turn["steal_ms"], before.steal, after.steal, 1e3)
    turn["others_ms"] = _appended(turn["others_ms"], before.others, after.others, 1e3)
    turn["switches"] = _appended(turn["switches"], before.switches, after.switches, 1)
    if not at_rest:
        turn["not_at_rest"].append(place)


def taken(turn: Turn, cpus: int) -> float:
    """Return how much of one CPU's time others took during a turn; 1 more for each segment begun without rest."""
    # Where the guest's kernel takes stolen time for this process' own, others' is less than nothing by as much.
    milliseconds = sum(turn["steal_ms"] or []) + max(sum(turn["others_ms"] or []), 0)
    if milliseconds <= 1e3 * UNSEEN_SECONDS * cpus:
        milliseconds = 0
    return milliseconds / max(sum(turn["elapsed_ms"]), 1) + len(turn["not_at_rest"])


def judge(turns: Turns, timed: Iterable[str]) -> Judgement:
    """Apply the rule to the turns of a scenario.

    Parameters
    ----------
    timed : iterable of str
        The tasks that have times, none of which may be left without.
    """
    shape = len(turns["rounds"]), max(map(len, turns["rounds"]), default=0)
    share = np.array([[taken(turn, turns["cpus"]) for turn in round_] for round_ in turns["rounds"]]).reshape(shape)
    disturbed = share > MOST_TAKEN
    left_out = disturbed.copy()
    took_part = {
        name: np.array([[place in turn["order"] for turn in round_] for round_ in turns["rounds"]]).reshape(shape)
        for place, name in enumerate(turns["tasks"])
    }
    # Those with the fewest turns choose first, because the others were in these turns too.
    for mask in sorted((took_part[name] for name in timed), key=np.count_nonzero):
        if mask.any() and left_out[mask].all():
            left_out[np.unravel_index(np.where(mask, share, np.inf).argmin(), shape)] = False
    return Judgement(disturbed, left_out)


def _appended(values: list[int] | None, before: float | None, after: float | None, scale: float) -> list[int] | None:
    if values is None or before is None or after is None:
        return None
    return [*values, round(scale * (after - before))]
