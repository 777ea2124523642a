"""The statistical rule of `nnkernels check`: probability of a false alarm, coverage of the interval, resolution."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from nnkernels.measure.regression import rule

ERROR = rule.COMPARISON_ERROR


def heavy_tails(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Return log-ratios of pairs: an offset for each, heavy-tailed noise, and a delayed side in one pair in ten."""
    held_up = np.where(rng.random(shape) < 0.1, rng.exponential(0.4, shape) * rng.choice([-1, 1], shape), 0)
    return 0.01 * rng.normal(size=shape) + 0.01 * rng.standard_t(2, shape) + held_up


DISTRIBUTIONS = {
    "normal": lambda rng, *shape: 0.01 * rng.normal(size=shape),
    "heavy tails": heavy_tails,
    "cauchy": lambda rng, *shape: 0.01 * rng.standard_cauchy(shape),
}


@pytest.mark.parametrize("pairs", [9, 13, 24])
@pytest.mark.parametrize("shift", [0.0, 0.01, 0.02])
def test_verdict_agrees_with_wilcoxon_test_of_scipy(pairs: int, shift: float) -> None:
    rng = np.random.default_rng(pairs)
    for values in heavy_tails(rng, 12, pairs) + shift:
        expected = stats.wilcoxon(values, alternative="greater", method="exact").pvalue
        for error in (ERROR, 0.0005, 0.05):
            assert rule.judge(values, error).slower == (expected <= error)


def test_rank_sum_probabilities_agree_with_enumeration_of_signs() -> None:
    ranks = np.arange(1, 8)
    sums = [ranks[np.array(signs)].sum() for signs in itertools.product([False, True], repeat=7)]
    expected = np.bincount(sums, minlength=29) / 2**7
    np.testing.assert_allclose(rule._rank_sum_probabilities(7), expected, rtol=1e-12)


@pytest.mark.parametrize("error", [ERROR, 0.0011, 0.05])
def test_fewest_pairs_is_smallest_number_that_can_find_slowdown(error: float) -> None:
    fewest = rule.fewest_pairs(error)
    alike = np.linspace(0.5, 0.6, fewest)
    assert rule.judge(alike, error).slower
    fewer = rule.judge(alike[:-1], error)
    assert not fewer.slower
    assert fewer.resolution == np.inf
    assert fewer.at_least == 0


def test_error_over_all_combinations_of_signs_is_at_most_stated() -> None:
    """The proof of the rule, for ten pairs: without a slowdown, all combinations of signs are equally likely."""
    signs = np.array(list(itertools.product([-1, 1], repeat=10)))
    for sizes in np.abs(heavy_tails(np.random.default_rng(2), 5, 10)):
        alarms = rule._lower_bounds(signs * sizes, ERROR) > 0
        assert 0 < alarms.mean() <= ERROR


def test_resolution_used_for_stopping_does_not_depend_on_signs() -> None:
    rng = np.random.default_rng(3)
    values = heavy_tails(rng, 12) + 0.05
    expected = rule.spread_resolution(values, ERROR)
    for _ in range(20):
        assert rule.spread_resolution(values * rng.choice([-1, 1], 12), ERROR) == expected


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_false_alarms_and_coverage_by_simulation(name: str) -> None:
    samples = DISTRIBUTIONS[name](np.random.default_rng(4), 20_000, 14)
    alarms = int((rule._lower_bounds(samples, ERROR) > 0).sum())
    low = stats.binomtest(alarms, len(samples)).proportion_ci(0.999).low
    assert low <= ERROR
    assert alarms > 0  # the rule does find something
    margin = (1 - rule.CONFIDENCE) / 2
    covered = (rule._lower_bounds(samples, margin) <= 0) & (rule._lower_bounds(-samples, margin) <= 0)
    assert 0.945 <= covered.mean() <= 0.965


@pytest.mark.parametrize("name", ["normal", "heavy tails"])
@pytest.mark.parametrize("pairs", [12, 24])
def test_slowdown_of_stated_resolution_is_found_with_80_percent_probability(name: str, pairs: int) -> None:
    rng = np.random.default_rng(5)
    stated = [rule.judge(values, ERROR).resolution for values in DISTRIBUTIONS[name](rng, 60, pairs)]
    bounds = rule._lower_bounds(DISTRIBUTIONS[name](rng, 4000, pairs), ERROR)
    found = np.mean([(bounds + np.log1p(resolution) > 0).mean() for resolution in stated])
    assert 0.7 <= found <= 0.88


def test_estimate_is_close_to_true_ratio_and_inside_interval() -> None:
    rng = np.random.default_rng(6)
    verdict = rule.judge(np.log(1.25) + 0.01 * rng.normal(size=20), ERROR)
    assert verdict.pairs == 20
    assert verdict.ratio == pytest.approx(1.25, rel=0.01)
    assert verdict.at_least < verdict.low < verdict.ratio < verdict.high
    assert verdict.slower
    assert 0.005 < verdict.resolution < 0.02


def test_single_delayed_pair_changes_estimate_little() -> None:
    values = 0.01 * np.random.default_rng(7).normal(size=16)
    before = rule.judge(values, ERROR)
    values[3] = 0.7  # as if another process had the CPU for half of the time
    after = rule.judge(values, ERROR)
    assert after.ratio == pytest.approx(before.ratio, rel=0.005)
    assert not after.slower


def test_error_of_whole_check_is_bounded_for_any_number_of_comparisons() -> None:
    assert rule.error_per_comparison(1) == rule.error_per_comparison(12) == rule.COMPARISON_ERROR
    for comparisons in (1, 12, 13, 40):
        assert comparisons * rule.error_per_comparison(comparisons) <= rule.CHECK_ERROR + 1e-12


@pytest.mark.parametrize("values", [[], [0.1, np.nan], [np.inf, 0.1]])
def test_missing_or_nonfinite_values_are_rejected(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        rule.judge(np.array(values), ERROR)
