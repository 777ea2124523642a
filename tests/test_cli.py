"""The command line as a user meets it: a child process, its output, its status, its files."""

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

from tests.command_line import in_this_process
from tests.processes import python

ROOT = Path(__file__).parents[1]

# One function of its own, so that it is none of those backends that are tested under another's name.
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


# Of these a run takes seconds; tests/test_bench.py runs every benchmark.
QUICKEST = ("ratios",)


class Project:
    """A copy of the project, as a git checkout of its own, with the backends that a test drops in."""

    def __init__(self, root: Path, data: Path) -> None:
        self.root = root
        home = root.parent / f"{root.name}-home"  # asv's machine file and the caches go here
        home.mkdir(exist_ok=True)
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(root),
            "NNKERNELS_DATA": str(data),
            "HOME": str(home),
            "USERPROFILE": str(home),
            "COLUMNS": "150",
            "NNKERNELS_BENCH_SEEDS": "2",
        }

    @classmethod
    def made(cls, root: Path, data: Path, benchmarks: Sequence[str] = QUICKEST) -> Project:
        """Copy the project with these files of benchmarks into a new folder."""
        for name in ("nnkernels", "tests"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        (root / "bench").mkdir()
        for path in (*(ROOT / "bench").glob("_*.py"), *(ROOT / "bench" / f"{name}.py" for name in benchmarks)):
            shutil.copyfile(path, root / "bench" / path.name)
        kernels = root / "bench" / "kernels.py"
        if kernels.exists():  # a process for each batch size
            sizes = "BATCH_SIZES = (1, 32, 256, 2048)"
            assert sizes in kernels.read_text("utf-8")
            kernels.write_text(kernels.read_text("utf-8").replace(sizes, "BATCH_SIZES = (1,)"), "utf-8")
        for name in ("asv.conf.json", "pyproject.toml", "README.md", ".gitignore"):
            shutil.copyfile(ROOT / name, root / name)
        return cls(root, data)

    def add_backend(self, name: str, source: str) -> None:
        (self.root / "nnkernels" / "kernels" / f"{name}_kernels.py").write_text(source, "utf-8")

    def commit(self) -> None:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
        for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], [*identity, "commit", "-q", "-m", "test"]):
            subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.root,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )


def checkout(root: Path, data: Path, benchmarks: Sequence[str] = QUICKEST) -> Project:
    """Make a checkout with two backends dropped in, one file each: a right one, and one whose update is wrong."""
    made = Project.made(root, data, benchmarks)
    made.add_backend("twin", TWIN)
    made.add_backend("wrong", WRONG_SIGN)
    made.commit()
    return made


