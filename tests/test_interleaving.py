"""Paired timing: who is timed, when, and what is compared with what."""

from __future__ import annotations

import time

import numpy as np
import pytest

from nnkernels.measure.timing import interleaving
from nnkernels.measure.timing.interleaving import Task, alternate, log_ratios


def test_tasks_take_turns_and_each_begins_as_often(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    clock = iter(range(1000))
    monkeypatch.setattr(interleaving.time, "perf_counter", lambda: float(next(clock)))
    tasks = {name: Task(lambda name=name: calls.append(name), units=0.1, segments=3) for name in "abc"}
    seconds = alternate(tasks, rounds=2)
    assert all(np.shape(of_task) == (2, 3) for of_task in seconds.values())
    # The clock ticks once a reading: every segment took 1 s for a tenth of the work.
    assert all(value == pytest.approx(10.0) for of_task in seconds.values() for round_ in of_task for value in round_)
    turns = [calls[i : i + 3] for i in range(0, len(calls), 3)]
    assert all(sorted(turn) == ["a", "b", "c"] for turn in turns)
    assert sorted(turn[0] for turn in turns) == ["a", "a", "b", "b", "c", "c"]


def test_what_precedes_a_segment_is_outside_the_clock() -> None:
    task = Task(lambda: None, units=1, segments=1, before=lambda: time.sleep(0.2))
    assert alternate({"quick": task}, rounds=1)["quick"][0][0] < 0.2


def test_log_ratios_pair_segment_by_segment() -> None:
    # The machine halves its speed in the second round; the ratio does not notice.
    assert log_ratios([[2.0, 4.0], [8.0, 8.0]], [[1.0, 2.0], [4.0, 4.0]]) == pytest.approx(np.log(2) * np.ones(4))


def test_log_ratios_of_unequal_segments_pair_the_rounds() -> None:
    assert log_ratios([[6.0], [12.0]], [[1.0, 3.0], [2.0, 6.0]]) == pytest.approx(np.log([3.0, 3.0]))
