"""Contenders side by side, and the write-up's claim taken apart."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnkernels.comparing import claim
from nnkernels.comparing.claim import RECIPES, WIDTHS, Cell, Training, run_claim
from nnkernels.comparing.decomposition import FACTORS, accuracies, decompose
from nnkernels.comparing.pair import compare
from nnkernels.errors import ConfigurationError, DataError, UnknownNameError
from nnkernels.recipes import Recipe

RECIPE = Recipe("test", epochs=2, learning_rate=0.1, hidden=6)


def test_two_backends_stay_together(small_digits):
    comparison = compare(["numpy", "numba"], small_digits, RECIPE, seed=1)
    one, other = comparison.sides["numpy"], comparison.sides["numba"]
    drift = comparison.drift("numpy", "numba")
    for epoch in range(RECIPE.epochs):
        differences = [np.abs(a - b).max() for a, b in zip(one.path[epoch], other.path[epoch], strict=True)]
        assert drift["maximum"][epoch] == pytest.approx(max(differences))
        assert 0 < drift["maximum"][epoch] < 1e-4
        pairs = zip(one.path[epoch], other.path[epoch], strict=True)
        squares = sum(float(((a - b).astype(float) ** 2).sum()) for a, b in pairs)
        size = sum(float((a.astype(float) ** 2).sum()) for a in one.path[epoch])
        assert drift["relative"][epoch] == pytest.approx(math.sqrt(squares / size))
    assert one.probs.shape == (len(small_digits.X_test), 10)
    assert [record.epoch for record in one.history.epochs] == [1, 2]


@pytest.mark.parametrize("names", [[], ["numpy"], ["numpy", "numpy"]])
def test_a_comparison_takes_two(names, small_digits):
    with pytest.raises(ConfigurationError, match="two contenders or more"):
        compare(names, small_digits, RECIPE)


def test_a_comparison_of_nobody_known(small_digits):
    with pytest.raises(UnknownNameError, match="nobody"):
        compare(["numpy", "nobody"], small_digits, RECIPE)


# The claim


@pytest.fixture
def short_recipes(monkeypatch):
    monkeypatch.setattr(
        claim, "named_recipe", lambda name, images: Recipe(name, batch_size=256, learning_rate=0.1 + len(name) / 100)
    )


class Stopped(Exception):  # noqa: N818
    pass


def test_an_interrupted_claim_goes_on_where_it_was(short_recipes, small_digits, tmp_path, monkeypatch):
    path = tmp_path / "trainings.json"

    def stop(done, total, training):
        assert total == 16
        if done == 5:
            raise Stopped

    with pytest.raises(Stopped):
        run_claim("numba", "numpy", small_digits, path, 2, stop)
    assert len(json.loads(path.read_text())["trainings"]) == 5
    trained = []
    really_train = claim._train
    monkeypatch.setattr(claim, "_train", lambda *arguments: trained.append(arguments[:2]) or really_train(*arguments))
    trainings = run_claim("numba", "numpy", small_digits, path, 2)
    assert len(trained) == 11
    assert len(trainings) == len({(one.cell, one.seed) for one in trainings}) == 16
    for one in trainings:  # the same mathematics: float32 may flip a few images
        twin = next(t for t in trainings if t.cell == Cell(one.hidden, one.recipe, "numpy") and t.seed == one.seed)
        assert one.test_error_rate == pytest.approx(twin.test_error_rate, abs=0.02)
    assert len(accuracies(trainings)) == 8


def test_a_file_of_other_data_or_damaged_is_refused(short_recipes, small_digits, tmp_path):
    path = tmp_path / "trainings.json"
    path.write_text('{"version": 1, "data": "another", "trainings": []}')
    with pytest.raises(ConfigurationError, match="other data"):
        run_claim("numba", "numpy", small_digits, path, 2)
    path.write_text('{"version": 1, "data"')
    with pytest.raises(DataError, match="damaged"):
        run_claim("numba", "numpy", small_digits, path, 2)


def test_one_seed_has_no_interval(small_digits, tmp_path):
    with pytest.raises(ConfigurationError, match="two or more"):
        run_claim("numba", "numpy", small_digits, tmp_path / "trainings.json", 1)


def trainings_of(errors):
    """Make trainings of error rates by (hidden, recipe, contender), a list of seeds each."""
    return [
        Training(*cell, seed, 0.0, error, 1.0) for cell, values in errors.items() for seed, error in enumerate(values)
    ]


CELLS = list(itertools.product(WIDTHS, RECIPES, ("ours", "theirs")))


@given(st.lists(st.floats(0, 1), min_size=16, max_size=16))
def test_the_parts_are_shapleys_values_and_add_up_to_the_gap(values):
    errors = {cell: values[2 * i : 2 * i + 2] for i, cell in enumerate(CELLS)}
    result = decompose(trainings_of(errors), "ours", "theirs")

    def worth(changed):
        cell = (WIDTHS["width" in changed], RECIPES["recipe" in changed], ("ours", "theirs")["framework" in changed])
        return 100 * (1 - np.mean(errors[cell]))

    for factor in FACTORS:
        others = [other for other in FACTORS if other != factor]
        expected = 0.0
        for size in range(3):  # the textbook's formula, by coalitions instead of orders
            weight = math.factorial(size) * math.factorial(2 - size) / math.factorial(3)
            for coalition in itertools.combinations(others, size):
                expected += weight * (worth({*coalition, factor}) - worth(set(coalition)))
        assert result.parts[factor].value == pytest.approx(expected, abs=1e-9)
    assert sum(part.value for part in result.parts.values()) == pytest.approx(result.gap.value, abs=1e-9)


def test_the_sentence_says_the_numbers():
    gains = {"width": 0.015, "recipe": 0.05, "framework": 0.001}
    errors = {}
    for hidden, recipe, contender in CELLS:
        accuracy = 0.91 + gains["width"] * (hidden == WIDTHS[1]) + gains["recipe"] * (recipe == RECIPES[1])
        accuracy += gains["framework"] * (contender == "theirs")
        errors[hidden, recipe, contender] = [1 - accuracy - 0.001, 1 - accuracy + 0.001]
    sentence = decompose(trainings_of(errors), "ours", "theirs").sentence()
    for text in ("6.60 points", "width +1.50 [", "recipe +5.00 [", "framework +0.10 ["):
        assert text in sentence
