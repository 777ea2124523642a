"""PyTorch's contenders. These tests are skipped without PyTorch, which `.[test]` does not install."""

from contextlib import closing

import numpy as np
import pytest

from nnkernels import contenders
from nnkernels.data import LabelledImages
from nnkernels.errors import DataError
from nnkernels.measure.correctness import gate
from nnkernels.parameters import initial_parameters, max_abs_difference
from nnkernels.recipes import Optimizer, Recipe, benchmark_recipe

NAMES = ("torch-eager", "torch-compile")
RECIPE = Recipe("test", hidden=8)

pytestmark = pytest.mark.skipif(
    not contenders.is_installed("torch-eager"), reason="torch is not installed: pip install 'nnkernels[torch]'"
)


@pytest.fixture(params=NAMES)
def contender(request):
    """Each of PyTorch's contenders in turn, in a separate process."""
    with closing(contenders.create_anywhere(request.param)) as made:
        yield made


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("schedule", ["constant", "linear"])
def test_contender_passes_gate_with_every_recipe(contender, optimizer, schedule, small_digits):
    recipe = benchmark_recipe(Optimizer(optimizer)).with_changes(schedule=schedule)
    assert gate.require("torch-eager", contender, small_digits, recipe).passed


def test_training_in_parts_agrees_with_numpy(contender, small_digits):
    data = LabelledImages(small_digits.X_train[:112], small_digits.y_train[:112])
    recipe = RECIPE.with_changes(optimizer=Optimizer("adam"), learning_rate=0.01, schedule="linear")
    order, rates, start = np.arange(112)[::-1], recipe.learning_rates(0, 112), initial_parameters(2, hidden=8)
    found = []
    for trained in (contender, contenders.create("numpy")):
        trained.prepare(start, data, recipe)
        trained.advance(order[:64], rates[:2])
        trained.advance(order[64:], rates[2:])
        trained.advance(order[:0], rates[:0])
        found.append(trained.parameters())
    assert max_abs_difference(*found) <= 2e-6
    assert max_abs_difference(found[0], start) > 1e-3
    probs = contender.predict(data.X[:5])
    np.testing.assert_allclose(contender.predict(data.X[:5] / np.float32(255)), probs, rtol=0, atol=1e-6)


def test_threads_are_set_and_read_back(contender):
    contender.use_threads(1)
    contender.use_threads(1)


def test_label_out_of_range_is_rejected(contender, small_digits):
    beyond = LabelledImages(small_digits.X_train[:3], np.array([1, 2, 10]))
    with pytest.raises(DataError, match="a label is 10; the network has 10 classes"):
        contender.prepare(initial_parameters(0), beyond, RECIPE)
