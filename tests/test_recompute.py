"""`nnkernels results --recompute`: published figures are computed again from the raw samples."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nnkernels import cli
from nnkernels.data.embedded import load_embedded
from nnkernels.measure.asv_driver import workspace
from nnkernels.measure.mutants import record as mutants_record
from nnkernels.measure.mutants.gates import Verdict
from nnkernels.measure.mutants.score import Judged
from nnkernels.measure.records.run import write_run
from nnkernels.measure.regression.record import write_record
from nnkernels.report import readme
from nnkernels.report.method_page import PAGE
from nnkernels.report.method_page import generated as method_page_blocks
from nnkernels.report.recompute import ABSENT, recompute
from nnkernels.report.runs import find_run, pin
from nnkernels.report.summary import summarise
from tests import synthetic
from tests.made_up_checks import TWO, pairs_of, record_of

MakeFolder = Callable[[str, Callable[[Path], None]], Path]
RUN_ID = "20260101T000000Z-0123abcd"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a recorded run that is published in the folder's README."""
    publish_run(tmp_path)
    monkeypatch.setattr(workspace, "find_root", lambda: tmp_path)
    return tmp_path


def publish_run(root: Path) -> None:
    run = synthetic.full_run()
    results = root / "results"
    write_run(results / "runs" / RUN_ID, run.record, run.interleaved, run.asv_results)
    pin(results, find_run(results))
    (root / "README.md").write_text(f"before\n{readme.BLOCK.begin}\n{readme.BLOCK.end}\nafter\n")
    readme.update(root / "README.md", summarise(find_run(results)))


def test_every_figure_of_a_published_run_agrees(checkout: Path) -> None:
    answer = CliRunner().invoke(cli.app, ["results", "--recompute"])
    assert answer.exit_code == 0, answer.output
    assert "DIFFERS" not in answer.output
    assert "contender fused: x NumPy" in answer.output
    assert re.search(rf"\b0 of \d+ numbers differ, recomputed from the raw samples of {RUN_ID}", answer.output)


def test_changed_figure_in_readme_is_detected(checkout: Path) -> None:
    path = checkout / "README.md"
    path.write_text(path.read_text().replace("| 10.0 [", "| 10.1 [", 1).replace("125 times", "126 times"))
    figures = recompute(path.read_text(), summarise(find_run(checkout / "results", "published")))
    wrong = {figure.what: (figure.published[:4], figure.recomputed[:4]) for figure in figures if not figure.agrees}
    assert wrong["contender fused: x NumPy"] == ("10.1", "10.0")
    assert ("126", "125") in wrong.values()
    assert len(wrong) == 2
    answer = CliRunner().invoke(cli.app, ["results", "--recompute", "--format", "csv"])
    assert answer.exit_code == 1
    assert answer.output.count("DIFFERS") == 2


def test_changed_raw_sample_is_detected(checkout: Path) -> None:
    path = checkout / "results" / "runs" / RUN_ID / "panels.json"
    panels = json.loads(path.read_text())
    for panel in panels["panels"]:
        for rounds in panel["seconds"].get("epoch", {}).get("fused@1", []):
            rounds[:] = [1.1 * value for value in rounds]
    path.write_text(json.dumps(panels))
    answer = CliRunner().invoke(cli.app, ["results", "--recompute"])
    assert answer.exit_code == 1
    assert "DIFFERS" in answer.output


@pytest.fixture
def method_page(make_shared_folder: MakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the page on the method in a checkout, with a self-test on two machines and a mutation score."""
    shutil.copytree(make_shared_folder("method-page", write_method_page), tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(workspace, "find_root", lambda: tmp_path)
    return tmp_path / PAGE


def write_method_page(root: Path) -> None:
    publish_run(root)
    for machine in ("one-cpu", "other-cpu"):
        for number, ratio in enumerate((1.0, 1.02)):
            comparisons = [replace(one, repeat_every=50 * number) for one in TWO]
            path = root / "results" / "selftest" / machine / f"{number}.json"
            write_record(path, record_of(comparisons, pairs_of(comparisons, ratio), machine=machine))
    judged = [
        Judged("numpy", name, "kernels/numpy_kernels.py", "", (Verdict("sgd", {"parameters": off}),), 1.5)
        for name, off in (("wrong sign", 0.25), ("order ignored", 0.5))
    ]
    workspace_there = workspace.Workspace(root, root / "bench", "0123456789" * 4, 0, "")
    mutants_record.write_score(workspace_there, judged, load_embedded())
    page = root / PAGE
    page.parent.mkdir()
    generated = method_page_blocks(root)
    page.write_text("\n".join(f"{block.begin}\n\n{block.end}" for block, _text in generated))
    for block, text in generated:
        block.update(page, text)


def test_figures_of_method_page_are_recomputed(method_page: Path) -> None:
    answer = CliRunner().invoke(cli.app, ["results", "--recompute", "--format", "csv"])
    assert answer.exit_code == 0, answer.output
    assert '"self-test: condition quiet, 2%: flagged"' in answer.output
    assert '"self-test: condition quiet, 2%: flagged (2)"' in answer.output  # on the other machine
    assert '"mutants: backend numpy, order ignored: deviation",5.0e-01,5.0e-01,same' in answer.output


@pytest.mark.parametrize(("old", "new"), [("100.0 % (2 of 2)", "100.0 % (3 of 3)"), ("| 5.0e-01", "| 6.0e-01")])
def test_changed_figure_in_method_page_is_detected(method_page: Path, old: str, new: str) -> None:
    text = method_page.read_text()
    assert old in text
    method_page.write_text(text.replace(old, new, 1))
    answer = CliRunner().invoke(cli.app, ["results", "--recompute", "--format", "csv"])
    assert answer.exit_code == 1
    assert answer.output.count("DIFFERS") == 1


def test_changed_sample_of_selftest_is_detected(method_page: Path) -> None:
    path = method_page.parents[1] / "results" / "selftest" / "one-cpu" / "1.json"
    record = json.loads(path.read_text())
    for pair in record["pairs"]:
        pair["nanoseconds"]["fused epoch"]["tree"] = pair["nanoseconds"]["fused epoch"]["base"]
    path.write_text(json.dumps(record))
    answer = CliRunner().invoke(cli.app, ["results", "--recompute"])
    assert answer.exit_code == 1


def test_method_page_agrees_with_recorded_results() -> None:
    root = Path(__file__).parents[1]
    text = (root / PAGE).read_text("utf-8")
    for block, expected in method_page_blocks(root):
        assert block.split(text, PAGE.as_posix())[1] == expected, f"stale: run `{block.command}`"


def test_changed_wording_and_missing_rows_are_detected(checkout: Path) -> None:
    path = checkout / "README.md"
    text = path.read_text()
    lines = [line for line in text.splitlines() if not line.startswith("| numba |")]
    path.write_text("\n".join(lines).replace("times as fast as NumPy", "times faster than NumPy"))
    figures = recompute(path.read_text(), summarise(find_run(checkout / "results", "published")))
    wrong = [figure for figure in figures if not figure.agrees]
    assert any(figure.what.endswith("words") for figure in wrong)
    assert {figure.published for figure in wrong if figure.what.startswith("contender numba:")} == {ABSENT}
