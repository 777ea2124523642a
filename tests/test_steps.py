"""The steps from naive to fast: each passes the gate, and changes a few lines of the step that it builds on."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from nnkernels import Dataset, cli, contenders, plots, steps
from nnkernels.data import LabelledImages
from nnkernels.errors import ConfigurationError, DataError, GateError, ResultsError, UnknownNameError
from nnkernels.measure.records.run import write_run
from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.measure.timing.step_times import STEPS_EPOCH, check_step
from nnkernels.parameters import initial_parameters
from nnkernels.recipes import SGD, Optimizer
from nnkernels.report import recorded_steps
from nnkernels.report import steps as report
from nnkernels.report.recorded_steps import find_step_times
from nnkernels.report.runs import find_run
from tests import synthetic


@pytest.mark.parametrize("step", steps.STEPS, ids=steps.names())
def test_every_step_passes_the_gate(step: steps.Step, small_digits: Dataset) -> None:
    contender = steps.create(step.name)
    with contenders.thread_limit(contender, 2 if step.threads == "all" else 1):
        result = check_step(step, contender, small_digits)
    assert result.trained
    assert result.max_abs_difference < result.tolerance


def test_gate_rejects_step_with_wrong_gradients(monkeypatch: pytest.MonkeyPatch, small_digits: Dataset) -> None:
    module = steps.load("numpy_arrays")
    backward = module.backward
    monkeypatch.setattr(module, "backward", lambda *arguments: [1.01 * array for array in backward(*arguments)])
    with pytest.raises(GateError, match="numpy_arrays differs from the float64 oracle"):
        check_step(steps.step("numpy_arrays"), steps.create("numpy_arrays"), small_digits)


def test_steps_are_not_contenders() -> None:
    assert not set(steps.names()) & set(contenders.names())


def test_each_step_builds_on_earlier_one_and_changes_some_of_its_lines() -> None:
    known = steps.names()
    for number, step in enumerate(steps.STEPS):
        assert step.builds_on in known[:number] if number else step.builds_on == ""
        lines = steps.changes(step.name)
        assert bool(lines) == bool(number)
        if number:
            assert lines[:2] == [f"--- {step.builds_on}.py", f"+++ {step.name}.py"]
            added = sum(line.startswith("+") for line in lines[2:])
            assert 0 < added < len(step.source.splitlines())


def test_every_step_starts_with_summary_and_is_short() -> None:
    for step in steps.STEPS:
        first, *lines = step.source.splitlines()
        assert first.startswith('"""')
        assert first.rstrip('"').endswith(".")
        assert len(lines) < 150


def test_changes_can_be_shown_against_any_other_step() -> None:
    lines = steps.changes("vectors", against="fused_batch", context=0)
    assert lines[0] == "--- fused_batch.py"
    assert any(line.startswith("-") and "z3 +=" in line for line in lines)
    with pytest.raises(UnknownNameError, match="python_loops"):
        steps.changes("vector")


def test_unsupported_data_recipes_and_networks_are_rejected(small_digits: Dataset) -> None:
    contender = steps.create("numpy_arrays")
    floats = LabelledImages(small_digits.X_train[:8] / np.float32(255), small_digits.y_train[:8])
    with pytest.raises(DataError, match="uint8"):
        contender.prepare(initial_parameters(0), floats, SGD)
    with pytest.raises(ConfigurationError, match="adam"):
        contender.prepare(initial_parameters(0), small_digits.training, SGD.with_changes(optimizer=Optimizer("adam")))
    with pytest.raises(ConfigurationError, match="25 and 10"):
        contender.prepare(initial_parameters(0, hidden=25), small_digits.training, SGD)
    contender.prepare(initial_parameters(0), small_digits.training, SGD)
    with pytest.raises(DataError, match="order goes from"):
        contender.advance(np.array([0, len(small_digits.X_train)]), np.array([0.1], np.float32))


# Recorded times


def timed(**seconds: float) -> InterleavedRun:
    """Return a process in which each step took the given seconds per epoch, in two rounds of three segments."""
    labels = {f"{name}@{steps.step(name).threads}": [[value] * 3] * 2 for name, value in seconds.items()}
    return InterleavedRun("1", "mnist", {STEPS_EPOCH: labels}, {})


