"""Settings that distort times are removed from timed processes, recorded without paths, and reported to the user."""

from __future__ import annotations

import getpass
import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import asv
import psutil
import pytest
from rich.console import Console
from typer.testing import CliRunner

from nnkernels.cli import app
from nnkernels.data import Dataset
from nnkernels.measure.asv_driver import process
from nnkernels.measure.asv_driver.process import Pass, register_machine, run_pass
from nnkernels.measure.asv_driver.workspace import Workspace
from nnkernels.measure.records import provenance
from nnkernels.measure.records.environment import (
    NO_KERAS_HOME,
    RULES,
    STARTED_OVER,
    find_settings,
    neutralise_benchmark_process,
    removed_settings_note,
    timed_environment,
)
from nnkernels.measure.records.process_files import load_keras, save_keras
from nnkernels.measure.records.shown_values import LONGEST, shown
from nnkernels.report import page, side_by_side
from nnkernels.report.summary import summarise
from tests.processes import python

from . import synthetic

ROOT = Path(__file__).parents[1]

# Each is known to change the times or the results of some contender.
DISTORTING = {
    "OPENBLAS_CORETYPE": "Prescott",
    "OPENBLAS_NUM_THREADS": "1",
    "GOTO_NUM_THREADS": "1",
    "BLIS_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "MKL_CBWR": "COMPATIBLE",
    "OMP_NUM_THREADS": "1",
    "KMP_AFFINITY": "disabled",
    "NPROC": "1",
    "NUMBA_OPT": "0",
    "NUMBA_CPU_NAME": "generic",
    "NNKERNELS_FUSED_PATHS": "lists",
    "NUMBA_NUM_THREADS": "1",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_NUM_INTRAOP_THREADS": "1",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "JAX_ENABLE_X64": "1",
    "KERAS_BACKEND": "jax",
    "KERAS_MAX_STEPS_PER_EPOCH": "1",
    "KERAS_NNX_ENABLED": "1",
    "CUDA_VISIBLE_DEVICES": "0",
    "TORCH_LOGS": "all",
    "NPY_DISABLE_CPU_FEATURES": "AVX2",
    "SCIPY_ARRAY_API": "1",
    "SKLEARN_ASSUME_FINITE": "1",
    "ORT_DISABLE_ALL_OPTIMIZATION": "1",
    "GLIBC_TUNABLES": "glibc.malloc.arena_max=1",
    "MALLOC_ARENA_MAX": "1",
    "PYTHONMALLOC": "malloc",
    "PYTHONDEVMODE": "1",
    "PYTHONOPTIMIZE": "2",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "ASV_RUNNER_PATH": "runner",
}
KEPT = {"NUMBA_CACHE_DIR": "/home/ann/numba", "PYTHONPATH": "/home/ann/packages", "LD_LIBRARY_PATH": "/opt/lib"}
OTHERS = {"PATH": "/usr/bin", "NNKERNELS_DATA": "/data", "TF_CPP_MIN_LOG_LEVEL": "3", "TF_VAR_password": "secret"}
HOME = {"HOME": "/nobody", "USERPROFILE": "/nobody"}


def keras_home(folder: Path, **settings: object) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "keras.json").write_text(json.dumps(settings), "utf-8")
    return str(folder)


def test_timed_environment_removes_distorting_settings() -> None:
    environ = DISTORTING | KEPT | OTHERS | HOME
    assert timed_environment(environ) == KEPT | OTHERS | HOME | {"KERAS_HOME": NO_KERAS_HOME}
    settings = find_settings(environ)
    assert settings.removed == DISTORTING
    assert settings.kept == KEPT
    # The new environment contains nothing to remove, so a process in it records no removals.
    assert find_settings(timed_environment(environ)).removed == {}


@pytest.mark.parametrize("name", ["LD_PRELOAD", "KERAS_HOME", "JAX_COMPILATION_CACHE_DIR", "XLA_FLAGS"])
def test_setting_with_a_path_is_removed_and_recorded_without_it(name: str, tmp_path: Path) -> None:
    environ = HOME | {name: str(tmp_path / "ann smith")}
    recorded = find_settings(environ).record_for_timed_processes()
    assert recorded == {"neutralised": {name: "<path>"}, "kept": {}}
    assert timed_environment(environ).get(name) == (NO_KERAS_HOME if name == "KERAS_HOME" else None)


