"""The checkout that a run measures, and what happens to the run if the checkout changes during it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nnkernels.data import Dataset
from nnkernels.measure.asv_driver import process, run, workspace
from nnkernels.measure.asv_driver.plan import Plan, profile
from nnkernels.measure.asv_driver.progress import Progress
from nnkernels.measure.asv_driver.workspace import Workspace, changed_since, open_workspace

GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.invalid")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git checkout of two files, used instead of the real one."""
    (tmp_path / "bench").mkdir()
    for name in ("asv.conf.json", "bench/ratios.py"):
        (tmp_path / name).write_text("first", "utf-8")
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*GIT, *arguments], cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.setattr(workspace, "PACKAGE", tmp_path / "nnkernels")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edit(root: Path) -> None:
    (root / "bench" / "ratios.py").write_text("second", "utf-8")


def edit_and_commit(root: Path) -> None:
    edit(root)
    subprocess.run([*GIT, "commit", "-q", "-a", "-m", "second"], cwd=root, check=True, capture_output=True)


def write_results(root: Path) -> None:
    (root / "results").mkdir()
    (root / "results" / "some.json").write_text("{}", "utf-8")


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (lambda root: None, ""),
        (write_results, ""),
        (edit, "uncommitted changes in bench/ratios.py, made during the measurement"),
        (edit_and_commit, "another commit was checked out during the measurement"),
    ],
)
def test_change_of_checkout_is_reported(checkout: Path, happens: Callable[[Path], None], reason: str) -> None:
    opened = open_workspace()
    assert opened.unrecorded == ""
    happens(checkout)
    assert changed_since(opened) == reason
    assert changed_since(replace(opened, unrecorded="dirty from the start")) == ""


def test_passes_during_change_of_checkout_are_reported_and_measured_again(
    checkout: Path, small_digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []

    def fake_pass(
        _workspace: Workspace, _machine: str, patterns: tuple[str, ...], where: process.Pass, *_: object
    ) -> None:
        where.folder.mkdir(parents=True, exist_ok=True)
        (where.folder / process.COMPLETE).touch()
        measured.extend(patterns)
        if patterns == ("second",):
            edit(checkout)

    monkeypatch.setattr(run, "run_pass", fake_pass)
    opened = open_workspace()
    plan, scratch = Plan((("first",), ("second",), ("third",))), tmp_path / "results" / "scratch"

    def measure() -> tuple[list[process.Pass], str]:
        shown: list[Progress] = []
        options = run.BenchOptions()
        return run._measure(opened, "some", small_digits, options, plan, scratch, {}, shown.append, profile("full"))

    passes, changed = measure()
    assert changed == "uncommitted changes in bench/ratios.py, made during the measurement"
    assert [where.is_complete for where in passes] == [True, False, False]
    (checkout / "bench" / "ratios.py").write_text("first", "utf-8")
    measure()
    assert measured == ["first", "second", "third", "second", "third"]