SECONDS = dict(zip(steps.names(), (200.0, 0.4, 2.0, 0.16, 0.1, 0.08, 0.05, 0.0625), strict=True))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder with two runs, of which only the older has timed the steps, in two processes."""
    processes = [timed(**{name: value * factor for name, value in SECONDS.items()}) for factor in (0.5, 2.0)]
    run = synthetic.keras_run()
    for run_id, step_records in (("20261101T000000Z-aaaaaaaa", processes), ("20261102T000000Z-bbbbbbbb", [])):
        record = synthetic.record(run_id=run_id)
        write_run(tmp_path / "runs" / run_id, record, run.interleaved, run.asv_results, step_records)
    return tmp_path


def test_times_and_factors_come_from_newest_run_with_steps(results: Path) -> None:
    times = find_step_times(results)
    assert times is not None
    assert times.run.record.run_id.startswith("20261101")
    table = report.rows(times).set_index("step")
    assert list(table.index) == list(steps.names())
    np.testing.assert_allclose(table["seconds"], list(SECONDS.values()))  # the geometric mean over both processes
    expected = [SECONDS[above] / SECONDS[name] for above, name in pairwise(steps.names())]
    np.testing.assert_allclose(table["ratio"].iloc[1:], expected)
    assert table.loc["numba_loops", "ratio_to_base"] == pytest.approx(100)  # of python_loops, not of the row above


def test_named_run_without_steps_is_rejected_but_missing_runs_are_no_error(results: Path, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="run 20261102 did not time the steps"):
        find_step_times(results, "20261102")
    assert find_step_times(tmp_path / "empty") is None


def test_step_times_are_not_among_those_of_contenders(results: Path) -> None:
    run = find_run(results, "20261101")
    assert not any(STEPS_EPOCH in measured.seconds for measured in run.interleaved)


def test_damaged_record_of_steps_is_rejected(results: Path) -> None:
    (results / "runs" / "20261101T000000Z-aaaaaaaa" / "steps.json").write_text('{"version": 2}')
    with pytest.raises(ResultsError, match=r"steps\.json: damaged"):
        find_step_times(results)


def test_steps_are_shown_with_times_factors_and_changed_lines(results: Path) -> None:
    console = Console(record=True, width=240, file=StringIO())
    times = find_step_times(results)
    report.show_steps(console, times)
    report.show_step(console, times, "vectors")
    report.show_step(console, times, "numba_blas", against="numpy_arrays")
    report.show_steps(console, None)
    text = console.export_text()
    assert re.search(r"vectors: .*50\.0 ms .*1\.60 .*times as fast as nonzero_lists", text)
    assert re.search(r"numba_blas: .*160 ms .*2\.50 .*times as fast as numpy_arrays", text)
    assert "+++ vectors.py" in text
    assert "No recorded run has timed the steps. Time them with `nnkernels bench --profile standard`." in text
    with pytest.raises(ConfigurationError, match="with itself"):
        report.show_step(console, times, "vectors", against="vectors")


def test_figure_has_one_row_per_step_and_is_saved_for_readme(results: Path) -> None:
    times = find_step_times(results)
    assert times is not None
    figure = plots.step_times(report.rows(times))
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    assert [label.get_text().split("\n")[0] for label in axes.get_yticklabels()] == list(steps.names())
    words = [text.get_text() for text in axes.texts]
    assert {"200 s", "50 ms", "× 500", "× 0.20   (× 100 python_loops)"} <= set(words)
    path = report.draw_steps(results, times)
    assert path == results / "figures" / "steps" / "steps.png"
    drawn = path.read_bytes()
    assert drawn.startswith(b"\x89PNG")
    kept = drawn + b"drawn by another version"
    path.write_bytes(kept)
    assert report.draw_steps(results, times).read_bytes() == kept  # the same numbers
    other = replace(times, processes=times.processes[:1])
    assert report.draw_steps(results, other).read_bytes() not in (kept, drawn)
    with pytest.raises(DataError, match="no column idea"):
        plots.step_times(report.rows(times).drop(columns="idea"))


def test_command_shows_steps_and_rejects_name_with_diff(monkeypatch: pytest.MonkeyPatch, results: Path) -> None:
    monkeypatch.setattr("nnkernels.measure.asv_driver.workspace.find_root", lambda: results.parent)
    monkeypatch.setattr(recorded_steps, "find_step_times", lambda _results, _run: None)
    answer = CliRunner().invoke(cli.app, ["steps", "--diff", "numpy_arrays", "numba_blas"], catch_exceptions=False)
    assert "+++ numba_blas.py" in answer.stdout
    assert "fused_batch" in CliRunner().invoke(cli.app, ["steps"], catch_exceptions=False).stdout
    with pytest.raises(ConfigurationError, match="exclude each other"):
        CliRunner().invoke(cli.app, ["steps", "vectors", "--diff", "a", "b"], catch_exceptions=False)
