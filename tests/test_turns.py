"""Disturbed turns: the rule that detects them, leaving them out, and the system counters that it uses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from nnkernels.measure.records.process_files import read_interleaved, save_interleaved
from nnkernels.measure.records.run import read_run
from nnkernels.measure.timing import conditions, interleaved_measuring
from nnkernels.measure.timing.conditions import Machine
from nnkernels.measure.timing.interleaved_measuring import run_interleaved
from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.measure.timing.scenarios import Scenario
from nnkernels.measure.timing.turns import MAX_DISTURBANCE, RESOLUTION_SECONDS, Turn, Turns, disturbance, judge
from nnkernels.recipes import Recipe
from nnkernels.report import disturbed, page, readme
from nnkernels.report.summary import summarise
from nnkernels.report.tables import show_summary
from tests import synthetic

RUNS = Path(__file__).parents[1] / "results" / "runs"
LINUX = sys.platform == "linux"
TIMEOUT = 60  # seconds after which the test fails; not a measurement


def turn(
    *order: int, steal: float = 0.0, others: float = 0.0, switches: int = 0, not_at_rest: int | None = None
) -> Turn:
    """Return a turn of one second, whose last segment has the time that other processes took."""
    none = [0] * (len(order) - 1)
    return Turn(
        order=list(order),
        elapsed_ms=[1000 // len(order)] * len(order),
        steal_ms=[*none, round(1000 * steal)],
        others_ms=[*none, round(1000 * others)],
        switches=[*none, switches],
        not_at_rest=[] if not_at_rest is None else [not_at_rest],
    )


def turns(*rounds: list[Turn], tasks: str = "ab") -> Turns:
    return Turns(seed=0, tasks=list(tasks), cpus=2, rounds=list(rounds))


QUIET = turn(0, 1)


@pytest.mark.parametrize(
    ("looked_at", "is_disturbed"),
    [
        (QUIET, False),
        (turn(0, 1, others=MAX_DISTURBANCE + 0.01), True),
        (turn(0, 1, others=MAX_DISTURBANCE - 0.01), False),
        (turn(0, 1, steal=MAX_DISTURBANCE + 0.01), True),
        (turn(0, 1, steal=MAX_DISTURBANCE - 0.01), False),
        (turn(0, 1, steal=0.06, others=0.06), True),
        (turn(0, 1, steal=0.3, others=-0.3), True),  # stolen time that the kernel counts as that of this process
        (turn(0, 1, others=-0.04), False),
        (turn(0, 1, not_at_rest=1), True),
        (turn(0, 1, switches=10_000), False),
        (QUIET | {"steal_ms": None, "others_ms": None, "switches": None}, False),
        (QUIET | {"steal_ms": None, "others_ms": None, "switches": None, "not_at_rest": [0]}, True),
    ],
)
def test_turn_is_disturbed_by_other_processes_and_threads_not_at_rest(looked_at, is_disturbed):
    judged = judge(turns([looked_at, QUIET]), "ab")
    assert judged.disturbed.tolist() == [[is_disturbed, False]]
    assert judged.left_out.tolist() == [[is_disturbed, False]]


def test_time_below_resolution_of_ticks_is_ignored():
    short = turn(0, 1, others=2 * RESOLUTION_SECONDS) | {"elapsed_ms": [20, 20]}
    assert disturbance(short, 2) == 0
    assert disturbance(short, 1) == pytest.approx(1.0)


def test_task_without_undisturbed_turn_keeps_least_disturbed_one():
    # Task 2 takes part only in the first turn of each round.
    first, second = turn(0, 1, 2, others=0.5), turn(2, 0, 1, others=0.3)
    recorded = turns([first, QUIET], [second, turn(0, 1, others=0.2)], tasks="abc")
    judged = judge(recorded, "abc")
    assert judged.disturbed.tolist() == [[True, False], [True, True]]
    assert judged.left_out.tolist() == [[True, False], [False, True]]
    assert judge(recorded, "ab").left_out.tolist() == [[True, False], [True, True]]  # without times of task c


def test_one_turn_is_kept_if_all_are_disturbed():
    recorded = turns([turn(0, 1, not_at_rest=0)], [turn(0, 1, others=0.4)], [turn(0, 1, others=0.9)])
    assert judge(recorded, "ab").left_out.tolist() == [[True], [False], [True]]
    assert judge(turns([], []), "").left_out.shape == (2, 0)


SECONDS = {"a@1": [[1.0, 2.0], [3.0, 4.0]], "b@1": [[10.0, 20.0], [33.0, 44.0]], "fit@1": [[50.0], [90.0]]}


def measured_with(*rounds: list[Turn]) -> InterleavedRun:
    recorded = turns(*rounds, tasks="") | {"tasks": list(SECONDS)}
    return InterleavedRun("1", "mnist", {"epoch": SECONDS, "alone": SECONDS}, {}, {"epoch": recorded, "alone": "epoch"})


@pytest.mark.parametrize("scenario", ["epoch", "alone"])
def test_disturbed_turn_is_left_out_for_all_tasks_but_kept_in_raw_seconds(scenario):
    measured = measured_with([turn(2, 0, 1, others=0.5), turn(1, 0)], [turn(0, 2, 1), turn(0, 1, steal=0.5)])
    found = measured.undisturbed(scenario)
    nan = np.nan
    expected = {"a@1": [[nan, 2.0], [3.0, nan]], "b@1": [[nan, 20.0], [33.0, nan]], "fit@1": [[nan], [90.0]]}
    assert {label: len(rounds) for label, rounds in found.items()} == dict.fromkeys(expected, 2)
    for label, rounds in expected.items():
        for shown, wanted in zip(found[label], rounds, strict=True):
            np.testing.assert_array_equal(shown, wanted)
    assert measured.seconds[scenario] == SECONDS
    assert measured.relative_time(scenario, "b", "a") == pytest.approx(np.sqrt(10 * 11))
    assert measured.relative_time(scenario, "fit", "a") == pytest.approx(30)


def test_record_without_turns_is_read_and_nothing_is_left_out():
    _record, interleaved, _asv = read_run(min(RUNS.iterdir()))
    assert all(
        measured.undisturbed(work) == measured.seconds[work] for measured in interleaved for work in measured.seconds
    )
    assert disturbed.notes(interleaved) == []


def test_notes_state_number_of_turns_left_out():
    quiet = [[turn(0, 1, 2), turn(0, 1)], [turn(2, 0, 1), turn(1, 0)]]
    one = measured_with([turn(0, 1, 2), turn(0, 1, others=0.5)], quiet[1])
    assert disturbed.notes([measured_with(*quiet), one]) == [
        "1 of 8 turns was disturbed and excluded for all contenders: other processes or virtual machines used more "
        "than 10 % of a CPU, or threads of the measured process were still busy."
    ]
    busy = measured_with([turn(0, 1, 2, others=0.5), turn(0, 1)], [turn(2, 0, 1, others=0.6), turn(1, 0)])
    (note,) = disturbed.notes([busy])
    assert note.startswith("1 of 4 turns was disturbed and excluded")
    assert note.endswith(" 1 more was disturbed but kept: a contender had no undisturbed turn in its process.")
    unknown = measured_with(*([found | {"steal_ms": None, "others_ms": None} for found in r] for r in quiet))
    (note,) = disturbed.notes([unknown])
    assert note.startswith("0 of 4 turns were disturbed and excluded")
    assert note.endswith(" The system does not report the CPU time of others, so only the threads were checked.")


def test_terminal_page_and_readme_state_number_of_turns_left_out(capsys):
    run = synthetic.run()
    assert "turns were" not in readme.section(summarise(run))
    for measured in run.interleaved:
        tasks = list(measured.seconds["epoch"])
        found = [turn(*range(len(tasks)), steal=0.2 if segment == 3 else 0) for segment in range(10)]
        measured.turns["epoch"] = turns(found) | {"tasks": tasks}
    summary, note = summarise(run), "8 of 80 turns were disturbed and excluded"
    show_summary(Console(width=400), summary)
    assert note in capsys.readouterr().out
    assert note in readme.section(summary)
    assert note in page.render(summary, None)


# A run


EASY = Recipe("easy", epochs=3)
SCENARIOS = (
    Scenario("predict", "predict", segments=3, images=5),
    Scenario("to accuracy", "time to accuracy", EASY, error_rate=0.6),
    Scenario("to accuracy, alone", "training alone", EASY, error_rate=0.6),
)


def test_turns_of_each_scenario_are_recorded_and_read_back(small_digits, tmp_path, monkeypatch):
    monkeypatch.setattr(interleaved_measuring.gate, "require", lambda *_args: None)
    measured = run_interleaved(["numpy"], small_digits, SCENARIOS, "1", rounds=2, seeds=4, seed=5)
    assert not measured.failures
    assert measured.turns["to accuracy, alone"] == "to accuracy"
    for work, shape in {"predict": (2, 3), "to accuracy": (4, 1)}.items():
        recorded = measured.turns[work]
        assert recorded["tasks"] == ["numpy@1", "numpy@all"]
        assert (len(recorded["rounds"]), {len(round_) for round_ in recorded["rounds"]}) == (shape[0], {shape[1]})
        for found in (found for round_ in recorded["rounds"] for found in round_):
            assert sorted(found["order"]) == [0, 1]
            assert min(found["elapsed_ms"]) > 0
    for work in measured.seconds:
        kept = ~measured.judged(work).left_out
        for label, rounds in measured.undisturbed(work).items():
            np.testing.assert_array_equal(rounds, np.where(kept, measured.seconds[work][label], np.nan))
    save_interleaved(measured, tmp_path / "panel.json")
    assert read_interleaved(tmp_path / "panel.json") == measured
    seeds = [recorded["seed"] for recorded in measured.turns.values() if not isinstance(recorded, str)]
    assert len(set(seeds)) == len(seeds)
    again = run_interleaved(["numpy"], small_digits, SCENARIOS[:1], "1", rounds=1, seed=5)
    assert again.turns["predict"]["seed"] == measured.turns["predict"]["seed"]
    other = run_interleaved(["numpy"], small_digits, SCENARIOS[:1], "1", rounds=1)
    assert other.turns["predict"]["seed"] != measured.turns["predict"]["seed"]
    content = json.loads((tmp_path / "panel.json").read_text("utf-8"))
    del content["turns"]
    (tmp_path / "old.json").write_text(json.dumps(content), "utf-8")
    assert read_interleaved(tmp_path / "old.json").turns == {}


# The counters


STAT = """cpu  100 20 30 400 50 6 7 8 9 0
cpu0 60 10 20 200 25 3 4 5 9 0
cpu1 1 1 1 1 1 1 1 1 1 1
cpu12 40 10 10 200 25 3 3 3 0 0
intr 5 0 0
"""


@pytest.mark.skipif(not LINUX, reason="only Linux reports these counters")
def test_only_the_cpus_of_this_process_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(conditions, "STAT", tmp_path / "stat")
    monkeypatch.setattr(conditions, "_own_seconds_and_switches", lambda: (0.25, 11))
    (tmp_path / "stat").write_text(STAT, "ascii")
    machine, ticks = Machine(), os.sysconf("SC_CLK_TCK")
    machine.cpus = frozenset({0, 12})
    found = machine.read()
    assert found.steal == pytest.approx(8 / ticks)
    assert found.others == pytest.approx((60 + 10 + 20 + 3 + 4 + 40 + 10 + 10 + 3 + 3) / ticks - 0.25)
    assert found.switches == 11


@pytest.mark.parametrize("content", [None, "", "cpu0 1 2\n", "cpu0 0 0 0 0 0 0 0 0 0 0\n", "cpux 1 2 3 4 5 6 7 8 9\n"])
def test_counters_that_cannot_be_read_are_unknown_and_not_zero(content, tmp_path, monkeypatch):
    monkeypatch.setattr(conditions, "STAT", tmp_path / "stat")
    if content is not None:
        (tmp_path / "stat").write_text(content, "ascii")
    machine = Machine()
    machine.cpus = frozenset({0})
    found = machine.read()
    assert (found.steal, found.others) == (None, None)
    assert (found.switches is None) == (sys.platform == "win32")


@pytest.mark.skipif(Machine().read().others is None, reason="the system does not report the CPU time of others")
def test_busy_neighbour_is_detected():
    machine = Machine()
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as neighbour:
        try:
            before, deadline = machine.read(), time.monotonic() + TIMEOUT
            while machine.read().others - before.others < 0.2 and time.monotonic() < deadline:
                time.sleep(0.01)
            after = machine.read()
        finally:
            neighbour.kill()
    assert after.others - before.others >= 0.2


@pytest.mark.skipif(Machine().read().others is None, reason="the system does not report the CPU time of others")
def test_own_cpu_time_and_that_of_children_is_not_counted_as_others(monkeypatch):
    monkeypatch.setattr(conditions, "_machine_seconds", lambda _cpus: (1000.0, 0.0))
    machine = Machine()
    before = machine.read()
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    between = machine.read()
    assert before.others - between.others >= 0.04
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.1: pass"], check=True)
    assert between.others - machine.read().others >= 0.09
