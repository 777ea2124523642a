"""What the dashboard makes of results folders, sound and damaged."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nnkernels.measure.timing.interleaving import log_ratios
from nnkernels.report.dashboard.answer_sentences import answers
from nnkernels.report.dashboard.collection import MAIN_DATASET, choose_shown, collect
from nnkernels.report.dashboard.commits import commits_behind
from nnkernels.report.dashboard.comparison_payload import files, payload
from nnkernels.report.dashboard.history import histories
from nnkernels.report.dashboard.machine_labels import machine_label, machine_labels
from nnkernels.report.process_ratios import process_ratios
from nnkernels.statistics import interquartile_mean
from tests.many_runs import MACHINES, made_up_run, publish, write_run, write_runs

CONFLICT = '{\n<<<<<<< HEAD\n "version": 2\n=======\n "version": 1\n>>>>>>> other\n}\n'


def test_without_any_results_the_collection_is_empty_and_says_what_to_do(tmp_path: Path) -> None:
    collection = collect(tmp_path)
    assert collection.everything == ()
    assert "nnkernels bench" in collection.notes[0]
    assert answers(collection) == histories(collection) == []
    assert files(collection) == {}
    assert payload(collection)["machines"] == []


@pytest.mark.parametrize("file", ["run.json", "panels.json", "asv.json"])
@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "null", CONFLICT, '{"version": 1}', '{"version": 2, "panels": [1]}', "\x00"],
    ids=["empty", "list", "object", "null", "conflict", "old", "foreign", "binary"],
)
def test_a_damaged_file_becomes_a_note_and_the_other_runs_are_shown(tmp_path: Path, file: str, content: str) -> None:
    damaged, _sound = write_runs(tmp_path, 2, machines=1)
    (damaged / file).write_text(content, "utf-8")
    collection = collect(tmp_path)
    note = next(note for note in collection.notes if "no run is published" not in note)
    assert note.startswith(f"results/runs/{damaged.name}/{file}: ")
    assert str(tmp_path) not in note
    assert any(remedy in note for remedy in ("restore", "use another release", "resolve the conflict"))
    assert [len(machine.runs) for machine in collection.machines] == [1]


def test_deeply_nested_files_become_notes(tmp_path: Path) -> None:
    damaged, _sound = write_runs(tmp_path, 2, machines=1)
    for path in (damaged / "panels.json", tmp_path / "results" / "published.json"):
        path.write_text("[" * 100_000, "utf-8")
    notes = collect(tmp_path).notes
    assert [note.split(": ")[0] for note in notes] == [
        f"results/runs/{damaged.name}/panels.json",
        "results/published.json",
    ]


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("run.json", {"recorded_at": "yesterday"}),
        ("run.json", {"commit": "HEAD"}),
        ("run.json", {"run_id": "../../elsewhere"}),
        ("run.json", {"provenance": {}}),
        ("panels.json", {"panels": [{"framework_threads": "1", "dataset": "mnist", "failures": {}, "seconds": 3}]}),
        (
            "panels.json",
            {
                "panels": [
                    {
                        "framework_threads": "1",
                        "dataset": "mnist",
                        "failures": {},
                        "seconds": {"epoch": {"a@1": [[-1]]}},
                    }
                ]
            },
        ),
        ("asv.json", {"results": {"accuracy.ErrorRate.track_test": ["none"]}}),
    ],
)
def test_wrong_content_becomes_a_note(tmp_path: Path, file: str, change: dict[str, object]) -> None:
    damaged, _sound = write_runs(tmp_path, 2, machines=1)
    path = damaged / file
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change), "utf-8")
    notes = collect(tmp_path).notes
    assert notes[0].startswith(f"results/runs/{damaged.name}/{file}: ")


def test_a_folder_without_a_record_is_named(tmp_path: Path) -> None:
    folder, _sound = write_runs(tmp_path, 2, machines=1)
    (folder / "run.json").unlink()
    assert f"results/runs/{folder.name}/run.json: does not exist" in collect(tmp_path).notes[0]


@pytest.mark.parametrize("content", ["", "[]", CONFLICT, '{"version": 9}', '{"version": 2, "runs": []}'])
def test_a_damaged_list_of_published_runs_is_a_note(tmp_path: Path, content: str) -> None:
    folder = write_runs(tmp_path, 1)[0]
    (tmp_path / "results" / "published.json").write_text(content, "utf-8")
    collection = collect(tmp_path)
    assert collection.notes[0].startswith("results/published.json: ")
    assert collection.machines[0].shown.record.run_id == folder.name


def test_a_published_run_whose_folder_is_missing_is_a_note(tmp_path: Path) -> None:
    older, newer = write_runs(tmp_path, 2, machines=2)
    publish(tmp_path, older, tmp_path / "20200101T000000Z-0123abcd")
    collection = collect(tmp_path)
    assert "20200101T000000Z-0123abcd, which cannot be read" in collection.notes[0]
    assert [machine.shown.record.run_id for machine in collection.machines] == [older.name, newer.name]


def test_published_runs_are_pooled_and_their_machine_is_first(tmp_path: Path) -> None:
    runs = [made_up_run(number, MACHINES[0]) for number in range(5)]
    provenance = runs[0].record.provenance | {"machine_code": "00ff"}
    folders = [write_run(tmp_path, replace(run, record=replace(run.record, provenance=provenance))) for run in runs]
    write_run(tmp_path, made_up_run(9, MACHINES[1]))
    publish(tmp_path, *folders)
    collection = collect(tmp_path)
    assert [len(machine.shown.each) for machine in collection.machines] == [5, 1]
    assert collection.notes == ()
    answer = answers(collection)[0]
    assert answer.runs == 5
    assert answer.source.startswith("Mean of 5 runs")


def test_other_data_sets_are_apart_and_named(tmp_path: Path) -> None:
    write_run(tmp_path, made_up_run(0))
    write_run(tmp_path, made_up_run(1, dataset="mnist-5k"))
    collection = collect(tmp_path)
    assert [(one.dataset, one.label) for one in collection.everything] == [
        (MAIN_DATASET, "AMD Zen 3, 2 CPUs"),
        ("mnist-5k", "AMD Zen 3, 2 CPUs, on mnist-5k"),
    ]
    assert [history.dataset for history in histories(collection)] == ["mnist", "mnist-5k"]
    assert len(answers(collection)) == 1


def test_a_run_outside_the_history_is_marked_and_never_preferred(tmp_path: Path) -> None:
    write_run(tmp_path, made_up_run(0))
    write_run(tmp_path, made_up_run(1, unrecorded="uncommitted changes"))
    collection = collect(tmp_path)
    assert collection.machines[0].shown.record.unrecorded == ""
    assert [len(history.runs) for history in histories(collection)] == [1]
    assert "uncommitted changes" in [run["note"] for run in payload(collection)["runs"].values()]


def test_a_complete_run_stands_for_a_machine_rather_than_a_newer_quick_or_small_one() -> None:
    complete, quick = made_up_run(0), made_up_run(1, profile="quick")
    small = made_up_run(2)
    for measured in small.interleaved:
        del measured.seconds["epoch"]["jax-scan@" + measured.framework_threads]
    assert choose_shown([complete, quick, small]) is complete
    assert choose_shown([complete, quick, small, made_up_run(3)]).record.run_id.startswith("20260101T09")


def test_machines_have_names_that_differ() -> None:
    amd = {"cpu": "AMD EPYC 7763", "microarchitecture": "znver3", "cpus": 2}
    assert machine_label(amd) == "AMD Zen 3, 2 CPUs"
    assert machine_label({"cpu": "Mystery(R) 9000", "microarchitecture": "new", "cpus": 1}) == "new, 1 CPU"
    named = machine_labels({"a": amd, "b": amd | {"cpu": "AMD EPYC 7B13"}, "c": {**amd, "cpus": 4}})
    assert named == {
        "a": "AMD Zen 3 (AMD EPYC 7763), 2 CPUs",
        "b": "AMD Zen 3 (AMD EPYC 7B13), 2 CPUs",
        "c": "AMD Zen 3, 4 CPUs",
    }


def test_the_answer_has_the_same_subject_on_every_machine_and_says_what_is_missing(tmp_path: Path) -> None:
    write_run(tmp_path, made_up_run(0, MACHINES[0]))
    run = made_up_run(1, MACHINES[1])
    for measured in run.interleaved:
        for seconds in measured.seconds.values():
            for label in [label for label in seconds if label.startswith("fused")]:
                del seconds[label]
    without = [replace(one, turns={}) for one in run.interleaved]
    write_run(tmp_path, replace(run, interleaved=without))
    newest, oldest = answers(collect(tmp_path))
    assert newest.sentence == "On Intel Cascade Lake, 2 CPUs, `fused` has not been timed."
    assert newest.figures[0].value == "-"
    assert "`numba`" in newest.second
    ratio = collect(tmp_path).machines[1]
    expected = answers(collect(tmp_path))[1].summary.contender("fused")
    assert expected is not None
    assert expected.to_numpy is not None
    assert f"{expected.to_numpy.estimate.value:.2f} [" in oldest.sentence
    assert "best of 3 forms of Keras tried (`keras-graph-xla`)" in oldest.sentence
    assert ratio.shown.record.commit.startswith(oldest.commit)


def test_commits_behind_follow_the_history_of_head_only(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        settings = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        answer = subprocess.run(
            ["git", *settings, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return answer.stdout.strip()

    first = "0" * 40
    assert commits_behind(tmp_path, [first]) == {first: None}
    git("init", "-q", "-b", "main")
    for number in range(3):
        git("commit", "-q", "--allow-empty", "-m", str(number))
    first, head = git("rev-parse", "HEAD~2"), git("rev-parse", "HEAD")
    git("checkout", "-q", "-b", "side", first)
    git("commit", "-q", "--allow-empty", "-m", "side")
    side = git("rev-parse", "HEAD")
    git("checkout", "-q", "main")
    assert commits_behind(tmp_path, [first, head, side, "--all"]) == {first: 2, head: 0, side: None, "--all": None}
    (tmp_path / "inner").mkdir()
    assert commits_behind(tmp_path / "inner", [head]) == {head: None}


def test_ratios_of_a_process_are_those_of_each_pair() -> None:
    rng = np.random.default_rng(0)
    seconds = {name: rng.uniform(1, 2, (3, count)) for name, count in (("a", 4), ("b", 4), ("c", 1), ("d", 2))}
    seconds["a"][1, 2] = seconds["b"][1, 2] = np.nan
    found, _same = process_ratios([seconds, seconds])
    for one, other in (("a", "b"), ("a", "c"), ("d", "b"), ("c", "c"), ("b", "a")):
        expected = interquartile_mean(log_ratios(seconds[one].tolist(), seconds[other].tolist()))
        assert found.log_ratio(one, other) == pytest.approx(float(expected), abs=1e-12)
        assert found.log_seconds(one) == pytest.approx(float(interquartile_mean(np.log(seconds[one]).ravel())))
    assert np.isnan(found.log_ratio("a", "missing"))