def test_settings_of_this_process_are_recorded_as_kept() -> None:
    recorded = find_settings({"OMP_NUM_THREADS": "1"} | KEPT | HOME).record_for_this_process()
    assert recorded["neutralised"] == {}
    assert recorded["kept"] == {"OMP_NUM_THREADS": "1"} | dict.fromkeys(KEPT, "<path>")


def test_find_settings_reads_keras_json(tmp_path: Path) -> None:
    settings = {"floatx": "float64", "epsilon": 1e-7, "backend": "jax", "image_data_format": "channels_last"}
    home = keras_home(tmp_path, **settings)
    found = find_settings({"KERAS_HOME": home} | HOME).removed
    assert found == {"KERAS_HOME": home, "keras.json backend": "jax", "keras.json floatx": "float64"}
    assert find_settings({"KERAS_HOME": NO_KERAS_HOME}).removed == {}
    for damaged in ("", "{", "[1]", "\xff"):
        (tmp_path / "keras.json").write_text(damaged, "latin-1")
        assert set(find_settings({"KERAS_HOME": home} | HOME).removed) == {"KERAS_HOME"}


def test_values_are_recorded_without_paths_names_and_secrets() -> None:
    assert shown("OMP_NUM_THREADS", "4,2") == "4,2"
    assert shown("XLA_FLAGS", "--xla_a=false --xla_dump_to=/home/ann/x --xla_b") == (
        "--xla_a=false --xla_dump_to=<path> --xla_b"
    )
    assert shown("LD_PRELOAD", "/usr/lib/a.so:/home/ann smith/b.so other words") == "<path>"
    assert shown("X", r"C:\Users\ann\x") == shown("X", "~ann/x") == "<path>"
    assert shown("JAX_TOKEN", "abc") == "<not recorded>"
    assert shown("X", f"on-{socket.gethostname()} {getpass.getuser()}") == "on-<name> <name>"
    assert len(shown("X", "1" * 5000)) == LONGEST + 3


def test_no_rule_shadows_another() -> None:
    names = [name for rule in RULES for name in rule.names.split()]
    assert len(names) == len(set(names))
    for index, rule in enumerate(RULES):
        for name in rule.names.split():
            assert next(other for other in RULES if other.covers(name.rstrip("*"))) is rule, (index, name)


def test_note_names_distorting_settings() -> None:
    assert removed_settings_note(find_settings(KEPT | OTHERS | HOME)) == ""
    assert "OMP_NUM_THREADS, PYTHONHASHSEED, which" in removed_settings_note(
        find_settings({"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"} | HOME)
    )


SPY = """
import json, os, sys
from pathlib import Path

def track_seen():
    seen = {"environment": dict(os.environ), "hash": sys.flags.hash_randomization, "optimize": sys.flags.optimize}
    Path(os.environ["NNKERNELS_BENCH_RECORDS"], "seen.json").write_text(json.dumps(seen))
    return 1.0
"""


def spy_workspace(folder: Path, *, before_spy: str = "", spy: str = SPY) -> Workspace:
    (folder / "spies").mkdir()
    (folder / "spies" / "__init__.py").write_text(before_spy)
    (folder / "spies" / "seen.py").write_text(spy)
    return Workspace(folder, folder / "spies", "0" * 40, 0, "a test")


def run_spy(folder: Path, spy: str, progress: Callable[[float, str], None], patch: pytest.MonkeyPatch) -> Pass:
    """Run asv on a spy benchmark, with a machine that is registered in a home folder of the test."""
    patch.setenv("HOME", str(folder))
    patch.setenv("USERPROFILE", str(folder))
    workspace, where = spy_workspace(folder, spy=spy), Pass(folder / "pass", folder / "records")
    where.folder.mkdir()
    information = {"os": "x", "arch": "x", "cpu": "x", "num_cpu": "1", "ram": "1"}
    changes = register_machine(workspace, "some-machine", information, where.folder)
    run_pass(workspace, "some-machine", ["seen"], where, changes, progress)
    return where


