"""The command line as a user sees it: output, exit status, files and, where it matters, processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.checkouts import QUICKEST, ROOT, Project, replay_recorded_run
from tests.command_line import run_command_in_process
from tests.processes import python

# It defines one function itself. A backend that shares all of its functions would be tested under another's name.
TWIN = """
from nnkernels.kernels.numpy_kernels import *
from nnkernels.kernels import numpy_kernels

def loss(logits, y):
    return numpy_kernels.loss(logits, y)
"""

WRONG_SIGN = """
from nnkernels.kernels.numpy_kernels import *
from nnkernels.kernels import numpy_kernels

def sgd_update_inplace(params, grads, state, learning_rate):
    numpy_kernels.sgd_update_inplace(params, grads, state, -learning_rate)
"""

# A third-party package with kernels and a contender.
OUTSIDE = {
    "pyproject.toml": """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "outside"
version = "1"
[project.entry-points."nnkernels.kernels"]
outside-kernels = "outside.kernels"
[project.entry-points."nnkernels.contenders"]
outside = "outside.contender"
[tool.hatch.build.targets.wheel]
packages = ["outside"]
""",
    "outside/__init__.py": "",
    "outside/kernels.py": "from nnkernels.kernels.numpy_kernels import *\n",
    "outside/contender.py": """
from nnkernels.contenders import Entry
from nnkernels.contenders.ours import KernelContender

def contenders():
    return {"outside-framework": Entry(lambda: KernelContender("numpy"), "a framework from elsewhere")}
""",
}

Command = Callable[..., tuple[object, str, str]]


def install_third_party_package(folder: Path) -> None:
    """Install the third-party package into ``folder/site``."""
    for name, content in OUTSIDE.items():
        path = folder / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(folder / "site")]
    python("-m", "pip", "install", *options, folder / "source")


def checkout(root: Path, data: Path, site: Path, benchmarks: Sequence[str] = QUICKEST) -> Project:
    """Make a checkout with two added backends, one file each: a correct one, and one whose update is wrong.

    Its processes can import the third-party package. Its error rates are those after one epoch of any data.
    """
    made = Project.made(root, data, benchmarks)
    made.add_backend("twin", TWIN)
    made.add_backend("wrong", WRONG_SIGN)
    if "accuracy" in benchmarks:
        made.replace("bench/accuracy.py", "accuracy_recipe(len(data.X_train))", "accuracy_recipe(60_000)")
    made.commit()
    made.changes["PYTHONPATH"] += os.pathsep + str(site)
    return made


@pytest.fixture(scope="module")
def site(make_shared_folder: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """The folder in which the third-party package is installed."""
    return make_shared_folder("outside-package", install_third_party_package) / "site"


@pytest.fixture(scope="module")
def project(data_folder: Path, site: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A checkout with two added backends and without results."""
    return checkout(tmp_path_factory.mktemp("project") / "checkout", data_folder, site)


MEASURED = ("numpy", "twin", "outside-framework")
# A plugin's kernels are a contender of the same class as `twin`, so it is enough to verify them.
VERIFIED = (*MEASURED, "outside-kernels")


