"""Output of the commands at 60, 80 and 120 columns and in a pipe: names and reasons are never truncated."""

from __future__ import annotations

import io
import json
import math
import re
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from nnkernels import cli
from nnkernels.measure.correctness import verification
from nnkernels.measure.correctness.gate_result import GateResult
from nnkernels.report import glance, tables
from nnkernels.report.runs import find_run, run_folders
from nnkernels.report.summary import Summary, summarise
from nnkernels.report.tidy import tidy
from tests import synthetic

ROOT = Path(__file__).parents[1]
WIDTHS = [60, 80, 120, None]  # None: a pipe, with COLUMNS set to 80
REASON = (
    "ConfigurationError: the number of threads of this framework is fixed for the life of a process, and was set to 2 "
    "before; start another process"
)


def output_of(monkeypatch: pytest.MonkeyPatch, width: int | None, *arguments: str) -> str:
    """Return the output of a command on a terminal of the given width, or in a pipe."""
    monkeypatch.setenv("COLUMNS", str(width or 80))
    console = Console(file=io.StringIO(), force_terminal=width is not None, no_color=True, record=True)
    for module in ("measure", "publish"):
        monkeypatch.setattr(f"nnkernels.cli.{module}.out", console)
    CliRunner().invoke(cli.app, [*arguments], catch_exceptions=False)
    return console.export_text()


@cache
def cached_rows(run_id: str) -> pd.DataFrame:
    return tidy(find_run(ROOT / "results", run_id))


@pytest.fixture(autouse=True)
def use_cached_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("tidy", "side_by_side"):
        monkeypatch.setattr(f"nnkernels.report.{module}.tidy", lambda run: cached_rows(run.record.run_id).copy())


@pytest.fixture(scope="module")
def made_up_summary() -> Summary:
    run = synthetic.keras_run()
    run.record.not_installed["other"] = "pip install 'nnkernels[peers]'"
    return summarise(run)


@pytest.fixture(scope="module")
def newest_two() -> tuple[str, str]:
    older, newer = [folder.name for folder in run_folders(ROOT / "results")][-2:]
    return newer, older


@pytest.fixture(scope="module")
def expected_names() -> set[str]:
    run = find_run(ROOT / "results")
    in_turns = ("ratios.", "other_work.", "steps.")
    benchmarks = {name for name in run.asv_results["results"] if not name.startswith(in_turns)}
    return benchmarks | {*run.record.contenders} | {work for measured in run.interleaved for work in measured.seconds}


@pytest.mark.parametrize("width", WIDTHS)
def test_results_do_not_truncate_names(
    monkeypatch: pytest.MonkeyPatch, width: int | None, expected_names: set[str]
) -> None:
    text = output_of(monkeypatch, width, "results")
    assert [name for name in expected_names if name not in text] == []


@pytest.mark.parametrize("width", WIDTHS)
def test_side_by_side_does_not_truncate_names(
    monkeypatch: pytest.MonkeyPatch, width: int | None, newest_two: tuple[str, str], expected_names: set[str]
) -> None:
    newer, older = newest_two
    text = output_of(monkeypatch, width, "results", "--run", newer, "--against", older, "--all")
    assert [name for name in {*expected_names, newer, older} if name not in text] == []


@pytest.mark.parametrize("width", WIDTHS)
def test_verify_does_not_truncate_reason_of_failure(monkeypatch: pytest.MonkeyPatch, width: int | None) -> None:
    judged = [
        GateResult("numpy", "sgd", 32, 1e-7, 1e-5, 1e-7),
        GateResult("keras-jax-fit-steps", "sgd", 32, math.nan, 1e-5, math.nan, REASON),
    ]
    missing = {"jax-scan": "pip install 'nnkernels[peers]'"}
    monkeypatch.setattr(
        "nnkernels.measure.asv_driver.request.choose_contenders",
        lambda names: ([one.contender for one in judged], missing),
    )
    monkeypatch.setattr(verification, "verify_all", lambda names, dataset: judged)
    text = output_of(monkeypatch, width, "verify", "--data", "mnist-5k")
    assert REASON in re.sub(r"\s+", " ", text)
    assert not re.search(r"Configurati\s", text)
    assert "pip install 'nnkernels[peers]'" in text
    line = next(line for line in text.splitlines() if "keras-jax-fit-steps" in line)
    assert "failed" in line


@pytest.mark.parametrize("width", [*WIDTHS, 200])
def test_summary_tables_fit_width_and_truncate_nothing(made_up_summary: Summary, width: int | None) -> None:
    console = Console(width=width or 80, file=io.StringIO(), force_terminal=width is not None, record=True)
    tables.show_summary(console, made_up_summary)
    text = console.export_text()
    lines = text.splitlines()
    if width:
        assert max(map(len, lines)) <= width
    names = {row.name for row in made_up_summary.contenders}
    headings = [column.heading for column in (*glance.columns(made_up_summary), *glance.forms_columns(made_up_summary))]
    reasons = [synthetic.NOT_COMPILED, "other is not installed: pip install 'nnkernels[peers]'"]
    for whole in (*names, *headings, *reasons):
        assert whole in re.sub(r"\s+", " ", text)
    assert ("Intervals are omitted" in text) == (width is not None and width < 200)
    assert ("[" in next(line for line in lines if line.startswith("fused"))) == (width in (None, 200))
    assert "…" not in text


@pytest.mark.parametrize("width", WIDTHS)
def test_list_does_not_truncate_names(monkeypatch: pytest.MonkeyPatch, width: int | None) -> None:
    text = output_of(monkeypatch, width, "list")
    for name in ("gradient-descent", "learning_rate", "MemoryMap.track_peak_beyond_import", "fused_dense"):
        assert name in text


def test_exports_have_one_column_per_parameter_and_intervals_of_ratios() -> None:
    answer = CliRunner().invoke(cli.app, ["results", "--run", "20261128T214323Z", "--format", "json"])
    rows = json.loads(answer.stdout)  # of profile standard: smaller profiles do not time single kernels
    step = next(row for row in rows if row["benchmark"] == "kernels.Kernels.time_step" and row["batch_size"] == "32")
    assert "parameters" not in step
    epoch = next(row for row in rows if (row["work"], row["contender"], row["threads"]) == ("epoch", "fused", "1"))
    assert epoch["ratio_to_numpy_ci_low"] < epoch["ratio_to_numpy"] < epoch["ratio_to_numpy_ci_high"]
    assert epoch["ratio_to_keras_ci_low"] < epoch["ratio_to_keras"] < epoch["ratio_to_keras_ci_high"]
    assert all(" " not in row["unit"] for row in rows)


def test_exported_ratios_are_paired_or_missing() -> None:
    answer = CliRunner().invoke(cli.app, ["results", "--run", "published", "--format", "json"])
    others = [row for row in json.loads(answer.stdout) if row["benchmark"] != "ratios"]
    assert others
    assert all(row["ratio_to_numpy"] is None and row["ratio_to_keras"] is None for row in others)


def test_targets_option_and_section_stay_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = CliRunner().invoke(cli.app, ["results", "--targets"])
    assert answer.exit_code == 2
    assert "asked and reached" not in (ROOT / "README.md").read_text("utf-8").lower()
