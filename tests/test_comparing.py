"""Comparison of contenders, and decomposition of the claim of the write-ups."""

import csv
import itertools
import json
import math
import signal
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnkernels import contenders
from nnkernels.comparing import claim
from nnkernels.comparing.claim import RECIPES, WIDTHS, run_claim
from nnkernels.comparing.decomposition import FACTORS, accuracies, decompose
from nnkernels.comparing.pair import Comparison, Side, compare
from nnkernels.contenders.ours import KernelContender
from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError, Interruption, UnknownNameError
from nnkernels.history import History
from nnkernels.learn import comparison_job, comparison_report
from nnkernels.learn.training_request import TrainingRequest
from nnkernels.parameters import Parameters
from nnkernels.recipes import Recipe
from nnkernels.sweep.results import SweepFolder
from tests import reference

RECIPE = Recipe("test", epochs=2, learning_rate=0.1, hidden=6)


@pytest.fixture(scope="module")
def part(small_digits):
    return Dataset(small_digits.X_train[:300], small_digits.y_train[:300], small_digits.X_test, small_digits.y_test)


def test_two_backends_drift_apart_only_by_rounding(small_digits):
    comparison = compare(["numpy", "numba"], small_digits, RECIPE, seed=1)
    one, other = comparison.sides["numpy"], comparison.sides["numba"]
    drift = comparison.drift("numpy", "numba")
    for epoch in range(RECIPE.epochs):
        pairs = list(zip(one.trajectory[epoch], other.trajectory[epoch], strict=True))
        differences = [np.abs(a - b).max() for a, b in pairs]
        assert drift["maximum"][epoch] == pytest.approx(max(differences))
        assert 0 < drift["maximum"][epoch] < 1e-4
        squares = sum(float(((a - b).astype(float) ** 2).sum()) for a, b in pairs)
        size = sum(float((a.astype(float) ** 2).sum()) for a in one.trajectory[epoch])
        assert drift["relative"][epoch] == pytest.approx(math.sqrt(squares / size))
    assert one.probs.shape == (len(small_digits.X_test), 10)
    assert [record.epoch for record in one.history.epochs] == [1, 2]


class Stopped(Exception):  # noqa: N818
    pass


@pytest.fixture
def recorded(monkeypatch):
    """Records of all that the contenders of a comparison receive, one per contender, in order of creation."""
    records = []

    class Recorded(KernelContender):
        def __init__(self, name):
            super().__init__(name)
            self.record = {"starts": [], "images": [], "orders": [], "rates": [], "closed": 0}
            records.append(self.record)

        def prepare(self, parameters, data, recipe):
            self.record["starts"].append(np.concatenate([array.ravel() for array in parameters]))
            self.record["images"].append(data.X)
            super().prepare(parameters, data, recipe)

        def advance(self, order, learning_rates):
            self.record["orders"].append(order.copy())
            self.record["rates"].append(learning_rates.copy())
            super().advance(order, learning_rates)

        def close(self):
            self.record["closed"] += 1

    monkeypatch.setattr(contenders, "create", Recorded)
    return records


def test_compare_gives_all_sides_the_same_start_images_batches_and_rates(recorded, small_digits):
    compare(["numpy", "numba"], small_digits, replace(RECIPE, schedule="linear"), seed=3)
    one, other = recorded
    for what in ("starts", "images", "orders", "rates"):
        assert len(one[what]) == len(other[what]) > 0
        for left, right in zip(one[what], other[what], strict=True):
            np.testing.assert_array_equal(left, right)
    first, second = one["orders"]
    images = len(small_digits.X_train) * 5 // 6  # a sixth is held out
    np.testing.assert_array_equal(np.sort(first), np.arange(images))
    np.testing.assert_array_equal(np.sort(second), np.arange(images))
    assert (first != second).any()
    assert one["closed"] == other["closed"] == 1


def test_compare_without_validation_trains_on_all_images(recorded, small_digits):
    comparison = compare(["numpy", "numba"], small_digits, replace(RECIPE, epochs=1), validation=False)
    assert len(recorded[0]["orders"][0]) == len(small_digits.X_train)
    assert math.isnan(comparison.sides["numba"].history.epochs[0].validation_loss)


def test_compare_closes_contender_when_training_fails(recorded, small_digits):
    def stop(name, history):
        raise Stopped

    with pytest.raises(Stopped):
        compare(["numpy", "numba"], small_digits, RECIPE, show=stop)
    assert [record["closed"] for record in recorded] == [1]


