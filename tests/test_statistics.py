"""Confidence intervals over processes: simulated coverage of a known true value, and comparison with SciPy."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from nnkernels.statistics import interquartile_mean, process_means, student, student_margin, welch

Floats = npt.NDArray[np.float64]

REPETITIONS = 20_000  # the standard error of a coverage of 95 % is 0.15 %
VALUES = 8  # values per process: a round of four segments yields four, recorded runs have eight to ten
COUNTS = (4, 5, 10)
SLOWDOWN = np.log(1.5)  # log-ratio of a process that takes 1.5 times as long


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.standard_normal(shape)


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.standard_t(3, shape)


Noise = Callable[[np.random.Generator, tuple[int, ...]], Floats]


@cache
def unit_noise(count: int, noise: Noise) -> tuple[Floats, Floats]:
    """Return offsets of processes, and values without offsets, each with a standard deviation of about 1."""
    rng = np.random.default_rng(count)
    return noise(rng, (REPETITIONS, count)), interquartile_mean(noise(rng, (REPETITIONS, count, VALUES)))


def simulated(count: int, between: float, within: float, noise: Noise) -> Floats:
    """Return one simulated log-ratio per process. The true value is 0.

    The interquartile mean shifts and scales with its values, so it is computed only once, from the unit noise.
    """
    offsets, values = unit_noise(count, noise)
    return between * offsets + within * values


def coverage(per_process: Floats, truth: float = 0.0) -> float:
    """Return the fraction of repetitions in which the confidence interval contains the true value."""
    return float(np.mean(np.abs(per_process.mean(axis=-1) - truth) <= student_margin(per_process)))


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(
    ("between", "within"),
    [(0.1, 0.01), (0.01, 0.1), (0.0, 0.05), (0.05, 0.05)],
    ids=["mostly-between", "mostly-within", "only-within", "equal"],
)
def test_intervals_have_95_percent_coverage_with_normal_noise(count: int, between: float, within: float) -> None:
    assert coverage(simulated(count, between, within, normal)) == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(("between", "within"), [(0.1, 0.01), (0.01, 0.1), (0.0, 0.05), (0.05, 0.05)])
def test_intervals_have_93_to_98_percent_coverage_with_heavy_tails(count: int, between: float, within: float) -> None:
    assert 0.93 <= coverage(simulated(count, between, within, heavy)) <= 0.98


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("between", [0.005, 0.02, 0.05, 0.1, 0.15, 0.2])
def test_intervals_cover_undisturbed_ratio_if_one_process_in_ten_is_slowed(count: int, between: float) -> None:
    undisturbed = simulated(count, between, between / 2, normal)
    rng = np.random.default_rng(1)
    slowed = SLOWDOWN * (rng.random(undisturbed.shape) < 0.1)
    assert coverage(undisturbed + slowed) >= 0.93
    if count == 10:  # also if exactly one of the ten processes is slow in every repetition
        slowed = SLOWDOWN * (np.arange(10) == 0)
        assert coverage(undisturbed + slowed) >= 0.93


@pytest.mark.parametrize("count", [5, 8])
def test_pooled_intervals_have_95_percent_coverage_across_hours(count: int) -> None:
    # Each run has four processes and takes place in a different hour. Times differ between hours, so the interval is
    # computed over the means of the runs.
    rng = np.random.default_rng(2)
    hours = 0.1 * rng.standard_normal((REPETITIONS // 4, count, 1))
    process_values = hours + 0.05 * rng.standard_normal((REPETITIONS // 4, count, 4))
    runs = process_values.mean(axis=-1)
    assert np.mean(np.abs(runs.mean(axis=-1)) <= student_margin(runs)) == pytest.approx(0.95, abs=0.01)
    # The interval of a single run does not cover other hours.
    single_run = process_values[:, 0]
    assert np.mean(np.abs(single_run.mean(axis=-1)) <= student_margin(single_run)) < 0.65


def test_student_interval_equals_scipy_and_is_centred_on_mean() -> None:
    values = np.random.default_rng(3).normal(0.05, 0.002, size=10)
    found = student(values)
    assert found.samples == 10
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.95, 9, values.mean(), stats.sem(values)))
    assert (found.low + found.high) / 2 == pytest.approx(found.value)


def test_one_value_gives_no_interval() -> None:
    found = student([2.0])
    assert (found.value, found.samples) == (2.0, 1)
    assert np.isnan([found.low, found.high]).all()
    assert np.isnan(welch([1.0], [1.0, 2.0]).low)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 8, 10, 20])
def test_interquartile_mean_equals_trimmed_mean_of_scipy(count: int) -> None:
    values = np.random.default_rng(4).normal(size=count)
    # SciPy trims only whole values. With each value repeated four times, a quarter of the values is a whole number.
    assert interquartile_mean(values) == pytest.approx(stats.trim_mean(np.repeat(values, 4), 0.25))
    assert interquartile_mean([*values, np.nan]) == interquartile_mean(values)
    assert interquartile_mean(0.1 * values + 2) == pytest.approx(0.1 * interquartile_mean(values) + 2)


def test_interquartile_mean_is_robust_and_processes_without_values_are_left_out() -> None:
    quiet = np.linspace(-0.01, 0.01, 8)
    disturbed = np.where(np.arange(8) == 2, 3.0, quiet)
    assert abs(interquartile_mean(disturbed) - interquartile_mean(quiet)) < 0.005
    assert process_means([[[1.0, 1.0]], [np.nan], [], [[2.0], [2.0]]]).tolist() == [1.0, 2.0]
    assert np.isnan(interquartile_mean([]))


def test_welch_interval_equals_scipy() -> None:
    rng = np.random.default_rng(5)
    limit, time = rng.normal(0.0, 0.01, 4), rng.normal(1.0, 0.1, 8)
    found = welch(limit, time)
    expected = stats.ttest_ind(limit, time, equal_var=False).confidence_interval(0.95)
    assert found.value == pytest.approx(limit.mean() - time.mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.samples == 4
    exact = welch([1.0, 1.0], [3.0, 3.0])
    assert (exact.low, exact.high) == (-2.0, -2.0)


@pytest.mark.parametrize("counts", [(4, 4), (4, 8), (3, 10)])
def test_welch_intervals_have_93_to_98_percent_coverage_whichever_sample_is_noisier(counts: tuple[int, int]) -> None:
    rng = np.random.default_rng(6)
    for limit_spread, time_spread in ((0.01, 0.1), (0.1, 0.01), (0.05, 0.05)):
        samples = zip(
            limit_spread * rng.standard_normal((2_000, counts[0])),
            time_spread * rng.standard_normal((2_000, counts[1])),
            strict=True,
        )
        intervals = [welch(limit, time) for limit, time in samples]
        assert 0.93 <= np.mean([interval.low <= 0.0 <= interval.high for interval in intervals]) <= 0.98
