"""Interleaved timing: the order of the tasks, the recorded conditions, and the paired ratios."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator

import numpy as np
import pytest

from nnkernels.measure.timing import interleaving
from nnkernels.measure.timing.conditions import Counters, Machine
from nnkernels.measure.timing.interleaving import Task, alternate, log_ratios
from nnkernels.measure.timing.turns import Turns


class Scripted(Machine):
    """A machine with two CPUs and scripted counters."""

    def __init__(self, readings: Iterator[Counters]) -> None:
        self.cpus = frozenset({0, 1})
        self._readings = readings

    def read(self) -> Counters:
        return next(self._readings)


class Still(Scripted):
    """A machine whose counters never move."""

    def __init__(self) -> None:
        super().__init__(itertools.repeat(Counters(0.0, 0.0, 0.0, 0)))


def test_tasks_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    clock = iter(range(1000))
    monkeypatch.setattr(interleaving.time, "perf_counter", lambda: float(next(clock)))
    tasks = {name: Task(lambda name=name: calls.append(name), units=0.1, segments=3) for name in "abc"}
    seconds, _turns = alternate(tasks, rounds=2)
    assert all(np.shape(task_seconds) == (2, 3) for task_seconds in seconds.values())
    # The fake clock advances by 1 s per reading, so each segment takes 1 s for a tenth of the work.
    assert all(
        value == pytest.approx(10.0) for task_seconds in seconds.values() for round_ in task_seconds for value in round_
    )
    turns = [calls[i : i + 3] for i in range(0, len(calls), 3)]
    assert all(sorted(turn) == ["a", "b", "c"] for turn in turns)


def order_of_calls(seed: int, rounds: int = 5) -> tuple[list[str], Turns]:
    calls: list[str] = []
    tasks = {name: Task(lambda name=name: calls.append(name), units=1, segments=4) for name in "abcd"}
    _seconds, turns = alternate(tasks, rounds, seed=seed, machine=Still())
    return calls, turns


def test_each_task_follows_every_other() -> None:
    calls, _turns = order_of_calls(seed=0)
    before = {name: {first for first, second in itertools.pairwise(calls) if second == name} for name in "abcd"}
    assert all(before[name] | {name} == set("abcd") for name in "abcd")
    begins = calls[::4]
    assert set(begins) == set("abcd")


def test_order_is_reproducible_from_seed_and_recorded() -> None:
    calls, turns = order_of_calls(seed=7)
    assert order_of_calls(seed=7) == (calls, turns)
    assert order_of_calls(seed=8)[0] != calls
    orders = [turn["order"] for round_ in turns["rounds"] for turn in round_]
    assert [turns["tasks"][place] for order in orders for place in order] == calls
    generator = np.random.default_rng(turns["seed"])
    assert orders == [generator.permutation(4).tolist() for _ in orders]


def test_task_of_fewer_segments_runs_in_first_turns_of_each_round() -> None:
    tasks = {"many": Task(lambda: None, 1, 3), "one": Task(lambda: None, 1), "lost": Task(lambda: None, 1, 3)}
    seconds, turns = alternate(tasks, 2, {"lost": ValueError()}, machine=Still())
    assert {name: np.shape(task_seconds) for name, task_seconds in seconds.items()} == {"many": (2, 3), "one": (2, 1)}
    assert [[sorted(turn["order"]) for turn in round_] for round_ in turns["rounds"]] == [[[0, 1], [0], [0]]] * 2


def test_counters_per_segment_and_tasks_not_at_rest_are_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # In each of the adjoining intervals of 20 ms, other processes take 7 ms and the hypervisor 1 ms.
    machine = Scripted(Counters(0.02 * i, 0.001 * i, 0.007 * i, 3 * i) for i in itertools.count())
    answers = iter([True, False, True, True])
    monkeypatch.setattr(interleaving, "wait_until_idle", lambda: next(answers))
    _seconds, turns = alternate({name: Task(lambda: None, 1) for name in "ab"}, 2, seed=0, machine=machine)
    (first,), (second,) = turns["rounds"]
    assert first | {"not_at_rest": []} == second | {"order": first["order"]}
    assert first["elapsed_ms"] == [20, 20]
    assert (first["steal_ms"], first["others_ms"], first["switches"]) == ([1, 1], [7, 7], [3, 3])
    assert first["not_at_rest"] == [first["order"][1]]
    assert turns["cpus"] == 2


def test_unavailable_counters_are_recorded_as_none() -> None:
    machine = Scripted(Counters(0.02 * i, None, None, None) for i in itertools.count())
    _seconds, turns = alternate({name: Task(lambda: None, 1) for name in "ab"}, 1, machine=machine)
    ((turn,),) = turns["rounds"]
    assert (turn["steal_ms"], turn["others_ms"], turn["switches"]) == (None, None, None)
    assert turn["elapsed_ms"] == [20, 20]


def test_function_before_segment_is_not_timed() -> None:
    task = Task(lambda: None, units=1, segments=1, before=lambda: time.sleep(0.2))
    seconds, _turns = alternate({"quick": task}, rounds=1)
    assert seconds["quick"][0][0] < 0.2


def test_log_ratios_pair_segments() -> None:
    # The machine slows down in the second round, which does not affect the ratio.
    assert log_ratios([[2.0, 4.0], [8.0, 8.0]], [[1.0, 2.0], [4.0, 4.0]]) == pytest.approx(np.log(2) * np.ones(4))


def test_log_ratios_of_unequal_segments_pair_means_of_rounds() -> None:
    assert log_ratios([[6.0], [12.0]], [[1.0, 3.0], [2.0, 6.0]]) == pytest.approx(np.log([3.0, 3.0]))


@pytest.mark.parametrize("segments", [(4, 4), (1, 4), (4, 2)])
def test_log_ratios_ignore_nan(segments: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.lognormal(size=(6, count)) for count in segments)
    for values in (a, b):
        values[rng.random(values.shape) < 0.3] = np.nan
    a[2] = np.nan
    expected = []
    for a_values, b_values in zip(a.tolist(), b.tolist(), strict=True):
        if len(a_values) == len(b_values):
            pairs = list(zip(a_values, b_values, strict=True))
        else:
            known = [[value for value in values if not math.isnan(value)] for values in (a_values, b_values)]
            pairs = [(sum(known[0]) / len(known[0]), sum(known[1]) / len(known[1]))] if all(known) else []
        expected += [math.log(x / y) for x, y in pairs if not math.isnan(x + y)]
    assert 0 < len(expected) < a.size
    assert log_ratios(a.tolist(), b.tolist()) == pytest.approx(expected)