def test_drift_matches_hand_computed_values():
    def side(W1, b1, W2, b2):
        params = Parameters(*(np.array(values, np.float32) for values in (W1, b1, W2, b2)))
        return Side(History(RECIPE, 0, 1), [params], np.empty((0, 10)))

    sides = {"one": side([[3.0]], [0.0], [[0.0, 4.0]], [0.0]), "other": side([[3.0]], [-6.0], [[8.0, 4.0]], [0.0])}
    comparison = Comparison(RECIPE, 0, sides)
    assert comparison.drift("one", "other") == {"maximum": [8.0], "relative": [2.0]}  # 10 / 5
    assert comparison.drift("other", "one")["relative"] == [pytest.approx(10 / math.sqrt(125))]


@pytest.mark.parametrize("names", [[], ["numpy"], ["numpy", "numpy"]])
def test_compare_requires_two_distinct_contenders(names, small_digits):
    with pytest.raises(ConfigurationError, match="two contenders or more"):
        compare(names, small_digits, RECIPE)


def test_compare_rejects_unknown_contender(small_digits):
    with pytest.raises(UnknownNameError, match="nobody"):
        compare(["numpy", "nobody"], small_digits, RECIPE)


# The report


def test_report_counts_images_that_only_one_contender_gets_wrong(small_digits, tmp_path, monkeypatch):
    monkeypatch.setattr(comparison_report, "_draw", lambda *_arguments: None)  # other tests cover the pictures
    trained = compare(["numpy", "numba"], small_digits, RECIPE)
    answers = {name: small_digits.y_test.copy() for name in ("first", "second", "third")}
    for name, image, by in (("first", 0, 1), ("first", 1, 1), ("second", 1, 1), ("second", 2, 1), ("third", 1, 2)):
        answers[name][image] = (answers[name][image] + by) % 10
    sides = {
        name: replace(trained.sides[twin], probs=np.eye(10, dtype=np.float32)[answers[name]])
        for name, twin in (("first", "numpy"), ("second", "numba"), ("third", "numpy"))
    }
    report = comparison_report.write_report(Comparison(RECIPE, 0, sides), small_digits, tmp_path)
    assert [row.only_wrong for row in report.rows] == [1, 1, 0]  # image 1 is wrong for all
    assert report.different_answers == 3  # also image 1, for which their wrong answers differ
    found = json.loads((tmp_path / "comparison.json").read_text())
    assert set(found["drift"]) == {"first and second", "second and third"}
    assert found["drift"]["first and second"]["maximum"][-1] == report.drift
    for row in report.rows:
        probs = reference.probabilities(sides[row.contender].trajectory[-1], small_digits.X_test / 255)
        assert row.test_error_rate == pytest.approx(np.mean(probs.argmax(axis=1) != small_digits.y_test))
        assert row.test_loss == pytest.approx(
            -np.mean(np.log(probs[np.arange(len(probs)), small_digits.y_test])), rel=1e-5
        )
    with open(tmp_path / "histories.csv") as file:
        rows = list(csv.DictReader(file))
    assert [(row["contender"], int(row["epoch"])) for row in rows] == [
        (name, epoch) for name in answers for epoch in (1, 2)
    ]


def test_report_of_diverged_trainings_contains_nulls(small_digits, tmp_path):
    request = TrainingRequest(recipe="sgd", epochs=1, learning_rate=1e30)
    with np.errstate(all="ignore"):
        comparison_job.run(["numpy", "numba"], request, small_digits, tmp_path, lambda _name, _history: None)
    found = json.loads((tmp_path / "comparison.json").read_text(), parse_constant=pytest.fail)
    assert found["drift"]["numpy and numba"]["maximum"] == [None]
    assert [row["test_loss"] for row in found["contenders"]] == [None, None]
    assert (tmp_path / "curves.png").is_file()


def test_comparison_job_rejects_single_contender_before_any_work(small_digits, tmp_path):
    with pytest.raises(ConfigurationError, match="two contenders or more"):
        comparison_job.run(
            ["numpy"], TrainingRequest(recipe="sgd", epochs=1), small_digits, tmp_path / "out", pytest.fail
        )
    assert not (tmp_path / "out").exists()


