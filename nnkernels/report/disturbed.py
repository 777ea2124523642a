"""The note on disturbed turns below a table."""

from __future__ import annotations

from collections.abc import Sequence

from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.measure.timing.turns import MAX_DISTURBANCE, Turn


def notes(interleaved: Sequence[InterleavedRun]) -> list[str]:
    """Describe how many turns of a run were disturbed and excluded.

    Parameters
    ----------
    interleaved : sequence of InterleavedRun
        All processes of the run.

    Returns
    -------
    notes : list of str
        At most one note. It is empty for old runs, which did not record the conditions of their turns.
    """
    # If a scenario is timed in the turns of another one, its entry is the name of that scenario, so no turn is
    # counted twice.
    by_scenario = [
        (turns, measured.judged(scenario))
        for measured in interleaved
        for scenario, turns in measured.turns.items()
        if not isinstance(turns, str)
    ]
    all_turns = [turn for turns, _judged in by_scenario for round_ in turns["rounds"] for turn in round_]
    if not all_turns:
        return []
    left_out = sum(int(judged.left_out.sum()) for _turns, judged in by_scenario if judged)
    kept = sum(int(judged.disturbed.sum()) for _turns, judged in by_scenario if judged) - left_out
    text = (
        f"{left_out:,} of {len(all_turns):,} turns {_were(left_out)} disturbed and excluded for all contenders: other "
        f"processes or virtual machines used more than {100 * MAX_DISTURBANCE:.0f} % of a CPU, or threads of the "
        "measured process were still busy."
    )
    if kept:
        text += f" {kept:,} more {_were(kept)} disturbed but kept: a contender had no undisturbed turn in its process."
    if not all(map(_has_cpu_times, all_turns)):
        text += " The system does not report the CPU time of others, so only the threads were checked."
    return [text]


def _has_cpu_times(turn: Turn) -> bool:
    return turn["steal_ms"] is not None and turn["others_ms"] is not None


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