@pytest.fixture(scope="module")
def project(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A checkout with two backends dropped in, without results."""
    return checkout(tmp_path_factory.mktemp("project") / "checkout", data_folder)


@pytest.fixture
def recorded(data_folder: Path, tmp_path: Path, made_once: Callable[[str, Callable[[Path], None]], Path]) -> Project:
    """A checkout of the test's own with one recorded run in it, which is measured once for all tests."""

    def measure(folder: Path) -> None:
        made = checkout(folder / "checkout", data_folder, ("accuracy", "ratios"))
        answer = made.run("nnkernels.cli", "bench", "--contenders", "numpy,twin", "--rounds", "2")
        assert answer.returncode == 0, answer.stderr + answer.stdout
        (folder / "output").write_text(answer.stdout, "utf-8")
        (folder / "messages").write_text(answer.stderr, "utf-8")
        (folder / "measured-in").write_text(str(made.root), "utf-8")

    shutil.copytree(made_once("recorded-run", measure), tmp_path / "recorded")
    return Project(tmp_path / "recorded" / "checkout", data_folder)


def test_help_shows_the_commands() -> None:
    answer = python("-m", "nnkernels.cli", "--help")
    for word in ("Measure", "verify", "bench", "Publish", "results", "publish"):
        assert word in answer.stdout


def test_a_dropped_in_backend_is_found_verified_and_tested(project: Project) -> None:
    answer = project.run("nnkernels.cli", "verify", "numpy", "twin")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("passed") == 2
    tested = project.run("pytest", "-q", "-p", "no:xdist", "tests/test_kernels.py", "-k", "twin")
    assert tested.returncode == 0, tested.stdout
    assert " passed" in tested.stdout


def test_a_dropped_in_backend_is_benchmarked(recorded: Project) -> None:
    project = recorded
    assert "twin" in (project.root.parent / "output").read_text("utf-8")
    assert (project.root / "results" / "html" / "index.html").is_file()
    rows = json.loads(project.run("nnkernels.cli", "results", "--format", "json").stdout)
    assert {row["contender"] for row in rows} == {"numpy", "twin"}
    paired = [row for row in rows if row["benchmark"] == "ratios" and row["contender"] == "twin"]
    assert all(row["ratio_to_numpy"] > 0 and row["samples"] == 2 for row in paired)
    assert {row["benchmark"] for row in rows} == {
        "ratios",
        "accuracy.ErrorRate.track_test",
    }
    messages, output = ((project.root.parent / name).read_text("utf-8") for name in ("messages", "output"))
    assert messages.count("preliminary, from 1 process: twin trains an epoch ") == 1
    assert "the mean over 3 seeds" in output
    (record,) = (project.root / "results" / "runs").glob("*/run.json")
    described = json.loads(record.read_text("utf-8"))
    assert (described["threads"], described["provenance"]["seeds"]) == (["1"], 3)
    # Nothing of this machine's paths goes into what is committed, and the history is asv's own form.
    written = [path for path in (project.root / "results").rglob("*.json") if "html" not in path.parts]
    assert len([path for path in written if path.parent.parent.name == "asv"]) == 2
    measured_in = (project.root.parent / "measured-in").read_text("utf-8")
    for path in written:
        text = path.read_text("utf-8")
        assert measured_in not in text
        assert sys.executable not in text


def test_a_kernel_with_a_wrong_sign_gets_no_time(project: Project) -> None:
    verdict = project.run("nnkernels.cli", "verify", "wrong")
    assert verdict.returncode == 1
    assert "failed" in verdict.stdout
    before = sorted((project.root / "results").rglob("*"))
    answer = project.run("nnkernels.cli", "bench", "--contenders", "numpy,wrong", "--rounds", "1", "--threads", "1")
    assert answer.returncode == 1
    assert "wrong departs from the float64 oracle" in answer.stderr
    assert sorted((project.root / "results").rglob("*")) == before


def test_a_dirty_tree_is_measured_and_shown_but_not_recorded(data_folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "dirty"
    project = Project.made(root, data_folder)
    project.commit()
    with open(project.root / "README.md", "a", encoding="utf-8") as readme:
        readme.write("A change.\n")
    answer = project.run("nnkernels.cli", "bench", "--contenders", "numpy", "--rounds", "1", "--threads", "1")
    assert answer.returncode == 0, answer.stderr
    assert "not recorded as history" in answer.stderr
    assert "README.md" in answer.stderr
    assert "not recorded as history" in (project.root / "results" / "html" / "index.html").read_text("utf-8")
    assert not (project.root / "results" / "asv").exists()
    assert not (project.root / "results" / "runs").exists()
    assert list((project.root / ".asv" / "unrecorded").glob("*/run.json"))
    assert project.run("nnkernels.cli", "results").returncode == 1


def test_results_whose_commit_is_gone_are_shown_with_a_clear_message(recorded: Project) -> None:
    project = recorded
    for path in (project.root / "results" / "asv").glob("*/*existing*.json"):
        content = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps(content | {"commit_hash": "deadbeef" * 5}), "utf-8")
    answer = project.run("nnkernels.cli", "publish")
    assert answer.returncode == 0, answer.stderr
    assert "../index.html" in (project.root / "results" / "html" / "asv" / "index.html").read_text("utf-8")
    assert "lack the results of deadbeef" in answer.stderr
    assert "numpy" in (project.root / "results" / "html" / "index.html").read_text("utf-8")
    assert project.run("nnkernels.cli", "results").returncode == 0


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


def test_an_outside_package_takes_part_with_no_file_of_ours_edited(data_folder: Path, tmp_path: Path) -> None:
    for name, content in OUTSIDE.items():
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    site = tmp_path / "site"
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(site)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(tmp_path / "source")], check=True)
    root = tmp_path / "checkout"
    project = Project.made(root, data_folder)
    project.environment["PYTHONPATH"] += os.pathsep + str(site)
    project.commit()
    listed = project.run("nnkernels.cli", "list").stdout
    assert "a framework from elsewhere" in listed
    assert "outside-kernels" in listed
    verified = project.run("nnkernels.cli", "verify", "outside-framework", "outside-kernels")
    assert verified.returncode == 0, verified.stderr
    answer = project.run(
        "nnkernels.cli", "bench", "--rounds", "1", "--threads", "1", "--contenders", "outside-framework,outside-kernels"
    )
    assert answer.returncode == 0, answer.stderr
    page = (root / "results" / "html" / "index.html").read_text("utf-8")
    assert "outside-framework" in page
    assert "outside-kernels" in page