def test_asv_pass_runs_without_distorting_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in DISTORTING.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    reports: list[tuple[float, str]] = []
    where = run_spy(tmp_path, SPY, lambda *progress: reports.append(progress), monkeypatch)
    assert (0.0, "seen.track_seen") in reports  # still 0 while the only benchmark runs
    seen = json.loads((where.records / "seen.json").read_text("utf-8"))
    assert not set(DISTORTING) & set(seen["environment"])
    assert seen["environment"]["NUMBA_CACHE_DIR"] == str(tmp_path / "numba")
    assert seen["environment"]["KERAS_HOME"] == NO_KERAS_HOME
    assert (seen["hash"], seen["optimize"]) == (1, 0)


SLEEPER = """
import os, time
from pathlib import Path

def track_sleep():
    process = Path(os.environ["NNKERNELS_BENCH_RECORDS"], "process")
    process.with_suffix(".part").write_text(str(os.getpid()))
    process.with_suffix(".part").rename(process)
    time.sleep(600)
"""


def test_interrupted_pass_leaves_no_process_and_no_open_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output, benchmark = process._output, tmp_path / "records" / "process"
    children, sleepers = [], []

    def interrupt(*_progress: object) -> None:
        if benchmark.exists():
            sleepers.append(psutil.Process(int(benchmark.read_text())))
            raise KeyboardInterrupt

    monkeypatch.setattr(process, "_output", lambda child: output(children.append(child) or child))
    with pytest.raises(KeyboardInterrupt):
        run_spy(tmp_path, SLEEPER, interrupt, monkeypatch)
    (child,) = children
    assert child.returncode is not None
    assert child.stdout.closed
    _gone, alive = psutil.wait_procs(sleepers, timeout=10)
    assert all(sleeper.status() == psutil.STATUS_ZOMBIE for sleeper in alive)


def test_output_of_child_is_read_before_the_line_ends() -> None:
    program = "import sys; print('begun', end='', flush=True); sys.stdin.read(); print(' and ended')"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        output = process._output(child)
        assert next(filter(None, output)) == "begun"
        child.stdin.close()
        assert "".join(output).split() == ["and", "ended"]


