"""Shares of the machine's limit: the limit in seconds divided by a contender's time, with confidence intervals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nnkernels.report import formats
from nnkernels.report.runs import Run
from nnkernels.report.shares import SHARES
from nnkernels.report.tidy import estimate, records, tidy
from tests import synthetic

LIMITS = [0.0030, 0.0032, 0.0031, 0.0033]


def run_with_limits(limits: list[float]) -> Run:
    run = synthetic.full_run()
    names = run.asv_results | {"processes": {"limits.Bound.track_epoch": [[0.03], limits]}}
    return replace(run, asv_results=names)


def shares(run: Run) -> pd.DataFrame:
    rows = tidy(run)
    return rows[rows.benchmark == SHARES].set_index(["contender", "bound", "threads"])


def test_share_uses_limit_at_same_threads_with_welch_interval() -> None:
    found = shares(run_with_limits(LIMITS))
    row = found.loc[("fused", "sparse", "1")]
    times = np.log(0.016 * np.array([1.0, 1.3, 0.9, 1.1] * 2))  # on one thread in processes of both settings
    test = stats.ttest_ind(np.log(LIMITS), times, equal_var=False)
    interval = test.confidence_interval(0.95)
    expected = np.exp([np.log(LIMITS).mean() - times.mean(), interval.low, interval.high])
    assert row[["value", "ci_low", "ci_high"]].tolist() == pytest.approx(expected.tolist())
    assert (row.work, row.samples) == ("epoch", 4)
    assert "all" not in found.index.get_level_values("threads")  # no limit was measured there


def test_limit_measured_in_one_process_gives_no_interval() -> None:
    row = shares(run_with_limits(LIMITS[:1])).loc[("fused", "sparse", "1")]
    assert row.value > 0
    assert np.isnan([row.ci_low, row.ci_high]).all()


def test_pooled_share_has_student_interval_over_runs() -> None:
    runs = [run_with_limits([factor * value for value in LIMITS]) for factor in (1.0, 1.1, 0.9, 1.2, 1.0)]
    pooled = replace(runs[-1], pooled_with=tuple(runs[:-1]))
    row = shares(pooled).loc[("fused", "sparse", "1")]
    assert row.samples == 5
    each = np.log([shares(run).loc[("fused", "sparse", "1")].value for run in runs])
    low, high = stats.t.interval(0.95, 4, each.mean(), stats.sem(each))
    assert row[["value", "ci_low", "ci_high"]].tolist() == pytest.approx(np.exp([each.mean(), low, high]).tolist())


def test_shares_are_shown_as_percentages() -> None:
    found = tidy(run_with_limits(LIMITS))
    row = next(row for row in records(found) if row["benchmark"] == SHARES and row["contender"] == "fused")
    assert formats.estimate(estimate(row), row["unit"]).count("%") == 1


def test_run_without_limits_has_no_shares() -> None:
    assert SHARES not in set(tidy(synthetic.run()).benchmark)