def test_two_runs_in_a_row_are_both_recorded_and_set_side_by_side(recorded: Project) -> None:
    project = recorded
    arguments = ["--contenders", "numpy", "--rounds", "1", "--threads", "1", "--machine", "second"]
    answer = project.run("nnkernels.cli", "bench", *arguments, OMP_NUM_THREADS="1")
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr.count("OMP_NUM_THREADS") == 1  # the user is told once
    first, second = sorted(path.parent.name for path in (project.root / "results" / "runs").glob("*/run.json"))
    answer = project.run("nnkernels.cli", "results", "--run", second, "--against", first)
    assert answer.returncode == 0, answer.stderr
    assert "what differs" in answer.stdout
    assert "machine" in answer.stdout
    assert "environment.neutralised.OMP_NUM_THREADS" in answer.stdout
    pinned = project.run("nnkernels.cli", "publish", "--pin", second)
    assert pinned.returncode == 0, pinned.stderr
    assert second in (project.root / "README.md").read_text("utf-8")
    assert json.loads((project.root / "results" / "published.json").read_text("utf-8"))["runs"] == [second]


def test_outside_a_git_checkout_and_without_a_home_a_run_is_measured_and_not_recorded(
    data_folder: Path, tmp_path: Path
) -> None:
    root = tmp_path / "unpacked-zip"
    project = Project.made(root, data_folder)
    nowhere = str(tmp_path / "README.md" / "home")  # below a file: no folder can be made there
    (tmp_path / "README.md").touch()
    arguments = ["bench", "--contenders", "numpy,numba", "--rounds", "1", "--threads", "1"]
    answer = project.run("nnkernels.cli", *arguments, HOME=nowhere, USERPROFILE=nowhere, PATH=str(tmp_path))
    assert answer.returncode == 0, answer.stderr
    assert "not recorded as history: git is not installed" in answer.stderr
    assert "numba" in answer.stdout
    assert not (root / "results").exists()
    page = Path(next(line.split()[1] for line in answer.stdout.splitlines() if line.startswith("page ")))
    assert "not recorded as history" in page.read_text("utf-8")
    shutil.rmtree(page.parents[2])


@pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX")
@pytest.mark.parametrize(("wait_for", "kept"), [("pass 1 of 4", 0), ("pass 2 of 4", 1)])
def test_ctrl_c_keeps_the_passes_that_are_complete(data_folder: Path, tmp_path: Path, wait_for: str, kept: int) -> None:
    root = tmp_path / "interrupted"
    project = Project.made(root, data_folder)
    project.commit()
    child = subprocess.Popen(
        [sys.executable, "-m", "nnkernels.cli", "bench", "--contenders", "numpy,numba"],
        cwd=project.root,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    assert any(wait_for in line for line in child.stderr)
    child.send_signal(signal.SIGINT)
    _output, rest = child.communicate(timeout=120)
    assert child.returncode == 130
    runs = list((project.root / "results").glob("runs/*/run.json"))
    if kept:
        assert f"kept the {kept} complete passes" in rest
        assert json.loads(runs[0].read_text("utf-8"))["passes"] == kept
    else:
        assert "nothing is kept" in rest
        assert not runs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "nobody"], "unknown contender 'nobody'"),
        (["bench", "--contenders", "nobody"], "unknown contender 'nobody'"),
        (["verify", "numpy", "--data", "no/such/place"], "no/such/place: no such file or folder"),
        (["results", "--format", "xml"], "unknown format 'xml'"),
    ],
)
def test_mistakes_get_one_clear_line(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    status, _out, said = in_this_process(arguments, monkeypatch, capsys)
    assert status == 1
    assert message in said
    assert "Traceback" not in said


def test_a_mistake_ends_a_process_with_one_line() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "nnkernels.cli", "verify", "nobody"], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1
    assert answer.stderr.count("\n") == 1
    assert answer.stderr.startswith("error: unknown contender 'nobody'")


def test_asv_itself_accepts_the_benchmarks() -> None:
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
def test_asv_by_hand_leaves_nothing_to_commit_and_no_host_name(data_folder: Path, tmp_path: Path) -> None:
    # asv's name of a machine is the host's, and it writes that even when it runs dry.
    root = tmp_path / "checkout"
    project = Project.made(root, data_folder, ("kernels", "ratios"))
    # One recorded machine and one run: asv draws a graph of each benchmark for each machine.
    of_one_machine = ROOT / "results" / "asv" / "amd-epyc-znver3-2-cpus"
    newest = sorted((ROOT / "results" / "runs").iterdir())[-1]
    for folder in (of_one_machine, newest):
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
    # It was written where it belongs, and what is recorded is published from where that is.
    assert (root / ".asv" / "results" / HOST / "machine.json").is_file()
    assert HOST in (root / ".asv" / "html" / "index.json").read_text("utf-8")
    assert project.run("nnkernels.cli", "publish").returncode == 0
    published = (root / "results" / "html" / "asv" / "index.json").read_text("utf-8")
    assert HOST not in published
    assert "amd-epyc-znver3-2-cpus" in published