def run_asv_manually(
    folder: Path, command: str, *, status: int = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Start the program that asv starts for a benchmark, in a package with the same start as ``bench``."""
    if not (folder / "spies").exists():
        begin = (ROOT / "bench" / "__init__.py").read_text("utf-8")
        spy_workspace(folder, before_spy=begin)
    arguments = {
        "run": ["seen.track_seen", "{}", "None", str(folder / "result.json")],
        "discover": [str(folder / "found.json")],
        "check": [],
    }[command]
    begin_asv = (Path(asv.__file__).with_name("benchmark.py"), command, folder / "spies", *arguments)
    here = {"ASV_PYTHONPATH": str(ROOT), "PYTHONPATH": str(ROOT), "NNKERNELS_BENCH_RECORDS": str(folder)}
    return python(*begin_asv, folder=folder, environment=timed_environment() | here | environment, status=status)


@pytest.mark.skipif(os.name != "posix", reason="needs execve, which replaces a process")
def test_manual_asv_run_is_free_of_distorting_settings(tmp_path: Path) -> None:
    run_asv_manually(tmp_path, "run", **DISTORTING)
    seen = json.loads((tmp_path / "seen.json").read_text("utf-8"))
    assert not set(DISTORTING) & set(seen["environment"])
    assert (seen["hash"], seen["optimize"]) == (1, 0)  # also what the interpreter reads at its start
    assert json.loads((tmp_path / "result.json").read_text("utf-8")) == 1.0  # asv received the result


def test_manual_asv_run_is_refused_only_if_it_cannot_be_restarted(tmp_path: Path) -> None:
    distorting = {"OPENBLAS_CORETYPE": "Prescott", STARTED_OVER: "1"}
    answer = run_asv_manually(tmp_path, "run", status=1, **distorting)
    assert "OPENBLAS_CORETYPE would distort the times, and this process cannot be restarted" in answer.stderr
    for command in ("discover", "check"):  # nothing is timed
        run_asv_manually(tmp_path, command, **distorting)


@pytest.mark.parametrize("argv", [["pytest"], ["pytest", "run"], [str(Path("asv", "benchmark.py")), "check"]])
def test_processes_that_time_nothing_keep_their_environment(monkeypatch: pytest.MonkeyPatch, argv: list[str]) -> None:
    for name, value in DISTORTING.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(os, "execve", lambda *arguments: pytest.fail("started over"))
    before = dict(os.environ)
    neutralise_benchmark_process()
    assert dict(os.environ) == before


def test_provenance_of_timed_processes_records_removed_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, small_digits: Dataset
) -> None:
    clean = timed_environment()
    for name in set(os.environ) - set(clean):
        monkeypatch.delenv(name)
    monkeypatch.setenv("KERAS_HOME", keras_home(tmp_path, floatx="float64"))
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    here = provenance.collect(small_digits)
    timed = provenance.collect(small_digits, timed=True)
    removed = {"KERAS_HOME": "<path>", "OPENBLAS_CORETYPE": "Prescott", "keras.json floatx": "float64"}
    assert timed["environment"]["neutralised"] == removed
    assert timed["environment"]["kept"]["LD_LIBRARY_PATH"] == "<path>"
    assert here["environment"]["neutralised"] == {}
    assert here["environment"]["kept"].items() >= removed.items()
    assert str(tmp_path) not in json.dumps(timed)
    # In a process with the variable, OpenBLAS would have chosen its kernels for Prescott.
    assert "Prescott" not in {library["architecture"] for library in timed["blas"]}
    assert len(timed["blas"]) == len(provenance.blas_libraries())


def test_reports_show_settings_that_differ_between_runs() -> None:
    old, run = synthetic.run(), synthetic.run()
    run.record.provenance["environment"] = {"neutralised": {"OMP_NUM_THREADS": "1"}, "kept": {"PYTHONPATH": "<path>"}}
    run.record.provenance["keras"] = [{"backend": "jax", "floatx": "float32"}]
    found = {what: (here, there) for what, here, there in side_by_side.differences(run, old)}
    assert found == {
        "environment.neutralised.OMP_NUM_THREADS": ("1", "-"),
        "environment.kept.PYTHONPATH": ("<path>", "-"),
        "keras[0].backend": ("jax", "-"),
        "keras[0].floatx": ("float32", "-"),
    }
    console = Console(width=160, file=io.StringIO(), record=True)
    side_by_side.show_differences(console, run, old)
    assert "environment.neutralised.OMP_NUM_THREADS" in console.export_text()
    assert "removed from the measured processes" not in page.render(summarise(old), None)
    shown_page = page.render(summarise(run), None)
    assert "removed from the measured processes: OMP_NUM_THREADS=1" in shown_page
    assert "passed on to them: PYTHONPATH=&lt;path&gt;" in shown_page
    assert "jax, floatx float32" in shown_page


def test_env_command_shows_distorting_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_folder: Path
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    answer = CliRunner().invoke(app, ["env", "--data", str(data_folder)])
    assert answer.exit_code == 0
    found = json.loads(answer.stdout)["environment"]
    assert found["neutralised"]["OMP_NUM_THREADS"] == "1"
    assert found["kept"]["NUMBA_CACHE_DIR"] == "<path>"


def test_load_keras_returns_each_distinct_setting_once(tmp_path: Path) -> None:
    jax, tensorflow = ({"backend": name, "floatx": "float32"} for name in ("jax", "tensorflow"))
    for folder, in_use in (("a", tensorflow), ("a", tensorflow), ("b", jax)):
        save_keras(in_use, tmp_path / folder)
    assert load_keras([tmp_path / "a", tmp_path / "b", tmp_path / "none"]) == [jax, tensorflow]
