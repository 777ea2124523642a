"""Git's answers are about the checkout at hand, in git's own words if it refuses."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from nnkernels import git
from nnkernels.errors import ConfigurationError, GitError
from nnkernels.measure.asv_driver import workspace
from nnkernels.measure.records.environment import timed_environment
from nnkernels.measure.regression.base_worktree import find_commit
from nnkernels.report.asv_pages import build_asv_pages

COMMIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.invalid", "commit", "-q", "-m")


def repository(folder: Path, message: str) -> str:
    """Make a repository that looks like a checkout of nnkernels, and return its commit."""
    (folder / "bench").mkdir(parents=True)
    for name in ("asv.conf.json", "bench/ratios.py"):
        (folder / name).write_text(message, "utf-8")
    for command in (("git", "init", "-q", "-b", "main"), ("git", "add", "-A"), (*COMMIT, message)):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
    return head.stdout.strip()


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR"])
def test_variables_of_another_repository_are_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    here, other = repository(tmp_path / "here", "here"), repository(tmp_path / "other", "other")
    assert here != other
    value = {"GIT_WORK_TREE": ".", "GIT_INDEX_FILE": ".git/index"}.get(name, ".git")
    monkeypatch.setenv(name, str(tmp_path / "other" / value))
    monkeypatch.setattr(workspace, "PACKAGE", tmp_path / "here" / "nnkernels")
    monkeypatch.chdir(tmp_path / "here")
    opened = workspace.open_workspace()
    assert (opened.commit, opened.unrecorded) == (here, "")
    assert workspace.code_state() == {"commit": here, "tree": "clean"}
    assert find_commit(tmp_path / "here", "HEAD") == here
    assert name not in timed_environment()


def test_permission_by_configuration_is_kept() -> None:
    configured = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    assert git.environment({**configured, "GIT_DIR": "elsewhere", "PATH": "bin"}) == {**configured, "PATH": "bin"}


def refuse(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make git refuse repositories, as it does in a container whose files belong to another user."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(folder / "none"))


def test_refusal_of_git_is_shown_in_its_own_words_and_recorded_without_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(tmp_path / "here", "here")
    refuse(tmp_path, monkeypatch)
    monkeypatch.setattr(workspace, "PACKAGE", tmp_path / "here" / "nnkernels")
    monkeypatch.chdir(tmp_path / "here")
    opened = workspace.open_workspace()
    assert "dubious ownership" in opened.unrecorded
    assert "safe.directory" in opened.unrecorded
    state = workspace.code_state()
    assert state == {"commit": "none", "tree": "unknown, because git failed"}
    with pytest.raises(GitError, match=r"safe\.directory"):
        find_commit(tmp_path / "here", "HEAD")


def test_unknown_commit_and_missing_git_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository(tmp_path / "here", "here")
    with pytest.raises(ConfigurationError, match="unknown commit 'nowhere'"):
        find_commit(tmp_path / "here", "nowhere")
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    with pytest.raises(ConfigurationError, match="git is not installed"):
        git.run_git(tmp_path / "here", "rev-parse", "HEAD")


def test_refusal_of_git_is_the_reason_why_asv_pages_are_not_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(tmp_path / "here", "here")
    history = tmp_path / "here" / "results" / "asv" / "some-machine"
    history.mkdir(parents=True)
    (history / "machine.json").write_text("{}", "utf-8")
    refuse(tmp_path, monkeypatch)
    (note,) = build_asv_pages(tmp_path / "here", tmp_path / "html")
    assert note.startswith("asv's pages were not built: git rev-parse failed: ")
    assert "dubious ownership" in note
    assert "safe.directory" in note
    assert not (tmp_path / "html").exists()
