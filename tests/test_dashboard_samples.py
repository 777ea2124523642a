"""The dashboard's section on samples."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.measure.timing.turns import Turn, Turns
from nnkernels.report.dashboard.samples import (
    COUNTED,
    KEPT,
    LEFT_OUT,
    describe,
    payload,
    samples_of,
    summary_payload,
)
from nnkernels.report.dashboard.sections import samples
from nnkernels.report.runs import Run
from tests import synthetic
from tests.made_up_collections import EVIL, collection, machine, run_at, with_contender


def turn(stolen: int) -> Turn:
    return Turn(order=[0], elapsed_ms=[1000], steal_ms=[stolen], others_ms=[0], switches=[0], not_at_rest=[])


def run_with_turns(*stolen: int) -> Run:
    """Return a run with one process and one segment per turn, from which others took some milliseconds."""
    turns = Turns(seed=0, tasks=["numpy@1"], cpus=2, rounds=[[turn(one) for one in stolen]])
    seconds = {"epoch": {"numpy@1": [[0.1 + 0.01 * index for index in range(len(stolen))]]}}
    measured = InterleavedRun("1", "mnist", seconds, {}, {"epoch": turns})
    return Run(synthetic.record(), [measured], synthetic.asv_results())


def test_disturbed_segments_are_marked_and_counted() -> None:
    found = samples_of(run_with_turns(0, 500, 0), "epoch")["numpy@1"]
    assert [one.state for one in found] == [COUNTED, LEFT_OUT, COUNTED]
    assert "3 segments in 1 process" in describe(found)
    assert "1 in disturbed turns, left out" in describe(found)


def test_least_disturbed_segment_is_kept_if_all_are_disturbed() -> None:
    found = samples_of(run_with_turns(700, 500), "epoch")["numpy@1"]
    assert [one.state for one in found] == [LEFT_OUT, KEPT]
    assert "1 disturbed but kept" in describe(found)


def test_payload_has_every_segment_of_every_process() -> None:
    run = run_at(0)
    recorded = sum(
        len(times)
        for measured in run.interleaved
        for labels in measured.seconds.values()
        for rounds in labels.values()
        for times in rounds
    )
    works = payload(run)["works"]
    assert sum(len(one["samples"]) for work in works for one in work["contenders"]) == recorded
    first = works[0]["contenders"][0]
    assert first["text"] == "numpy on 1 thread"
    assert first["samples"][0] == [1, 1, 1, 1, 0.2, "200 ms", 0]


def test_turns_are_numbered_in_order_of_measurement_over_processes() -> None:
    found = samples_of(run_at(0), "epoch")["numpy@1"]
    numbers = [one.turn for one in found]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == len(numbers)


def test_summary_has_the_quartiles_of_each_process() -> None:
    run = run_at(0)
    by_process: dict[int, list[float]] = {}
    for one in samples_of(run, "epoch")["numpy@1"]:
        by_process.setdefault(one.process, []).append(one.seconds)
    rows = summary_payload(run)["works"][0]["contenders"][0]["samples"]
    assert [row[0] for row in rows] == list(by_process)
    for process, *quartiles in rows:
        assert quartiles == pytest.approx(np.percentile(by_process[process], [25, 50, 75]), rel=5e-3)


def test_shown_runs_have_all_samples_and_older_ones_quartiles(tmp_path: Path) -> None:
    old, middle, new = (run_at(second) for second in (0, 3600, 7200))
    shown = replace(new, pooled_with=(middle,))
    section = samples.build(collection(tmp_path, machine(old, middle, new, shown=shown)))
    files = {path: str(text) for path, text in section.files.items()}
    assert sorted(files) == [f"samples/{run.record.run_id}.js" for run in (old, middle, new)]
    full = [json.loads(text.split(", ", 1)[1].rstrip(");\n"))["full"] for _path, text in sorted(files.items())]
    assert full == [False, True, True]
    assert all(text.startswith('nnkernels.register("samples/') for text in files.values())
    texts = [choice["text"] for choice in section.values["choices"][0]["runs"]]
    assert texts[0].startswith(new.record.recorded_at[:10])  # not named as the pooled runs
    assert not texts[0].endswith("quartiles")
    assert texts[2].endswith("quartiles")


def test_summaries_stop_at_their_budget_with_the_oldest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [run_at(second) for second in range(6)]
    size = len(json.dumps(summary_payload(runs[0]), separators=(",", ":")))
    monkeypatch.setattr(samples, "SUMMARIES_BYTES", round(2.5 * size))
    section = samples.build(collection(tmp_path, machine(*runs)))
    assert len(section.files) == 3  # the shown run and two summaries
    assert section.values["without"] == [run.record.run_id for run in reversed(runs[:3])]


def test_overview_shows_the_main_contenders_and_their_numbers(tmp_path: Path) -> None:
    section = samples.build(collection(tmp_path, machine(run_at(0))))
    (chart,) = section.charts
    spec = json.dumps(chart.spec)
    for label in ("fused on 1 thread", "numba on 1 thread", "keras-graph on 1 thread"):
        assert label in spec
        assert label in chart.alternative
    assert "None of these" in chart.sentence


def test_run_without_an_epoch_has_no_overview(tmp_path: Path) -> None:
    run = run_at(0)
    for measured in run.interleaved:
        measured.seconds.pop("epoch", None)
    assert samples.build(collection(tmp_path, machine(run))).charts == ()


def test_names_of_contenders_cannot_end_the_script(tmp_path: Path) -> None:
    run = with_contender(run_at(0), EVIL, like="fused")
    section = samples.build(collection(tmp_path, machine(run)))
    (text,) = section.files.values()
    assert "alert(1)" in str(text)
    assert "<" not in str(text)


def test_collection_without_runs_has_no_files(tmp_path: Path) -> None:
    section = samples.build(collection(tmp_path))
    assert (section.files, section.charts, section.payload) == ({}, (), None)
