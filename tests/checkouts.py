"""Copies of the project, each a separate git checkout, in which tests run its commands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from nnkernels.measure.asv_driver import run, workspace
from nnkernels.measure.asv_driver.process import COMPLETE, Pass
from nnkernels.measure.asv_driver.workspace import Workspace
from nnkernels.measure.records.process_files import interleaved_file, save_interleaved
from nnkernels.measure.records.run import read_run

ROOT = Path(__file__).parents[1]

# Runs of these benchmark files take only seconds. tests/test_bench.py runs every benchmark.
QUICKEST = ("ratios",)


class Project:
    """A copy of the project in a separate git checkout."""

    def __init__(self, root: Path, data: Path) -> None:
        self.root = root
        home = root.parent / f"{root.name}-home"  # asv's machine file and the caches go here
        home.mkdir(exist_ok=True)
        self.changes = {
            "PYTHONPATH": str(root),
            "NNKERNELS_DATA": str(data),
            "HOME": str(home),
            "USERPROFILE": str(home),
            "COLUMNS": "150",
            "NNKERNELS_BENCH_SEEDS": "2",
        }

    @classmethod
    def made(cls, root: Path, data: Path, benchmarks: Sequence[str] = QUICKEST) -> Project:
        """Copy the project, with these benchmark files only, into a new folder."""
        for name in ("nnkernels", "tests"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        (root / "bench").mkdir()
        for path in (*(ROOT / "bench").glob("_*.py"), *(ROOT / "bench" / f"{name}.py" for name in benchmarks)):
            shutil.copyfile(path, root / "bench" / path.name)
        for name in ("asv.conf.json", "pyproject.toml", "README.md", ".gitignore"):
            shutil.copyfile(ROOT / name, root / name)
        return cls(root, data)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of the processes that run in this checkout."""
        return {**os.environ, **self.changes}

    def add_backend(self, name: str, source: str) -> None:
        (self.root / "nnkernels" / "kernels" / f"{name}_kernels.py").write_text(source, "utf-8")

    def replace(self, file: str, old: str, new: str) -> None:
        content = (self.root / file).read_text("utf-8")
        assert old in content
        (self.root / file).write_text(content.replace(old, new), "utf-8")

    def commit(self) -> None:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
        for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], [*identity, "commit", "-q", "-m", "test"]):
            subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a module in a separate process."""
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.root,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def enter(self, patch: pytest.MonkeyPatch) -> None:
        """Make commands in this process behave as if nnkernels were imported from this checkout."""
        patch.setattr(workspace, "PACKAGE", self.root / "nnkernels")
        patch.chdir(self.root)
        for name, value in self.changes.items():
            patch.setenv(name, value)


def replay_recorded_run(patch: pytest.MonkeyPatch, checkout: Path, interrupted_pass: int | None = None) -> None:
    """Let the passes of runs in this process return the measurements of the run recorded in a checkout.

    This replaces only asv and its benchmarks. Opening the workspace, planning, merging, recording and writing the page
    are not replaced. Pass ``interrupted_pass``, counted from 0, is interrupted as if by Ctrl-C.
    """
    history = checkout / "results" / "asv"
    (folder,) = (path.parent for path in (checkout / "results" / "runs").glob("*/run.json"))
    measured = read_run(folder)[1]

    def run_pass(
        _workspace: Workspace, machine: str, _patterns: object, where: Pass, _environment: Mapping[str, str], progress
    ) -> None:
        number = int(where.folder.name.removeprefix("pass-"))
        progress(0.0, "ratios.OneThread.track_relative_time")
        if number == interrupted_pass:
            raise KeyboardInterrupt
        where.records.mkdir(parents=True)
        save_interleaved(measured[number % len(measured)], interleaved_file(where.records))
        (where.folder / machine).mkdir(parents=True)
        shutil.copyfile(history / "benchmarks.json", where.folder / "benchmarks.json")
        for path in history.glob("*/*.json"):
            content = json.loads(path.read_text("utf-8"))
            (content if path.name == "machine.json" else content["params"])["machine"] = machine
            (where.folder / machine / path.name).write_text(json.dumps(content), "utf-8")
        (where.folder / COMPLETE).touch()

    patch.setattr(run, "run_pass", run_pass)