def test_comparison_job_rejects_file_as_output_folder(small_digits, tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(ConfigurationError, match="cannot create the folder"):
        comparison_job.run(
            ["numpy", "numba"], TrainingRequest(recipe="sgd", epochs=1), small_digits, tmp_path / "out", pytest.fail
        )


# The claim


@pytest.fixture
def short_recipes(monkeypatch):
    monkeypatch.setattr(
        claim, "named_recipe", lambda name, images: Recipe(name, batch_size=256, learning_rate=0.1 + len(name) / 100)
    )


def do_nothing(_done, _total, _text):
    pass


def cell_of(row):
    return row["recipe"]["hidden"], row["recipe"]["name"], row["contender"]


def test_interrupted_claim_resumes_without_repeating_trainings(
    short_recipes, in_process, small_digits, tmp_path, monkeypatch
):
    shown = []

    def stop(done, total, _text):
        assert total == 16
        if done == 5:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interruption, match="the same command continues"):
        run_claim("numba", "numpy", small_digits, tmp_path, 2, stop)
    done = len(SweepFolder(tmp_path).rows)
    assert 5 <= done < 16
    rows = run_claim("numba", "numpy", small_digits, tmp_path, 2, lambda *given: shown.append(given[:2]))
    assert shown == [(number, 16) for number in range(done + 1, 17)]
    assert [row["seed"] for row in rows] == 8 * [0] + 8 * [1]
    by_cell = {(cell_of(row), row["seed"]): row for row in rows}
    assert len(by_cell) == 16
    for (
        (hidden, recipe, _),
        seed,
    ), row in by_cell.items():  # equal except for rounding, which may change a few answers
        twin = by_cell[(hidden, recipe, "numpy"), seed]
        assert row["error_rate"] == pytest.approx(twin["error_rate"], abs=0.02)
    assert len(accuracies(rows)) == 8
    shown.clear()
    more = run_claim("numba", "numpy", small_digits, tmp_path, 3, lambda *given: shown.append(given[:2]))
    assert shown == [(number, 24) for number in range(17, 25)]
    assert more[:16] == rows
    assert run_claim("numba", "numpy", small_digits, tmp_path, 2, pytest.fail) == rows  # fewer seeds: only these


def test_claim_does_not_mix_trainings_by_changed_recipes(short_recipes, in_process, part, tmp_path, monkeypatch):
    before = run_claim("numba", "numpy", part, tmp_path, 2, do_nothing)
    monkeypatch.setattr(claim, "named_recipe", lambda name, images: Recipe(name, learning_rate=0.7))
    after = run_claim("numba", "numpy", part, tmp_path, 2, do_nothing)
    assert {row["recipe"]["learning_rate"] for row in after} == {0.7}
    assert not {row["key"] for row in before} & {row["key"] for row in after}


def test_claim_rejects_results_of_earlier_versions_and_leaves_them(short_recipes, part, tmp_path):
    (tmp_path / "trainings.json").write_text("{}")
    with pytest.raises(ConfigurationError, match=r"trainings\.json contains results of an earlier version.*--out"):
        run_claim("numba", "numpy", part, tmp_path, 2, pytest.fail)
    assert [path.name for path in tmp_path.iterdir()] == ["trainings.json"]


def test_claim_trains_each_cell_at_its_width_on_all_images(recorded, short_recipes, in_process, part, tmp_path):
    rows = run_claim("numba", "numpy", part, tmp_path, 2, do_nothing)
    for row, record in zip(rows, recorded, strict=True):
        hidden = row["recipe"]["hidden"]
        assert len(record["starts"][0]) == (784 + 1) * hidden + (hidden + 1) * 10
        assert len(record["orders"][0]) == len(part.X_train)
        assert record["closed"] == 1
        assert row["judge"] == "test"
    by_seed = {(row["recipe"]["hidden"], row["seed"]): set() for row in rows}
    for row, record in zip(rows, recorded, strict=True):
        by_seed[row["recipe"]["hidden"], row["seed"]].add(record["starts"][0].tobytes())
    assert [len(starts) for starts in by_seed.values()] == [1, 1, 1, 1]  # the same for every recipe and contender
    assert len(set.union(*by_seed.values())) == 4


@pytest.mark.parametrize(
    ("names", "seeds", "error", "match"),
    [
        (("numba", "numpy"), 1, ConfigurationError, "two or more"),
        (("numpy", "numpy"), 2, ConfigurationError, "numpy is given twice"),
        (("numpy", "nobody"), 2, UnknownNameError, "nobody"),
    ],
)
def test_invalid_claims_are_rejected(names, seeds, error, match, part, tmp_path):
    with pytest.raises(error, match=match):
        run_claim(*names, part, tmp_path, seeds, pytest.fail)


