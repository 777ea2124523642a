"""Calibration agrees with scikit-learn, with plain loops and with networks whose calibration is known."""

import math

import numpy as np
import pytest
from scipy import stats

from nnkernels.accuracy.calibration import expected_calibration_error, overconfidence, reliability
from nnkernels.errors import ConfigurationError, DataError
from nnkernels.statistics import wilson


def made_up(networks=3, images=500, classes=4, sharpness=2.0, seed=0):
    """Return probabilities of some networks, float32 as from a softmax, and labels that partly follow them."""
    rng = np.random.default_rng(seed)
    logits = sharpness * rng.standard_normal((networks, images, classes))
    probs = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    y = np.array([rng.choice(classes, p=row) for row in probs.mean(axis=0)])
    return probs.astype(np.float32), y


def two_classes(confidence, right):
    """Return probabilities and labels of one network with given confidences above 0.5."""
    confidence = np.asarray(confidence, np.float64)
    return np.stack([confidence, 1 - confidence], axis=1), np.where(right, 0, 1)


def loop_error(probs, y, bins):
    """Compute the calibration error of one network with scalars: bins of equal width, open below and closed above."""
    total = 0.0
    for number in range(bins):
        confidences, rights = [], []
        for row, label in zip(probs.tolist(), y.tolist(), strict=True):
            answer = max(range(len(row)), key=row.__getitem__)
            if number / bins < row[answer] <= (number + 1) / bins:
                confidences.append(row[answer])
                rights.append(answer == label)
        if confidences:
            gap = math.fsum(rights) / len(rights) - math.fsum(confidences) / len(confidences)
            total += len(confidences) / len(y) * abs(gap)
    return total


# Bins


@pytest.mark.parametrize(("by", "strategy"), [("width", "uniform"), ("mass", "quantile")])
def test_bins_are_those_of_scikit_learn(by, strategy):
    calibration_curve = pytest.importorskip("sklearn.calibration").calibration_curve
    probs, y = made_up()
    found = reliability(probs, y, by=by)
    confidence = probs.max(axis=2).ravel().astype(np.float64)
    right = (probs.argmax(axis=2) == y).ravel()
    accuracy, mean_confidence = calibration_curve(right, confidence, n_bins=15, strategy=strategy)
    filled = found.counts > 0
    np.testing.assert_allclose(found.accuracy[filled], accuracy)
    np.testing.assert_allclose(found.confidence[filled], mean_confidence)
    assert found.counts.sum() == right.size
    assert found.networks == 3


def test_bins_of_equal_mass_have_equal_counts():
    probs, y = made_up(networks=1, images=750)
    assert set(reliability(probs, y, by="mass").counts) == {50}


def test_confidence_on_an_edge_is_in_the_lower_bin():
    probs, y = two_classes([0.75, 0.76, 1.0], [True, False, True])
    found = reliability(probs, y, bins=4)
    assert found.counts.tolist() == [0, 0, 1, 2]
    assert found.accuracy[2:].tolist() == [1, 0.5]
    assert np.isnan(found.accuracy[:2]).all()
    assert (found.low[0], found.high[0]) == (0, 1)


def test_equal_confidences_share_one_bin_of_equal_mass():
    found = reliability(*two_classes([0.9] * 7, [True] * 6 + [False]), by="mass")
    assert found.counts.tolist() == [7]
    assert found.accuracy[0] == pytest.approx(6 / 7)


def test_interval_is_that_of_as_many_answers_as_one_network_has():
    probs, y = made_up(networks=1)
    once, thrice = reliability(probs, y), reliability(np.repeat(probs, 3, axis=0), y)
    np.testing.assert_array_equal(thrice.counts, 3 * once.counts)
    np.testing.assert_allclose(thrice.low, once.low)
    np.testing.assert_allclose(thrice.high, once.high)
    for count, accuracy, low, high in zip(once.counts, once.accuracy, once.low, once.high, strict=True):
        if count:
            expected = stats.binomtest(round(accuracy * count), count).proportion_ci(method="wilson")
            assert (low, high) == pytest.approx((expected.low, expected.high))


