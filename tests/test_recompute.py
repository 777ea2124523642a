"""The published figures, derived again from the raw samples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nnkernels import cli
from nnkernels.measure.asv_driver import workspace
from nnkernels.measure.records.run import write_run
from nnkernels.report import readme
from nnkernels.report.recompute import ABSENT, recompute
from nnkernels.report.runs import find_run, pin
from nnkernels.report.summary import summarise
from tests import synthetic

RUN_ID = "20260101T000000Z-0123abcd"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a recorded run, which is published in its README."""
    run = synthetic.full_run()
    results = tmp_path / "results"
    write_run(results / "runs" / RUN_ID, run.record, run.interleaved, run.asv_results)
    pin(results, find_run(results))
    (tmp_path / "README.md").write_text(f"before\n{readme.BLOCK.begin}\n{readme.BLOCK.end}\nafter\n")
    readme.update(tmp_path / "README.md", summarise(find_run(results)))
    monkeypatch.setattr(workspace, "find_root", lambda: tmp_path)
    return tmp_path


def test_every_figure_of_a_published_run_agrees(checkout: Path) -> None:
    answer = CliRunner().invoke(cli.app, ["results", "--recompute"])
    assert answer.exit_code == 0, answer.output
    assert "DIFFERS" not in answer.output
    assert "contender fused: x NumPy" in answer.output
    assert f"0 differ, from the raw samples of {RUN_ID}" in answer.output


def test_a_figure_that_was_changed_in_the_readme_is_found(checkout: Path) -> None:
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


def test_a_raw_sample_that_was_changed_is_found(checkout: Path) -> None:
    path = checkout / "results" / "runs" / RUN_ID / "panels.json"
    panels = json.loads(path.read_text())
    for panel in panels["panels"]:
        for rounds in panel["seconds"].get("epoch", {}).get("fused@1", []):
            rounds[:] = [1.1 * value for value in rounds]
    path.write_text(json.dumps(panels))
    answer = CliRunner().invoke(cli.app, ["results", "--recompute"])
    assert answer.exit_code == 1
    assert "DIFFERS" in answer.output


def test_words_and_rows_that_one_side_lacks_differ_too(checkout: Path) -> None:
    path = checkout / "README.md"
    text = path.read_text()
    lines = [line for line in text.splitlines() if not line.startswith("| numba |")]
    path.write_text("\n".join(lines).replace("times as fast as NumPy", "times faster than NumPy"))
    figures = recompute(path.read_text(), summarise(find_run(checkout / "results", "published")))
    wrong = [figure for figure in figures if not figure.agrees]
    assert any(figure.what.endswith("words") for figure in wrong)
    assert {figure.published for figure in wrong if figure.what.startswith("contender numba:")} == {ABSENT}