@pytest.fixture(scope="module")
def measured(data_folder: Path, site: Path, make_shared_folder: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """A folder that contains a checkout with a recorded run, and the output of its command. Tests must not change it.

    The run was made without a writable home folder, and with an environment variable that would distort the times.
    """

    def measure(folder: Path) -> None:
        made = checkout(folder / "checkout", data_folder, site, ("accuracy", "ratios"))
        (folder / "file").touch()
        nowhere = str(folder / "file" / "home")  # below a file: no folder can be made there
        answer = made.run(
            *("nnkernels.cli", "bench", "--contenders", ",".join(MEASURED), "--rounds", "1"),
            **{"HOME": nowhere, "USERPROFILE": nowhere, "OMP_NUM_THREADS": "1"},
        )
        assert answer.returncode == 0, answer.stderr + answer.stdout
        (folder / "output").write_text(answer.stdout, "utf-8")
        (folder / "messages").write_text(answer.stderr, "utf-8")
        (folder / "measured-in").write_text(str(made.root), "utf-8")

    return make_shared_folder("recorded-run", measure)


@pytest.fixture
def recorded(measured: Path, data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of the checkout in ``measured``, which this process uses. Further runs reuse its measurements.

    Nothing else about these runs is replaced.
    """
    shutil.copytree(measured / "checkout", tmp_path / "checkout")
    made = Project(tmp_path / "checkout", data_folder)
    made.enter(monkeypatch)
    replay_recorded_run(monkeypatch, measured / "checkout")
    return made


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """A function that runs a command in this process and returns its status, output and error output."""
    return lambda *arguments: run_command_in_process(arguments, monkeypatch, capsys)


def test_help_shows_the_commands(command: Command) -> None:
    _status, shown, _said = command("--help")
    for word in ("Measure", "verify", "bench", "Publish", "results", "publish"):
        assert word in shown


def test_added_backends_and_plugins_are_listed_and_verified_without_registration(project: Project) -> None:
    listed = project.run("nnkernels.cli", "list").stdout
    assert "a framework from elsewhere" in listed
    assert "outside-kernels" in listed
    verdict = project.run("nnkernels.cli", "verify", *VERIFIED, "wrong")
    assert verdict.returncode == 1, verdict.stderr
    words = [line.split() for line in verdict.stdout.splitlines()]
    judged = {
        name: word for name, word, *_ in filter(lambda line: len(line) > 1, words) if word in ("passed", "failed")
    }
    assert judged == {**dict.fromkeys(VERIFIED, "passed"), "wrong": "failed"}


def test_added_backend_is_covered_by_kernel_tests(project: Project) -> None:
    tested = project.run("pytest", "-q", "-p", "no:xdist", "tests/test_kernels.py", "-k", "twin and not scalar")
    assert tested.returncode == 0, tested.stdout
    assert " passed" in tested.stdout


def test_added_backends_and_plugins_are_benchmarked(recorded: Project, measured: Path, command: Command) -> None:
    messages, output, measured_in = (
        (measured / name).read_text("utf-8") for name in ("messages", "output", "measured-in")
    )
    page = (recorded.root / "results" / "html" / "run.html").read_text("utf-8")
    for name in MEASURED:
        assert name in output
        assert name in page
    rows = json.loads(command("results", "--format", "json")[1])
    assert {row["contender"] for row in rows} == set(MEASURED)
    paired = [row for row in rows if row["benchmark"] == "ratios" and row["contender"] == "twin"]
    assert all(row["ratio_to_numpy"] > 0 and row["samples"] == 1 for row in paired)
    assert {row["benchmark"] for row in rows} == {
        "ratios",
        "accuracy.ErrorRate.track_test",
    }
    assert messages.count("preliminary, from 1 process: twin trains an epoch ") == 1
    assert messages.count("OMP_NUM_THREADS") == 1  # the user is informed once
    assert "mean over 3 seeds" in output
    (record,) = (recorded.root / "results" / "runs").glob("*/run.json")
    described = json.loads(record.read_text("utf-8"))
    assert (described["threads"], described["provenance"]["seeds"]) == (["1"], 3)
    # The files to commit contain no path of this machine, and the history has asv's own format.
    written = [path for path in (recorded.root / "results").rglob("*.json") if "html" not in path.parts]
    assert len([path for path in written if path.parent.parent.name == "asv"]) == 2
    for path in written:
        text = path.read_text("utf-8")
        assert measured_in not in text
        assert sys.executable not in text


@pytest.mark.slow  # tests/test_interleaved_run.py and tests/test_gate.py see the refusal in their own process
def test_bench_refuses_to_time_backend_with_wrong_update_sign(project: Project) -> None:
    before = sorted((project.root / "results").rglob("*"))
    answer = project.run("nnkernels.cli", "bench", "--contenders", "numpy,wrong", "--rounds", "1", "--threads", "1")
    assert answer.returncode == 1
    assert "wrong differs from the float64 oracle" in answer.stderr
    assert sorted((project.root / "results").rglob("*")) == before


def test_two_successive_runs_are_recorded_and_compared(recorded: Project, command: Command) -> None:
    status, _shown, stderr = command("bench", "--contenders", "numpy", "--rounds", "2", "--machine", "second")
    assert status == 0, stderr
    first, second = sorted(path.parent.name for path in (recorded.root / "results" / "runs").glob("*/run.json"))
    rows = json.loads(command("results", "--run", second, "--format", "json")[1])
    assert {row["samples"] for row in rows if row["benchmark"] == "ratios"} == {2}  # both passes
    status, shown, stderr = command("results", "--run", second, "--against", first)
    assert status == 0, stderr
    assert "Different conditions of" in shown
    assert "machine" in shown
    assert "environment.neutralised.OMP_NUM_THREADS" in shown
    assert command("publish", "--pin", second)[0] == 0
    assert second in (recorded.root / "README.md").read_text("utf-8")
    assert json.loads((recorded.root / "results" / "published.json").read_text("utf-8"))["runs"] == [second]


def test_results_of_missing_commit_are_published_with_a_message(recorded: Project, command: Command) -> None:
    for path in (recorded.root / "results" / "asv").glob("*/*existing*.json"):
        content = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps(content | {"commit_hash": "deadbeef" * 5}), "utf-8")
    status, _shown, stderr = command("publish")
    assert status == 0, stderr
    assert "../index.html" in (recorded.root / "results" / "html" / "asv" / "index.html").read_text("utf-8")
    assert "lack the results of deadbeef" in stderr
    assert "numpy" in (recorded.root / "results" / "html" / "index.html").read_text("utf-8")
    assert command("results")[0] == 0


def test_dirty_tree_is_measured_but_not_recorded(recorded: Project, command: Command) -> None:
    with open(recorded.root / "README.md", "a", encoding="utf-8") as readme:
        readme.write("A change.\n")
    shutil.rmtree(recorded.root / "results")
    status, _shown, stderr = command("bench", "--contenders", "numpy", "--rounds", "1", "--threads", "1")
    assert status == 0, stderr
    assert "not recorded in the history" in stderr
    assert "README.md" in stderr
    assert "not recorded in the history" in (recorded.root / "results" / "html" / "run.html").read_text("utf-8")
    assert not (recorded.root / "results" / "asv").exists()
    assert not (recorded.root / "results" / "runs").exists()
    assert list((recorded.root / ".asv" / "unrecorded").glob("*/run.json"))
    assert command("results")[0] == 1


def test_run_without_git_and_home_is_measured_but_not_recorded(
    recorded: Project, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (".git", "results"):
        shutil.rmtree(recorded.root / name)
    (tmp_path / "file").touch()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "file" / "home"))
    monkeypatch.setenv("PATH", str(tmp_path))
    status, shown, stderr = command("bench", "--contenders", "numpy", "--rounds", "1", "--threads", "1")
    assert status == 0, stderr
    assert "not recorded in the history: git is not installed" in stderr
    assert not (recorded.root / "results").exists()
    page = Path(next(line.split()[1] for line in shown.splitlines() if line.startswith("page ")))
    assert "not recorded in the history" in page.read_text("utf-8")
    shutil.rmtree(page.parents[2])


def test_ctrl_c_keeps_complete_passes(
    recorded: Project, measured: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (before,) = (recorded.root / "results" / "runs").iterdir()
    replay_recorded_run(monkeypatch, measured / "checkout", interrupted_pass=1)
    status, _shown, stderr = command("bench", "--contenders", "numpy")
    assert status == 130
    assert "complete passes: 1" in stderr
    (kept,) = set((recorded.root / "results" / "runs").iterdir()) - {before}
    record = json.loads((kept / "run.json").read_text("utf-8"))
    assert (record["passes"], record["planned_passes"]) == (1, 4)


@pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX")
def test_ctrl_c_before_first_complete_pass_keeps_nothing(project: Project) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "nnkernels.cli", "bench", "--contenders", "numpy"],
        cwd=project.root,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    assert any("pass 1 of 4" in line for line in child.stderr)
    child.send_signal(signal.SIGINT)
    _output, rest = child.communicate(timeout=120)
    assert child.returncode == 130
    assert "nothing was saved" in rest
    assert not list((project.root / "results").glob("runs/*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "nobody"], "unknown contender 'nobody'"),
        (["bench", "--contenders", "nobody"], "unknown contender 'nobody'"),
        (["verify", "numpy", "--data", "no/such/place"], "no/such/place: no such file or folder"),
        (["results", "--format", "xml"], "unknown format 'xml'"),
    ],
)
def test_user_error_is_reported_without_traceback(
    arguments: list[str], message: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    status, _out, stderr = command(*arguments)
    assert status == 1
    assert message in stderr
    assert "Traceback" not in stderr


def test_user_error_ends_process_with_one_line() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "nnkernels.cli", "verify", "nobody"], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1
    assert answer.stderr.count("\n") == 1
    assert answer.stderr.startswith("error: unknown contender 'nobody'")


def test_asv_check_accepts_the_benchmarks() -> None:
    python("-m", "asv", "check", "-E", f"existing:{sys.executable}", folder=ROOT)


HOST = "a-host-that-nobody-else-has"
ASV_ON_THAT_HOST = f"""
import platform
here = platform.uname()
platform.uname = lambda: here._replace(node={HOST!r})
from asv.main import main
main()
"""


@pytest.mark.slow
def test_manual_asv_run_leaves_nothing_to_commit_and_no_host_name(data_folder: Path, tmp_path: Path) -> None:
    # asv names a machine after its host, and writes that name even on a dry run.
    root = tmp_path / "checkout"
    project = Project.made(root, data_folder, ("kernels", "ratios"))
    project.replace("bench/kernels.py", "BATCH_SIZES = (1, 32, 256, 2048)", "BATCH_SIZES = (1,)")  # one process each
    # One recorded machine and one run: asv draws a graph of each benchmark for each machine.
    machine_folder = ROOT / "results" / "asv" / "amd-epyc-znver3-2-cpus"
    newest = sorted((ROOT / "results" / "runs").iterdir())[-1]
    for folder in (machine_folder, newest):
        shutil.copytree(folder, root / folder.relative_to(ROOT))
    shutil.copyfile(ROOT / "results" / "asv" / "benchmarks.json", root / "results" / "asv" / "benchmarks.json")
    project.commit()

    def asv(*arguments: str) -> str:
        return python("-c", ASV_ON_THAT_HOST, *arguments, folder=root, environment=project.environment).stdout

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout

    asv("machine", "--yes")
    assert HOST in (root.parent / "checkout-home" / ".asv-machine.json").read_text("utf-8")
    one = ["--quick", "-E", "existing:same", "--bench", r"^kernels\.Kernels\.time_forward\('numpy', 1, "]
    commit = git("rev-parse", "HEAD").strip()
    asv("run", "--dry-run", *one)  # the README's
    assert "time_forward" in asv("run", "--set-commit-hash", commit, *one)
    assert "time_forward" in asv("compare", commit, commit)
    asv("publish", "--no-pull")
    assert git("status", "--porcelain", "--untracked-files=all") == ""
    assert git("add", "-A", "-n") == ""
    # asv wrote to .asv, and recorded results are published from results.
    assert (root / ".asv" / "results" / HOST / "machine.json").is_file()
    assert HOST in (root / ".asv" / "html" / "index.json").read_text("utf-8")
    assert project.run("nnkernels.cli", "publish").returncode == 0
    published = (root / "results" / "html" / "asv" / "index.json").read_text("utf-8")
    assert HOST not in published
    assert "amd-epyc-znver3-2-cpus" in published
