"""The order of images for single-image calls: each part of it has about the mean density of all images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nnkernels.measure.timing.image_order import TOLERANCE, balanced_order


def worst_relative_deviation(counts: np.ndarray, order: np.ndarray) -> float:
    """Return the largest relative deviation from the overall mean, over parts that start and end at even positions."""
    totals = np.concatenate([[0], np.cumsum(counts[order], dtype=np.int64)])[::2]
    start, stop = np.triu_indices(len(totals), 1)
    if not len(start):
        return 0.0
    parts = (totals[stop] - totals[start]) / (2 * (stop - start))
    return float(np.abs(parts - counts.mean()).max() / max(counts.mean(), 1e-300))


def test_parts_of_real_digits_have_mean_density(digits):
    counts = np.count_nonzero(digits.X_test, axis=1)
    order = balanced_order(counts, 1_000, seed=0)
    assert 900 <= len(order) <= 1_000
    assert len(order) == 1_000 or len(counts) < 2_000
    assert len(np.unique(order)) == len(order)
    assert worst_relative_deviation(counts, order) <= TOLERANCE == 0.02
    # The whole order is closer still, and the spread shows that it contains images of all densities.
    assert counts[order].mean() == pytest.approx(counts.mean(), rel=1e-3)
    assert counts[order].std() == pytest.approx(counts.std(), rel=0.1)


def test_seed_determines_order(digits):
    counts = np.count_nonzero(digits.X_test, axis=1)
    order = balanced_order(counts, 200, seed=3)
    np.testing.assert_array_equal(order, balanced_order(counts, 200, seed=3))
    assert len(np.intersect1d(order, balanced_order(counts, 200, seed=4))) < 200


@given(st.lists(st.integers(0, 784), max_size=60), st.integers(0, 60), st.integers(0, 5))
@example([], 10, 0)
@example([0, 0, 0], 10, 0)
@example([1, 1, 1, 1000], 4, 0)
def test_any_counts_give_balanced_order_or_random_permutation(counts, images, seed):
    nonzero = np.array(counts, np.int64)
    order = balanced_order(nonzero, images, seed)
    wanted = min(images, len(nonzero))
    assert len(np.unique(order)) == len(order) <= wanted
    assert all(0 <= image < len(nonzero) for image in order)
    if len(order) % 2 or not len(order) or worst_relative_deviation(nonzero, order) > TOLERANCE * (1 + 1e-9):
        np.testing.assert_array_equal(order, np.random.default_rng(seed).permutation(len(nonzero))[:wanted])
    else:
        assert len(order) >= wanted / 2


@given(st.lists(st.integers(1, 391), min_size=1, max_size=30), st.integers(0, 5))
def test_all_images_are_used_if_counts_are_symmetric_about_mean(counts, seed):
    nonzero = np.array([*counts, *(784 - count for count in counts)])
    order = balanced_order(nonzero, len(nonzero), seed)
    assert len(order) == len(nonzero)
    assert worst_relative_deviation(nonzero, order) <= TOLERANCE * (1 + 1e-9)
