"""A backend's training entry gives the same parameters as its functions called one by one."""

import numpy as np
import pytest

from nnkernels.kernels.contract import initial_state, update_rule
from nnkernels.kernels.stepwise import train_stepwise_inplace, training_entry
from nnkernels.parameters import Parameters, copy, initial_parameters
from nnkernels.recipes import Optimizer
from nnkernels.transforms import as_features, feature_scale
from tests.backends import update_inplace

IMAGES, PIXELS, HIDDEN, CLASSES = (
    101,
    30,
    20,
    10,
)  # as in most tests, so that nothing is compiled for these alone
BATCH_SIZE = 16  # six full batches and one of five images
# Seven float32 steps, whose sums may be in another order. Omitting an image changes a weight by 1e-3.
TOLERANCE = 2e-6

OPTIMIZERS = {
    "sgd": (Optimizer("sgd"), 0.1),
    "momentum": (Optimizer("momentum", momentum=0.8), 0.02),
    "adam": (Optimizer("adam", beta_1=0.8, beta_2=0.99, epsilon=1e-6), 0.002),
}


@pytest.fixture
def start():
    return initial_parameters(5, PIXELS, HIDDEN, CLASSES)


@pytest.fixture(params=["bytes", "floats"])
def problem(request):
    """Images, labels and an order that leaves some images out and repeats none."""
    rng = np.random.default_rng(6)
    X = rng.integers(0, 256, (IMAGES + 20, PIXELS), np.uint8)
    if request.param == "floats":
        X = as_features(X)
    X.flags.writeable = False  # as contenders pass them: Numba would compile again for writable ones
    return X, rng.integers(0, CLASSES, len(X)), rng.permutation(len(X))[:IMAGES]


def learning_rates_of(first):
    """Return one learning rate per batch, all different."""
    return (first * np.linspace(1, 0.5, -(-IMAGES // BATCH_SIZE))).astype(np.float32)


def train_by_hand(backend, params, state, X, y, order, learning_rates, rule):
    """Train in the most obvious way: index, scale, forward, backward, update."""
    features = as_features(X)
    for batch, learning_rate in enumerate(learning_rates.tolist()):
        rows = order[batch * BATCH_SIZE : (batch + 1) * BATCH_SIZE]
        activations = backend.forward(params, features[rows])
        grads = backend.backward(params, features[rows], y[rows], activations)
        update_inplace(backend, rule, params, grads, state, learning_rate)


def assert_same_training(params, state, expected_params, expected_state):
    for name, actual, expected in zip(Parameters._fields, params, expected_params, strict=True):
        assert actual.dtype == np.float32
        np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE, err_msg=name)
    for moments, expected_moments in ((state.first, expected_state.first), (state.second, expected_state.second)):
        for actual, expected in zip(moments, expected_moments, strict=True):
            np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE)
    assert state.step.tolist() == expected_state.step.tolist()


def entries(backend):
    """Return the entry that contenders use, and the composition for all backends."""

    def composed(*arguments):
        train_stepwise_inplace(backend, *arguments)

    return {"training_entry": training_entry(backend), "train_stepwise_inplace": composed}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("entry", ["training_entry", "train_stepwise_inplace"])
def test_entry_equals_the_functions_called_one_by_one(backend, entry, optimizer, problem, start):
    X, y, order = problem
    rule, first_rate = OPTIMIZERS[optimizer]
    learning_rates = learning_rates_of(first_rate)
    expected, expected_state = copy(start), initial_state(start)
    train_by_hand(backend, expected, expected_state, X, y, order, learning_rates, rule)

    params, state = copy(start), initial_state(start)
    entries(backend)[entry](params, state, X, y, order, learning_rates, BATCH_SIZE, feature_scale(X), update_rule(rule))
    assert_same_training(params, state, expected, expected_state)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_in_two_calls_equals_one_call(backend, optimizer, problem, start):
    # The state carries momentum, moments and Adam's step count from one call to the next.
    X, y, order = problem
    rule, first_rate = OPTIMIZERS[optimizer]
    learning_rates = learning_rates_of(first_rate)
    train = training_entry(backend)
    scale, code = feature_scale(X), update_rule(rule)
    whole, whole_state = copy(start), initial_state(start)
    train(whole, whole_state, X, y, order, learning_rates, BATCH_SIZE, scale, code)

    parts, state = copy(start), initial_state(start)
    cut = 3
    train(parts, state, X, y, order[: cut * BATCH_SIZE], learning_rates[:cut], BATCH_SIZE, scale, code)
    train(parts, state, X, y, order[cut * BATCH_SIZE :], learning_rates[cut:], BATCH_SIZE, scale, code)
    assert_same_training(parts, state, whole, whole_state)


def test_entry_accepts_read_only_images_and_changes_only_parameters_and_state(backend, problem, start):
    X, y, order = problem
    learning_rates = learning_rates_of(0.1)
    given = (X, y, order, learning_rates)
    before = [array.copy() for array in given]
    X.flags.writeable = False
    params, state = copy(start), initial_state(start)
    training_entry(backend)(
        params, state, X, y, order, learning_rates, BATCH_SIZE, feature_scale(X), update_rule(Optimizer())
    )
    for array, old in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, old)
    assert not np.array_equal(params.W1, start.W1)


def test_gradient_of_short_last_batch_is_divided_by_its_length(backend, start):
    # One image in a batch made for sixteen: the step is that of a batch of one.
    rng = np.random.default_rng(8)
    X, y = rng.integers(0, 256, (3, PIXELS), np.uint8), np.array([0, 1, 2])
    X.flags.writeable = False  # as contenders give it: nothing is compiled for this test alone
    order, rates = np.array([2]), np.array([0.1], np.float32)
    results = []
    for batch_size in (BATCH_SIZE, 1):
        params = copy(start)
        training_entry(backend)(
            params, initial_state(start), X, y, order, rates, batch_size, feature_scale(X), update_rule(Optimizer())
        )
        results.append(params)
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=TOLERANCE)


def test_empty_order_changes_nothing(backend, problem, start):
    X, y, order = problem
    params, state = copy(start), initial_state(start)
    training_entry(backend)(
        params, state, X, y, order[:0], np.zeros(0, np.float32), BATCH_SIZE, feature_scale(X), update_rule(Optimizer())
    )
    for actual, expected in zip(params, start, strict=True):
        np.testing.assert_array_equal(actual, expected)
    assert state.step.tolist() == [0]