def test_table_has_a_row_for_each_bin():
    pytest.importorskip("pandas")
    found = reliability(*made_up(), bins=5)
    table = found.to_frame()
    np.testing.assert_allclose(table["above"], [0, 0.2, 0.4, 0.6, 0.8])
    np.testing.assert_allclose(table["up_to"], [0.2, 0.4, 0.6, 0.8, 1])
    np.testing.assert_array_equal(table["count"], found.counts)


@pytest.mark.parametrize(("successes", "trials"), [(0, 12), (12, 12), (3, 12), (1, 1), (900, 1000)])
def test_wilson_interval_is_scipys(successes, trials):
    expected = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert tuple(map(float, wilson(successes, trials))) == pytest.approx((expected.low, expected.high))


# Calibration error


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_error_is_that_of_plain_loops_averaged_over_networks(bins):
    probs, y = made_up()
    errors = [loop_error(of_one, y, bins) for of_one in probs]
    found = expected_calibration_error(probs, y, bins)
    assert found.value == pytest.approx(np.mean(errors))
    interval = stats.ttest_1samp(errors, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.samples == 3


def test_error_of_a_known_example():
    probs, y = two_classes([0.6, 0.7, 0.95, 0.95], [True, False, True, True])
    # Bins of a tenth: 0.6 is right (gap 0.4), 0.7 is wrong (gap 0.7), 0.95 is right twice (gap 0.05).
    assert expected_calibration_error(probs, y, 10).value == pytest.approx((0.4 + 0.7 + 2 * 0.05) / 4)
    # Two bins of equal mass: 0.65 with accuracy 0.5, and 0.95 with accuracy 1.
    assert expected_calibration_error(probs, y, 2, by="mass").value == pytest.approx((2 * 0.15 + 2 * 0.05) / 4)


def test_one_network_has_no_interval():
    probs, y = made_up(networks=1)
    found = expected_calibration_error(probs[0], y)
    assert found.value == pytest.approx(loop_error(probs[0], y, 15))
    assert math.isnan(found.low)


@pytest.mark.parametrize("by", ["width", "mass"])
def test_calibrated_answers_have_a_small_error_and_overconfident_ones_have_not(by):
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 0.9, 20_000)
    calibrated = two_classes(confidence, rng.random(20_000) < confidence)
    overconfident = two_classes(confidence + 0.1, rng.random(20_000) < confidence)
    assert expected_calibration_error(*calibrated, by=by).value < 0.015
    assert expected_calibration_error(*overconfident, by=by).value == pytest.approx(0.1, abs=0.015)
    assert overconfidence(*calibrated).value == pytest.approx(0, abs=0.01)
    assert overconfidence(*overconfident).value == pytest.approx(0.1, abs=0.01)


# Bad input


@pytest.mark.parametrize(
    ("probs", "y", "message"),
    [
        (np.full(4, 0.5), np.zeros(4, int), r"shape \(4,\)"),
        (np.full((4, 2), 1), np.zeros(4, int), "int64"),
        (np.empty((0, 2)), np.zeros(0, int), r"shape \(0, 2\)"),
        (np.empty((0, 3, 2)), np.zeros(3, int), r"shape \(0, 3, 2\)"),
        (np.full((4, 2), 0.5), np.zeros(3, int), r"shape \(3,\)"),
        (np.full((4, 2), 0.5), np.zeros(4), "float64"),
        (np.full((4, 2), np.nan), np.zeros(4, int), "NaN"),
        (np.full((4, 2), 3.5), np.zeros(4, int), "softmax"),
        (np.full((4, 2), -0.5), np.zeros(4, int), "softmax"),
        (np.full((4, 2), 0.5), np.full(4, 2), "lie in 2 to 2"),
        (np.full((4, 2), 0.5), np.full(4, -1), "lie in -1 to -1"),
    ],
)
def test_impossible_answers_are_rejected(probs, y, message):
    for function in (reliability, expected_calibration_error, overconfidence):
        with pytest.raises(DataError, match=message):
            function(probs, y)


@pytest.mark.parametrize(("options", "message"), [({"bins": 0}, "bins is 0"), ({"by": "size"}, "width, mass")])
def test_impossible_bins_are_rejected(options, message):
    for function in (reliability, expected_calibration_error):
        with pytest.raises(ConfigurationError, match=message):
            function(*made_up(), **options)
