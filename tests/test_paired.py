"""Paired timing: who is timed, when, and what is compared with what."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pytest

from nnkernels.measure import paired
from nnkernels.measure.paired import Task, alternate, log_ratios, rest


def test_tasks_take_turns_and_each_begins_as_often(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    clock = iter(range(1000))
    monkeypatch.setattr(paired.time, "perf_counter", lambda: float(next(clock)))
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


@pytest.mark.parametrize(("busy_seconds", "comes_to_rest"), [(0.0, True), (0.04, True), (1.0, False)])
def test_rest_waits_for_threads_that_spin_on_but_not_for_ever(busy_seconds, comes_to_rest, monkeypatch):
    # A clock that goes on by a tenth of a millisecond at each look; this thread computes all the time.
    wall = [100.0]

    def perf_counter():
        wall[0] += 1e-4
        return wall[0]

    def process_time():
        passed = wall[0] - 100.0
        return passed + min(passed, busy_seconds)

    clock = SimpleNamespace(perf_counter=perf_counter, process_time=process_time, thread_time=lambda: wall[0] - 100.0)
    monkeypatch.setattr(paired, "time", clock)
    assert rest() == comes_to_rest
    waited = wall[0] - 100.0
    if comes_to_rest:
        assert busy_seconds < waited <= busy_seconds + 2.5 * paired.REST_SECONDS
    else:
        assert waited == pytest.approx(paired.LONGEST_REST_SECONDS, abs=2 * paired.REST_SECONDS)
