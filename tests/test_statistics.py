"""Intervals over processes: checked by simulation, where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nnkernels.statistics import mean_over_seeds, median_over_processes


def test_median_of_the_processes_medians() -> None:
    estimate = median_over_processes([np.array([1.0, 2.0, 9.0]), np.array([3.0, 4.0, 5.0]), np.array([6.0, 7.0, 8.0])])
    assert estimate.value == 4.0
    assert estimate.samples == 3
    assert estimate.low < 4.0 < estimate.high


def test_one_process_gives_no_interval() -> None:
    estimate = median_over_processes([np.array([1.0, 2.0, 3.0])])
    assert estimate.value == 2.0
    assert np.isnan(estimate.low)
    assert np.isnan(estimate.high)


def test_interval_covers_what_varies_between_processes() -> None:
    # Processes differ by far more than segments within one: an interval over the pooled segments would be far too
    # narrow, and percentiles of four resampled clusters still too narrow.
    rng = np.random.default_rng(1)
    covered = 0
    trials = 200
    for _ in range(trials):
        offsets = rng.normal(0.0, 0.1, size=(4, 1))
        estimate = median_over_processes(list(offsets + rng.normal(0.0, 0.01, size=(4, 10))))
        covered += estimate.low <= 0.0 <= estimate.high
    assert 0.92 < covered / trials <= 1.0


def test_mean_over_ten_seeds_is_as_wide_as_students_interval() -> None:
    values = np.random.default_rng(2).normal(0.05, 0.002, size=10)
    estimate = mean_over_seeds(values)
    assert estimate.value == pytest.approx(values.mean())
    low, high = stats.t.interval(0.95, 9, values.mean(), stats.sem(values))
    assert estimate.low == pytest.approx(low, abs=0.15 * (high - low))
    assert estimate.high == pytest.approx(high, abs=0.15 * (high - low))
