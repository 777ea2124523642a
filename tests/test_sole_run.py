"""Two benchmark runs at once in one checkout, and what a killed one leaves behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from asv.results import Results

from nnkernels.errors import MeasurementError
from nnkernels.measure.asv_driver.files import Merged, add_to_history
from nnkernels.measure.asv_driver.sole_run import CHECKOUT_VARIABLE, sole_run

HOLD = """
import sys
from pathlib import Path
from nnkernels.measure.asv_driver.sole_run import sole_run
with sole_run(Path(sys.argv[1])):
    print("measuring", flush=True)
    sys.stdin.read()
"""


def holding(root: Path) -> subprocess.Popen[str]:
    """Return a process that is in the middle of a run."""
    command = [sys.executable, "-c", HOLD, root]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "measuring\n"
    return child


def test_second_run_is_refused_until_the_first_one_ends_or_is_killed(tmp_path: Path) -> None:
    first = holding(tmp_path)
    with pytest.raises(MeasurementError, match="another `nnkernels bench` is measuring in"), sole_run(tmp_path):
        pass
    (tmp_path / "elsewhere").mkdir()
    with sole_run(tmp_path / "elsewhere"):  # another checkout
        pass
    first.communicate("")
    with sole_run(tmp_path):
        pass
    killed = holding(tmp_path)
    killed.kill()
    killed.communicate()
    with sole_run(tmp_path):
        pass


def test_run_ends_processes_that_a_killed_one_left_behind_in_this_checkout_only(tmp_path: Path) -> None:
    def left_behind(root: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(60)"], env=os.environ | {CHECKOUT_VARIABLE: str(root)}
        )

    with left_behind(tmp_path) as own, left_behind(tmp_path / "other") as other:
        try:
            while not all(_is_started(child.pid) for child in (own, other)):
                time.sleep(0.01)
            with sole_run(tmp_path):
                assert not psutil.pid_exists(own.pid)
                assert other.poll() is None
        finally:
            other.kill()
            own.kill()


def _is_started(pid: int) -> bool:
    try:
        return CHECKOUT_VARIABLE in psutil.Process(pid).environ()
    except psutil.Error:
        return False


def test_history_is_replaced_only_when_it_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = {"machine": "some", "python": "3.11"}
    results = Results(params, {}, "ab" * 20, 0, "3.11", "existing-py3.11", {})
    measured, history = tmp_path / "pass-0", tmp_path / "results" / "asv"
    (measured / "some").mkdir(parents=True)
    (measured / "some" / "machine.json").write_text('{"machine": "some", "version": 1}', "utf-8")
    (measured / "benchmarks.json").write_text('{"version": 2}', "utf-8")
    merged = Merged(results, {}, {}, {})
    add_to_history(merged, measured, "some", history)
    before = {path: path.read_bytes() for path in history.rglob("*.json")}
    assert len(before) == 3
    assert all(json.loads(content) for content in before.values())

    def cut_off(_self: Results, folder: str) -> None:
        (Path(folder) / "some" / "half.json").write_text('{"commit_ha', "utf-8")
        raise KeyboardInterrupt

    monkeypatch.setattr(Results, "save", cut_off)
    with pytest.raises(KeyboardInterrupt):
        add_to_history(merged, measured, "some", history)
    after: dict[Path, Any] = {path: path.read_bytes() for path in history.rglob("*.json")}
    assert after == before