def trainings_of(errors):
    """Return results with given error rates: for each (hidden, recipe, contender) a list with one value per seed."""
    return [
        {
            "recipe": {"name": recipe, "hidden": hidden, "learning_rate": 0.1},
            "contender": contender,
            "judge": "test",
            "data": {},
            "seed": seed,
            "train_error_rate": 0.0,
            "error_rate": error,
            "seconds": 1.0,
        }
        for (hidden, recipe, contender), values in errors.items()
        for seed, error in enumerate(values)
    ]


CELLS = list(itertools.product(WIDTHS, RECIPES, ("ours", "theirs")))


@given(st.lists(st.floats(0, 1), min_size=16, max_size=16))
def test_parts_are_shapley_values_and_sum_to_the_gap(values):
    errors = {cell: values[2 * i : 2 * i + 2] for i, cell in enumerate(CELLS)}
    result = decompose(trainings_of(errors), "ours", "theirs")

    def worth(changed):
        cell = (WIDTHS["width" in changed], RECIPES["recipe" in changed], ("ours", "theirs")["framework" in changed])
        return 100 * (1 - np.mean(errors[cell]))

    for factor in FACTORS:
        others = [other for other in FACTORS if other != factor]
        expected = 0.0
        for size in range(3):  # the textbook formula, over coalitions instead of orders
            weight = math.factorial(size) * math.factorial(2 - size) / math.factorial(3)
            for coalition in itertools.combinations(others, size):
                expected += weight * (worth({*coalition, factor}) - worth(set(coalition)))
        assert result.parts[factor].value == pytest.approx(expected, abs=1e-9)
    assert sum(part.value for part in result.parts.values()) == pytest.approx(result.gap.value, abs=1e-9)


def additive(width, recipe, framework, spread):
    """Return error rates of two seeds, in which the gain of each factor does not depend on the other two."""
    errors = {}
    for cell in CELLS:
        gain = width * (cell[0] == WIDTHS[1]) + recipe * (cell[1] == RECIPES[1]) + framework * (cell[2] == "theirs")
        errors[cell] = [0.5 - gain - spread, 0.5 - gain + spread]
    return errors


@given(st.floats(-0.15, 0.15), st.floats(-0.15, 0.15), st.floats(-0.15, 0.15))
def test_additive_gains_are_attributed_to_their_own_factors(width, recipe, framework):
    result = decompose(trainings_of(additive(width, recipe, framework, spread=0.001)), "ours", "theirs")
    assert result.gap.value == pytest.approx(100 * (width + recipe + framework), abs=1e-9)
    for factor, gain in (("width", width), ("recipe", recipe), ("framework", framework)):
        part = result.parts[factor]
        assert part.value == pytest.approx(100 * gain, abs=1e-9)
        # Paired by seed: a seed that is better in every cell does not widen the interval.
        assert part.high - part.low == pytest.approx(0, abs=1e-6)


def test_intervals_are_over_seeds():
    # The framework gains 1 point with one seed and 3 with the other. Student's t with 1 degree of freedom is 12.706.
    errors = {cell: [0.5 - 0.01 * (cell[2] == "theirs"), 0.5 - 0.03 * (cell[2] == "theirs")] for cell in CELLS}
    part = decompose(trainings_of(errors), "ours", "theirs").parts["framework"]
    assert part.value == pytest.approx(2)
    assert part.samples == 2
    assert part.high - part.value == pytest.approx(12.706 * 1.0, rel=0.05)  # s / sqrt(2) = 1


def test_accuracies_contains_mean_of_each_cell():
    errors = {cell: [0.01 * i, 0.01 * i + 0.02] for i, cell in enumerate(CELLS)}
    table = accuracies(trainings_of(errors))
    assert [tuple(row) for row in table[["hidden", "recipe", "contender"]].to_numpy()] == CELLS
    assert table["accuracy"].tolist() == pytest.approx([0.99 - 0.01 * i for i in range(8)])
    assert table["train_accuracy"].tolist() == [1.0] * 8
    assert (table["ci_low"] < table["accuracy"]).all()
    assert (table["accuracy"] < table["ci_high"]).all()
    assert table["seeds"].tolist() == [2] * 8


def test_sentence_contains_gap_and_parts():
    errors = additive(width=0.015, recipe=0.05, framework=0.001, spread=0.001)
    sentence = decompose(trainings_of(errors), "ours", "theirs").sentence()
    for text in ("6.60 points", "width +1.50 [", "recipe +5.00 [", "framework +0.10 ["):
        assert text in sentence
