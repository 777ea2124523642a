"""Mutation testing: the catalogue matches the kernels, the engine finds the survivors, and the score counts them."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from nnkernels import compile_cache, kernels
from nnkernels.contenders.ours import KernelContender
from nnkernels.errors import ConfigurationError, GateError, MeasurementError, ResultsError, UnknownNameError
from nnkernels.files import PACKAGE
from nnkernels.kernels.fused import paths
from nnkernels.measure.asv_driver.workspace import Workspace
from nnkernels.measure.correctness import gate
from nnkernels.measure.correctness.composed import require_functions
from nnkernels.measure.mutants import catalogue, record, score
from nnkernels.measure.mutants.catalogue import Mutant, read_catalogue, unchanged
from nnkernels.measure.mutants.gates import CHECKS, FUNCTIONS, GATES, TRAININGS, Verdict
from nnkernels.measure.mutants.score import Judged, controls, run_mutant, run_mutants, saved_dataset
from nnkernels.report import mutants as report
from tests.command_line import run_command_in_process

ROOT = Path(__file__).parents[1]
CATALOGUE = read_catalogue()
# The mutants that can be tested in this process, because they change a single file of plain NumPy.
KERNELS = [mutant for mutant in CATALOGUE if mutant.file == "kernels/numpy_kernels.py"]


# The catalogue


def test_catalogue_covers_all_backends_with_unique_labels():
    assert len(CATALOGUE) >= 100
    assert {mutant.backend for mutant in CATALOGUE} == set(kernels.names())
    labels = [mutant.label for mutant in CATALOGUE]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("mutant", CATALOGUE, ids=lambda mutant: mutant.label)
def test_mutant_applies_to_its_file_and_compiles(mutant):
    text = (PACKAGE / mutant.file).read_text("utf-8")
    assert mutant.mutated() != text
    compile(mutant.mutated(), mutant.file, "exec")
    assert mutant.gates
    assert set(mutant.gates) <= set(GATES)


def test_mutated_text_must_occur_exactly_once(tmp_path):
    (tmp_path / "kernel.py").write_text("a = 1\nb = 1\n")
    gone = Mutant("numpy", "some", "kernel.py", "c = 1", "c = 2", ("sgd",))
    with pytest.raises(
        MeasurementError, match=r"'numpy: some': kernel\.py contains the text to replace 0 times, expected once"
    ):
        gone.mutated(tmp_path)
    with pytest.raises(MeasurementError, match="2 times"):
        replace(gone, before="= 1").mutated(tmp_path)
    assert replace(gone, before="b = 1", after="b = 3").mutated(tmp_path) == "a = 1\nb = 3\n"


def test_mutants_of_one_path_are_checked_by_it():
    # The other path would never run the changed code.
    own = {
        paths.LISTS: ("kernels/fused/nonzero.py", "kernels/fused/nonzero_layer.py", "kernels/fused/row_updates.py"),
        paths.TILES: ("kernels/fused/tile_images.py", "kernels/fused/tile_layer.py", "kernels/simd/tiles.py"),
    }
    for path, changed in own.items():
        mutants = [mutant for mutant in CATALOGUE if mutant.file in changed]
        assert {mutant.file for mutant in mutants} == set(changed)
        assert {mutant.paths for mutant in mutants} == {path}


def test_read_catalogue_selects_backends():
    assert {mutant.backend for mutant in read_catalogue(["numpy", "fused"])} == {"numpy", "fused"}
    with pytest.raises(UnknownNameError, match="unknown backend with mutants 'keras-fit'; expected one of: numpy"):
        read_catalogue(["keras-fit"])


def test_controls_have_all_gates_of_mutants_of_their_backend():
    found = {(control.backend, control.paths): control for control in controls(CATALOGUE)}
    assert {backend for backend, _paths in found} == set(kernels.names())
    assert {name for backend, name in found if backend == "fused"} == set(paths.PATHS)
    for mutant in CATALOGUE:
        assert set(mutant.gates) <= set(found[mutant.backend, mutant.paths].gates)
    assert all(control.mutated() == (PACKAGE / control.file).read_text("utf-8") for control in found.values())


# Mutants tested in this process, from a copy of the file


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # a mutant may overflow
@pytest.mark.parametrize(
    "which", [pytest.param(slice(1), id="first"), pytest.param(slice(1, None), id="others", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("mutant", KERNELS, ids=lambda mutant: mutant.name)
def test_mutant_of_reference_kernels_is_rejected_by_each_of_its_gates(
    mutant, which, small_digits, tmp_path, monkeypatch
):
    monkeypatch.setattr(gate, "PREDICTED_TOGETHER", 257)  # NumPy does not divide them among threads
    path = tmp_path / "mutated.py"
    path.write_text(mutant.mutated())
    backend = kernels.load_file(path)
    X = small_digits.X_train[:256] * np.float32(1 / 255)
    y = small_digits.y_train[:256].astype(np.int64)
    for name in mutant.gates[which]:
        if name == FUNCTIONS:
            pass_gate = partial(require_functions, mutant.name, backend, X, y)
        else:
            contender = KernelContender(backend)
            pass_gate = partial(gate.require, mutant.name, contender, small_digits, TRAININGS[name].recipe)
        with pytest.raises(GateError):
            pass_gate()


# The engine


@pytest.fixture(scope="module")
def folder(small_digits):
    with saved_dataset(small_digits) as found:
        yield found


def mutant_of(name):
    return next(mutant for mutant in CATALOGUE if mutant.label == name)


def test_unchanged_kernels_pass_and_mutant_is_caught(folder):
    # If the unchanged kernels did not pass, rejecting a mutant would prove nothing.
    sound = run_mutant(unchanged("numpy", ("sgd", "kernels", "from file")), folder)
    assert [verdict.gate for verdict in sound.verdicts] == ["sgd", "kernels", "from file"]
    assert all(verdict.passed for verdict in sound.verdicts), sound
    assert not sound.caught
    before = {path: path.stat().st_mtime_ns for path in PACKAGE.rglob("*.py")}
    wrong = run_mutant(mutant_of("numpy: order ignored"), folder)
    assert wrong.caught
    assert [set(verdict.checks) & {"parameters", "file"} for verdict in wrong.verdicts] == [{"parameters"}, {"file"}]
    assert {path: path.stat().st_mtime_ns for path in PACKAGE.rglob("*.py")} == before


@pytest.mark.slow
def test_mutant_of_compiled_kernels_does_not_change_cache(folder):
    # Only new folders count: one is for one state of the sources, and other tests compile the present one meanwhile.
    def states():
        return {path.name for path in compile_cache.folder().parent.iterdir()}

    before = states()
    wrong = run_mutant(replace(mutant_of("numba: update with the wrong sign"), gates=(FUNCTIONS,)), folder)
    # Functions that the gate checks earlier are unchanged, and pass.
    assert "with batch size 1, W1 after one step has" in wrong.verdicts[0].checks["functions"]
    assert states() == before


def test_mutant_that_crashes_is_reported_with_reason(folder):
    line = "from __future__ import annotations\n"
    broken = Mutant("numpy", "broken", "kernels/numpy_kernels.py", line, f"{line}1 / 0\n", ("sgd", "adam"))
    judged = run_mutant(broken, folder)
    assert [verdict.checks for verdict in judged.verdicts] == [
        {"breaks down": "ZeroDivisionError: division by zero"},
        {"breaks down": "ZeroDivisionError: division by zero"},
    ]
    dead = replace(broken, after=f"{line}import os\nos._exit(3)\n")
    assert run_mutant(dead, folder).verdicts[1] == Verdict("adam", {"breaks down": "exit status 3"})


def test_process_of_mutant_is_forced_to_its_paths(tmp_path, monkeypatch):
    settings = []

    def run(command, *, env, **options):
        settings.append(env[paths.SETTING])
        return subprocess.CompletedProcess(command, 3, "", "")

    monkeypatch.setenv(paths.SETTING, paths.VNNI)
    monkeypatch.setattr(score.subprocess, "run", run)
    for mutant in (mutant_of("fused (tiles): hidden bias dropped"), mutant_of("fused: hidden bias dropped")):
        assert run_mutant(mutant, tmp_path).caught
    assert settings == [paths.TILES, paths.LISTS]


def test_endless_mutant_is_stopped(folder, monkeypatch):
    monkeypatch.setattr("nnkernels.measure.mutants.score.CPU_SECONDS", 2)
    line = "from __future__ import annotations\n"
    endless = Mutant("numpy", "endless", "kernels/numpy_kernels.py", line, f"{line}while True:\n    pass\n", ("sgd",))
    assert run_mutant(endless, folder).verdicts == (
        Verdict("sgd", {"breaks down": "no result within 2 s of CPU time"}),
    )


def test_run_mutants_raises_if_unchanged_kernels_are_rejected(small_digits, monkeypatch):
    ran = []

    def refuse(mutant, folder, package):
        ran.append(mutant.name)
        return judged_as(mutant, {"sgd": {"parameters": 0.5}})

    monkeypatch.setattr("nnkernels.measure.mutants.score.run_mutant", refuse)
    with pytest.raises(MeasurementError, match="the gate rejects the unchanged numpy"):
        list(run_mutants(read_catalogue(["numpy"]), small_digits))
    assert ran == ["nothing changed"]


def test_run_mutants_keeps_order_with_parallel_jobs(small_digits, monkeypatch):
    second_began = threading.Event()

    def slow_first(mutant, folder, package):
        if mutant.label == KERNELS[1].label:
            second_began.set()
        if mutant.label == KERNELS[0].label:
            assert second_began.wait(10)
        checks = {} if mutant.name == "nothing changed" else {"parameters": 1.0}
        return judged_as(mutant, {"sgd": checks})

    monkeypatch.setattr("nnkernels.measure.mutants.score.run_mutant", slow_first)
    judged = run_mutants(KERNELS, small_digits, jobs=2)
    assert [one.name for one in judged] == [mutant.name for mutant in KERNELS]


def test_interrupted_run_does_not_wait_for_all_mutants(small_digits, monkeypatch):
    started = []

    def count(mutant, folder, package):
        started.append(mutant.name)
        time.sleep(0.02)
        return judged_as(mutant, {"sgd": {}})

    monkeypatch.setattr("nnkernels.measure.mutants.score.run_mutant", count)
    judged = run_mutants(KERNELS, small_digits)
    next(judged)
    judged.close()
    assert len(started) < len(KERNELS) / 2


def test_mutant_without_its_text_is_reported_before_any_is_run(small_digits, monkeypatch):
    monkeypatch.setattr("nnkernels.measure.mutants.score.run_mutant", lambda *_args: pytest.fail("a mutant was run"))
    gone = Mutant("numpy", "some", "kernels/numpy_kernels.py", "no such text", "", ("sgd",))
    with pytest.raises(MeasurementError, match="update the catalogue"):
        list(run_mutants([*CATALOGUE, gone], small_digits))


# The score


def judged_as(mutant, verdicts, equivalent=""):
    found = tuple(Verdict(name, checks) for name, checks in verdicts.items())
    return Judged(mutant.backend, mutant.name, mutant.file, equivalent, found, 1.5)


SOME = [
    judged_as(KERNELS[0], {"sgd": {"parameters": 0.25, "extremes": "words"}, "kernels": {"functions": "words"}}),
    judged_as(KERNELS[1], {"sgd": {"parameters": "nan"}}),
    judged_as(KERNELS[2], {"sgd": {"extremes": "logits up to 1e4: a probability"}}),
    judged_as(KERNELS[3], {"sgd": {"predictions": 2e-5}, "adam": {}}),
    judged_as(KERNELS[4], {"sgd": {}}, equivalent="No input can show it."),
    judged_as(CATALOGUE[-1], {"sgd": {"breaks down": "words"}}),
]


def test_score_counts_caught_mutants_by_first_check():
    assert report.score_text(SOME) == (
        "6 mutants (5 of numpy, 1 of fused_dense): 4 caught, 1 survived, 1 equivalent (no timed input distinguishes it "
        "from the kernel). Caught first by: parameters after training 2, extreme inputs 1, crash or time-out 1. Caught "
        "only by extreme inputs: 1."
    )
    assert (SOME[3].caught, SOME[3].survived) == (False, True)
    assert (SOME[4].caught, SOME[4].survived) == (False, False)
    assert set(report.CHECK_LABELS) == set(CHECKS)


def test_survivor_within_tolerances_is_listed_with_reason():
    survivor = replace(SOME[3], tolerated="Its effect is rounding.")
    assert (survivor.survived, survivor.unexplained, SOME[3].unexplained) == (True, False, True)
    assert "1 survived" in report.score_text([survivor])
    console = Console(file=io.StringIO(), record=True)
    report.show_mutants(console, [survivor], 1)
    assert f"numpy, {KERNELS[3].name}: survived adam. Its effect is rounding." in console.export_text()
    caught = replace(SOME[0], equivalent="No input can show it.")
    assert caught.unexplained


def test_table_shows_survivors_and_their_gates():
    console = Console(file=io.StringIO(), record=True)
    report.show_mutants(console, SOME, 9)
    text = console.export_text()
    assert "Interrupted: 6 of 9 mutants were judged." in text
    assert re.search(rf"numpy +{KERNELS[3].name} +SURVIVED adam", text)
    by = "parameters after training, single functions, extreme inputs"
    assert re.search(rf"numpy +{KERNELS[0].name} +{by} +2.5e-01 +2", text)
    assert f"numpy, {KERNELS[3].name}: survived adam." in text
    assert f"numpy, {KERNELS[4].name}: equivalent. No input can show it." in text


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path, tmp_path / "bench", "0123456789" * 4, 0, "")


def test_score_is_recorded_read_and_rendered(workspace, small_digits):
    written = record.write_score(workspace, SOME, small_digits)
    path = workspace.root / record.FILE
    assert record.read_score(path) == written
    assert json.loads(path.read_text())["version"] == record.VERSION
    block = report.block(written)
    assert block.startswith(report.BLOCK.begin)
    assert "at commit `01234567`" in block
    assert report.score_text(SOME) in block
    assert f"| numpy | {KERNELS[1].name} | parameters after training | NaN | 1 |" in block
    page = workspace.root / "README.md"
    page.write_text(f"before\n{report.BLOCK.begin}\nold\n{report.BLOCK.end}\nafter\n")
    report.BLOCK.update(page, block)
    assert page.read_text() == f"before\n{block}\nafter\n"


def score_of(mutant):
    """Return the record of one mutant with these fields."""
    one = '"backend": "numpy", "name": "n", "file": "f", "equivalent": "", "seconds": 1.0'
    return f'{{"version": 1, "recorded_at": "", "commit": "", "provenance": {{}}, "mutants": [{{{one}, {mutant}}}]}}'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"version": 9}', "has format version 9; this release reads version 1"),
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"version": 1, "mutants": [{}]}', "damaged"),
        (score_of('"verdicts": []'), "no verdicts"),
        (score_of('"verdicts": [{"gate": "sgd", "checks": {"luck": 1.0}}]'), r"unknown checks \['luck'\]"),
        (score_of('"verdicts": [{"gate": "sgd", "checks": [1]}]'), "damaged, ValueError: checks"),
        (score_of('"verdicts": [{"gate": "sgd", "checks": {}}], "seconds": "long"'), "damaged, ValueError: seconds"),
        (score_of('"verdicts": [{"gate": "sgd", "checks": {}}]'), r"provenance\.\w+: Field required"),
    ],
)
def test_unreadable_score_is_reported(content, message, tmp_path):
    path = tmp_path / "mutants.json"
    with pytest.raises(ResultsError, match="cannot be read"):
        record.read_score(path)
    path.write_text(content)
    with pytest.raises(ResultsError, match=message):
        record.read_score(path)


def test_score_is_not_recorded_with_uncommitted_changes(workspace):
    record.require_recordable(workspace)
    with pytest.raises(ConfigurationError, match=r"cannot be recorded: uncommitted changes in README\.md"):
        record.require_recordable(replace(workspace, unrecorded="uncommitted changes in README.md"))


@pytest.mark.skipif(not (ROOT / record.FILE).exists(), reason="no score is recorded")
def test_every_survivor_in_the_recorded_score_is_explained():
    assert not any(one.unexplained for one in record.read_score(ROOT / record.FILE).mutants)


# The command


def test_verify_command_shows_score(data_folder, monkeypatch, capsys):
    # The catalogue is reduced to one mutant, because all of them take minutes.
    whole = catalogue._read
    monkeypatch.setattr(catalogue, "_read", lambda name: whole(name)[:1] if name == "numpy" else [])
    monkeypatch.setenv("NNKERNELS_DATA", str(data_folder))
    monkeypatch.setenv("COLUMNS", "200")
    status, output, stderr = run_command_in_process(["verify", "--mutants"], monkeypatch, capsys)
    assert status == 0, stderr
    assert "1 mutants (1 of numpy): 1 caught, 0 survived" in " ".join(output.split())
    assert "numpy: update with the wrong sign: caught by parameters" in " ".join(stderr.split())


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM that a process could handle")
def test_sigterm_leaves_no_temporary_folder(data_folder, tmp_path, monkeypatch, capsys):
    def terminate(mutant: Mutant, folder: Path, package: Path) -> Judged:
        assert list(tmp_path.iterdir()) == [folder]
        os.kill(os.getpid(), signal.SIGTERM)
        return Judged(mutant.backend, mutant.name, mutant.file, mutant.equivalent, (), 0.0)

    monkeypatch.setattr(score, "run_mutant", terminate)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("NNKERNELS_DATA", str(data_folder))
    assert run_command_in_process(["verify", "--mutants", "numpy"], monkeypatch, capsys)[0] == 128 + signal.SIGTERM
    assert not list(tmp_path.iterdir())


def test_record_option_requires_all_mutants(monkeypatch, capsys):
    for arguments in (["--record"], ["--mutants", "--record", "numpy"]):
        status, _output, stderr = run_command_in_process(["verify", *arguments], monkeypatch, capsys)
        assert status == 1
        assert "--record saves the score of all mutants" in " ".join(stderr.split())
    stderr = run_command_in_process(["verify", "--mutants", "nobody"], monkeypatch, capsys)[2]
    assert "unknown backend with mutants 'nobody'" in " ".join(stderr.split())
