"""Headlines pooled from several runs: which runs can be pooled, and how values and intervals are computed."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from nnkernels import cli
from nnkernels.errors import ResultsError
from nnkernels.measure.asv_driver import workspace
from nnkernels.measure.records.run import write_run
from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.report import readme
from nnkernels.report.headline import headline
from nnkernels.report.page import render
from nnkernels.report.ratios import PairedRatios
from nnkernels.report.runs import find_run, pin, pooled
from nnkernels.report.summary import summarise
from nnkernels.report.tidy import tidy
from tests import synthetic

HOURS = (1.0, 1.4, 0.8, 1.1, 0.9)  # slowdown of Keras relative to the other contenders, by run
FIRST = datetime(2026, 1, 1)


def record_runs(results: Path, apart: float = 1.0, **changes: Any) -> list[str]:
    """Record one run every ``apart`` hours and return their ids; ``changes`` apply to the last run."""
    ids = []
    for index, slower in enumerate(HOURS):
        start = FIRST + timedelta(hours=apart * index)
        run_id = f"{start:%Y%m%dT%H%M%SZ}-0123abcd"
        fields = {"run_id": run_id, "recorded_at": f"{start:%Y-%m-%dT%H:%M:%SZ}"}
        provenance = synthetic.record().provenance | {"machine_code": "c0de", "packages": {"keras": "3.15.1"}}
        if index == len(HOURS) - 1:
            provenance |= changes.get("provenance", {})
            fields |= {name: value for name, value in changes.items() if name != "provenance"}
        write_run(
            results / "runs" / run_id,
            synthetic.record(**fields, provenance=provenance),
            [_slowed(measured, slower) for measured in synthetic.run().interleaved],
            _error_rates(0.01 * index),
        )
        ids.append(run_id)
    return ids


def _slowed(measured: InterleavedRun, times: float) -> InterleavedRun:
    seconds = {
        scenario: {
            label: (np.asarray(values) * (times if label.startswith("keras") else 1.0)).tolist()
            for label, values in scenario_seconds.items()
        }
        for scenario, scenario_seconds in measured.seconds.items()
    }
    return InterleavedRun(measured.framework_threads, measured.dataset, seconds, {})


def _error_rates(more: float) -> dict[str, Any]:
    results = synthetic.asv_results()
    samples = results["results"]["accuracy.ErrorRate.track_test"][-1]
    samples[0] = [rate + more for rate in samples[0]]
    return results


def test_pooled_ratio_has_student_interval_over_means_of_runs(tmp_path: Path) -> None:
    run = pooled(tmp_path, record_runs(tmp_path))
    rows = tidy(run).set_index(["benchmark", "work", "contender", "threads"])
    row = rows.loc[("ratios", "epoch", "numba", "1")]
    logs = np.log(20.0 * np.array(HOURS))
    low, high = stats.t.interval(0.95, 4, logs.mean(), stats.sem(logs))
    found = row[["ratio_to_keras", "ratio_to_keras_ci_low", "ratio_to_keras_ci_high"]]
    assert found.tolist() == pytest.approx(np.exp([logs.mean(), low, high]).tolist())
    assert row.samples == 5
    # Only Keras differs between the runs, so the interval of any other ratio has zero width.
    assert row.ratio_to_numpy_ci_low == pytest.approx(row.ratio_to_numpy_ci_high)


def test_error_rates_are_pooled_seed_by_seed(tmp_path: Path) -> None:
    rows = tidy(pooled(tmp_path, record_runs(tmp_path))).set_index(["benchmark", "contender"])
    row = rows.loc[("accuracy.ErrorRate.track_test", "numpy")]
    assert row.value == pytest.approx(0.05 + 0.02)
    assert row.samples == 2  # seeds
    assert row.ci_high - row.ci_low == pytest.approx(2 * stats.t.ppf(0.975, 1) * 0.01)


def test_other_values_are_pooled_over_the_runs(tmp_path: Path) -> None:
    rows = tidy(pooled(tmp_path, record_runs(tmp_path))).set_index(["benchmark", "contender", "threads"])
    row = rows.loc[("training.Epoch.time_epoch", "numpy", "1")]
    assert (row.value, row.samples) == (pytest.approx(0.2), 5)
    assert row.ci_low == pytest.approx(0.2)  # over the runs: each measured it in one process, without an interval


def test_texts_state_number_and_dates_of_pooled_runs(tmp_path: Path) -> None:
    ids = record_runs(tmp_path)
    summary = summarise(pooled(tmp_path, ids))
    assert "All are means of 5 runs." in headline(summary)
    for text in (readme.section(summary), render(summary, None)):
        assert "Pooled from 5 runs on some-processor-2-cpus, 2026-01-01 00:00 to 2026-01-01 04:00 UTC" in text
        assert "may be wider than those of a single run" in text
        assert "One run:" not in text
        assert all(run_id in text for run_id in ids)


def test_texts_of_single_run_state_that_hours_differ(tmp_path: Path) -> None:
    summary = summarise(pooled(tmp_path, record_runs(tmp_path)[:1]))
    assert "from one run; the variation between hours exceeds its intervals." in headline(summary)
    for text in (readme.section(summary), render(summary, None)):
        assert "One run:" in text
        assert "Hours differ by more than these intervals" in text
        assert "hardly" not in text


def test_ratio_measured_in_one_run_has_one_sample_and_no_interval() -> None:
    runs = [synthetic.run().interleaved for _ in HOURS]
    for run in runs[1:]:
        for measured in run:
            for scenario_seconds in measured.seconds.values():
                scenario_seconds.pop("numba@1", None)
    found = PairedRatios(*runs).at("epoch", ("numba", "1"), ("numpy", "1"))
    assert found
    assert (found.value, found.samples) == (pytest.approx(2.0), 1)
    assert np.isnan(found.low)


def test_pinned_runs_are_found_as_published(tmp_path: Path) -> None:
    ids = record_runs(tmp_path)
    pin(tmp_path, pooled(tmp_path, list(reversed(ids))))
    assert json.loads((tmp_path / "published.json").read_text("utf-8")) == {"version": 2, "runs": ids}
    published = find_run(tmp_path, "published")
    assert [run.record.run_id for run in published.each] == ids
    (tmp_path / "published.json").write_text(json.dumps({"version": 1, "run": ids[0]}))
    assert [run.record.run_id for run in find_run(tmp_path, "published").each] == ids[:1]
    for damage in ('{"version": 2, "runs": []}', '{"version": 2, "runs": ["published"]}', '{"version": 2}'):
        (tmp_path / "published.json").write_text(damage)
        with pytest.raises(ResultsError, match="damaged"):
            find_run(tmp_path, "published")


def test_publish_pins_several_runs_and_every_figure_can_be_recomputed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "find_root", lambda: tmp_path)
    page = tmp_path / "README.md"
    page.write_text(f"{readme.BLOCK.begin}\n{readme.BLOCK.end}\n")
    ids = record_runs(tmp_path / "results")
    refused = CliRunner().invoke(cli.app, ["publish", "--pin", ids[0], "--pin", ids[1]])
    assert isinstance(refused.exception, ResultsError)
    assert not (tmp_path / "results" / "published.json").exists()
    assert page.read_text() == f"{readme.BLOCK.begin}\n{readme.BLOCK.end}\n"
    answer = CliRunner().invoke(cli.app, ["publish", *(word for run_id in ids for word in ("--pin", run_id))])
    assert answer.exit_code == 0, answer.output
    assert "Pooled from 5 runs" in page.read_text()
    assert ids[-1] in (tmp_path / "results" / "html" / "index.html").read_text()
    assert CliRunner().invoke(cli.app, ["results", "--recompute"]).exit_code == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"machine": "another"}, "their machines differ: some-processor-2-cpus and another"),
        ({"provenance": {"machine_code": "beef"}}, "their machine codes differ: c0de and beef"),
        ({"provenance": {"packages": {"keras": "3.16.0"}}}, "their packages differ: keras 3.15.1 and 3.16.0"),
        ({"dataset": "mnist-5k"}, "their data sets differ: mnist (00ff) and mnist-5k (00ff)"),
    ],
)
def test_runs_that_differ_are_not_pooled(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    ids = record_runs(tmp_path, **changes)
    with pytest.raises(ResultsError, match=f"{ids[0]} and {ids[-1]} cannot be pooled because {re.escape(reason)}"):
        pooled(tmp_path, ids)


def test_runs_less_than_an_hour_apart_are_not_pooled(tmp_path: Path) -> None:
    ids = record_runs(tmp_path, apart=0.99)
    with pytest.raises(ResultsError, match=f"{ids[0]} and {ids[1]} cannot be pooled: they started 59 minutes apart"):
        pooled(tmp_path, ids)


def test_repeated_run_and_fewer_than_five_runs_are_not_pooled(tmp_path: Path) -> None:
    ids = record_runs(tmp_path)
    with pytest.raises(ResultsError, match="they started 0 minutes apart"):
        pooled(tmp_path, [*ids, ids[2]])
    with pytest.raises(ResultsError, match="4 runs cannot be pooled: at least 5 are required"):
        pooled(tmp_path, ids[:4])


def test_runs_without_recorded_machine_code_are_not_pooled(tmp_path: Path) -> None:
    ids = record_runs(tmp_path)
    for run_id in ids:
        path = tmp_path / "runs" / run_id / "run.json"
        record = json.loads(path.read_text("utf-8"))
        del record["provenance"]["machine_code"]
        path.write_text(json.dumps(record))
    with pytest.raises(ResultsError, match="its record has no hash of the machine code"):
        pooled(tmp_path, ids)
