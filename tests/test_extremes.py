"""The table of extreme inputs is correct, and the checks that use it distinguish correct kernels from wrong ones."""

from types import SimpleNamespace

import numpy as np
import pytest

from nnkernels import kernels
from nnkernels.contenders.ours import KernelContender
from nnkernels.errors import GateError
from nnkernels.kernels import numpy_kernels
from nnkernels.kernels.contract import FUNCTIONS
from nnkernels.measure.correctness.composed import require_functions
from nnkernels.measure.correctness.contender_extremes import first_wrong_answer
from nnkernels.measure.correctness.extremes import (
    ROWS,
    blank_parameters,
    is_close,
    one_pixel_images,
    one_row_per_unit,
    padded,
    worst,
)
from nnkernels.measure.correctness.oracle import (
    backward_float64,
    forward_float64,
    loss_float64,
    predict_float64,
)
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.recipes import Optimizer, benchmark_recipe
from tests import reference
from tests.backends import distinct_backend  # noqa: F401  (the fixture `backend`)

OPTIMIZERS = ("sgd", "momentum", "adam")


@pytest.mark.parametrize("case", ROWS)
def test_rows_match_scalar_reference(case):
    row = ROWS[case]
    np.testing.assert_allclose(row.probs, reference.softmax(row.logits), rtol=1e-14)
    losses = [reference.loss([row.logits], [true_class]) for true_class in range(len(row.logits))]
    np.testing.assert_allclose(row.losses, losses, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("case", ROWS)
def test_oracle_predicts_the_rows(case):
    row = ROWS[case]
    params = blank_parameters(1, 1, len(row.logits))._replace(b2=np.array(row.logits))
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(predict_float64(params, np.zeros((1, 1)))[0], row.probs, rtol=1e-14)


@pytest.mark.parametrize("case", ROWS)
def test_padded_row_matches_scalar_softmax(case):
    logits, probs = padded(ROWS[case], 5)
    assert len(logits) == len(probs) == 5
    np.testing.assert_allclose(probs, reference.softmax(logits), rtol=1e-14)


def test_one_pixel_image_has_the_logits_of_its_row():
    rows = [[1e4, -1e4, 0.0], [10001.0, 10000.0, -1e4]]
    params = one_row_per_unit(rows, 7, 4)
    logits = numpy_kernels.forward(params, one_pixel_images(2, 7) * np.float32(1 / 255)).logits
    np.testing.assert_array_equal(logits, [*rows, [0, 0, 0]])


def test_oracle_matches_scalar_reference():
    rng = np.random.default_rng(2)
    params = Parameters(*(rng.normal(size=shape) for shape in ((5, 4), (4,), (4, 3), (3,))))
    X, y = rng.normal(size=(6, 5)), rng.integers(0, 3, 6)
    lists = tuple(array.tolist() for array in params)
    expected = reference.forward(lists, X.tolist())
    for found, wanted in zip(forward_float64(params, X), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-13)
    assert loss_float64(params, X, y) == pytest.approx(reference.loss(expected[2], y.tolist()), rel=1e-13)
    for found, wanted in zip(backward_float64(params, X, y), reference.backward(lists, X.tolist(), y), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-13)


def test_is_close_and_worst_compare_numbers_and_nans():
    assert is_close([1.0, np.nan, np.inf], [1.0 + 1e-7, np.nan, np.inf])
    assert not is_close([1.0, 0.0], [1.0, np.nan])
    assert not is_close([1.0, np.nan], [1.0, 0.0])
    assert not is_close([1.0], [1.0, 1.0])
    assert not is_close([0.0], [1e-30])  # small probabilities are compared as well
    assert worst([1.0, 2.0, 3.0], [1.0, 2.5, 3.1]) == "2, expected 2.5"
    assert worst([1.0, np.nan], [9.0, 0.0]) == "nan, expected 0"


# Contenders


# The fused kernels are compiled for each number of lanes and optimizer. These are the same cases as in test_fused.py.
@pytest.mark.parametrize(
    ("name", "hidden", "classes", "optimizer"),
    [
        *[(name, 20, 10, optimizer) for name in kernels.names() for optimizer in OPTIMIZERS],
        ("fused", 7, 3, "adam"),
        ("fused", 65, 10, "sgd"),
        ("fused_dense", 65, 10, "adam"),
    ],
)
def test_own_backends_pass_every_extreme_input(name, hidden, classes, optimizer):
    recipe = benchmark_recipe(Optimizer(optimizer)).with_changes(hidden=hidden)
    assert first_wrong_answer(KernelContender(name), recipe, 784, classes) == ""


def mutant(**replacements):
    """Return a contender that uses the reference kernels, with some functions replaced."""
    functions = {name: getattr(numpy_kernels, name) for name in FUNCTIONS}
    return KernelContender(SimpleNamespace(**{**functions, **replacements}))


def forward_with(softmax):
    def forward(params, X):
        activations = numpy_kernels.forward(params, X)
        return activations._replace(probs=softmax(activations.logits))

    return forward


def exponentials_by(maximum):
    def softmax(logits):
        if len(logits) == 0:
            return logits.copy()
        exponentials = np.exp(logits - maximum(logits))
        return exponentials / exponentials.sum(axis=1, keepdims=True)

    return forward_with(softmax)


def open_at_zero(params, X, y, activations):
    return numpy_kernels.backward(params, X, y, activations._replace(Z1=activations.Z1 + np.float32(1e-30)))


def nan_ignored(params, X):
    """Treat NaN logits as minus infinity, unless a parameter is not finite."""
    activations = numpy_kernels.forward(params, X)
    if not all(np.isfinite(array).all() for array in params):
        return activations
    # Compute each product separately, because a fused multiply-add would give inf where their sum is inf - inf.
    logits = (activations.A1[:, :, np.newaxis] * params.W2).sum(axis=1) + params.b2
    logits = np.where(np.isnan(logits), np.float32(-np.inf), logits)
    return activations._replace(probs=numpy_kernels._softmax(logits))


def without_nan(function):
    def answer(*arguments):
        return type(result := function(*arguments))(*map(np.nan_to_num, result))

    return answer


# Mutations whose errors do not appear in training on digits.
HIDDEN_BY_ROUNDING = {
    "no maximum": {"forward": exponentials_by(lambda logits: 0)},
    "maximum of the batch": {"forward": exponentials_by(lambda logits: logits.max())},
    "maximum of the first image": {"forward": exponentials_by(lambda logits: logits[:1].max())},
    "maximum at least zero": {"forward": exponentials_by(lambda logits: np.maximum(logits.max(1, keepdims=True), 0))},
    "small probabilities flushed": {
        "forward": forward_with(lambda logits: np.where((p := numpy_kernels._softmax(logits)) < 1e-20, 0, p))
    },
    "NaN hidden in the forward pass": {"forward": without_nan(numpy_kernels.forward)},
    "NaN of a logit ignored": {"forward": nan_ignored},
    "NaN hidden in the backward pass": {"backward": without_nan(numpy_kernels.backward)},
    "ReLU open at zero": {"backward": open_at_zero},
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("mutation", HIDDEN_BY_ROUNDING)
def test_errors_hidden_by_rounding_are_detected(mutation, optimizer):
    recipe = benchmark_recipe(Optimizer(optimizer))
    assert first_wrong_answer(mutant(**HIDDEN_BY_ROUNDING[mutation]), recipe, 784, 10) != ""


def test_message_shows_wrong_answer_and_expected_one():
    found = first_wrong_answer(mutant(**HIDDEN_BY_ROUNDING["no maximum"]), benchmark_recipe(), 784, 10)
    assert found == "logits up to 1e4: a probability of images predicted together is nan, expected 0.5"


class StepsWithoutBatches(KernelContender):
    """Takes a step although there are no batches."""

    def __init__(self):
        super().__init__("numpy")

    def advance(self, order, learning_rates):
        if len(order) == 0:
            self.params.b2[0] += 1
        super().advance(order, learning_rates)


class OneRateForAll(StepsWithoutBatches):
    """Uses the first learning rate of a call for all of its batches."""

    def advance(self, order, learning_rates):
        KernelContender.advance(self, order, np.full_like(learning_rates, learning_rates[:1]))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [(StepsWithoutBatches, "training on no batches changed b2"), (OneRateForAll, "changing learning rates")],
)
def test_wrong_sequences_of_steps_are_detected(wrong, message):
    assert message in first_wrong_answer(wrong(), benchmark_recipe(), 784, 10)


# Functions of a backend


@pytest.fixture(scope="module")
def batch(small_digits):
    return small_digits.X_train[:32] * np.float32(1 / 255), small_digits.y_train[:32].astype(np.int64)


@pytest.mark.parametrize("size", [1, 32, 256])
def test_functions_of_own_backends_pass(backend, size, small_digits):
    X = small_digits.X_train[:size] * np.float32(1 / 255)
    require_functions("sound", backend, X, small_digits.y_train[:size].astype(np.int64))


def wrong_loss(logits, y):
    return numpy_kernels.loss(logits, y) * len(y)


def wrong_update(params, grads, state, learning_rate):
    numpy_kernels.sgd_update_inplace(params, grads, state, -learning_rate)


def wrong_b1(params, X, y, activations):
    grads = numpy_kernels.backward(params, X, y, activations)
    return grads._replace(b1=np.zeros_like(grads.b1))


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"loss": wrong_loss}, "with batch size 32, the loss is"),
        ({"sgd_update_inplace": wrong_update}, "with batch size 32, W1 after one step has"),
        ({"backward": wrong_b1}, "with batch size 32, db1 has"),
        (HIDDEN_BY_ROUNDING["maximum of the batch"], "logits that differ by 2e4 between images"),
        (HIDDEN_BY_ROUNDING["no maximum"], "for logits 'all equal and large', a probability is nan, expected 0.5"),
        (HIDDEN_BY_ROUNDING["NaN hidden in the forward pass"], "a probability is 0, expected nan"),
        (HIDDEN_BY_ROUNDING["NaN hidden in the backward pass"], "expected nan"),
        (HIDDEN_BY_ROUNDING["ReLU open at zero"], "for ReLU inputs of exactly 0, db1 has"),
    ],
)
def test_wrong_function_is_rejected_even_if_training_does_not_use_it(replaced, message, batch):
    functions = {name: getattr(numpy_kernels, name) for name in FUNCTIONS}
    backend = SimpleNamespace(**{**functions, **replaced})
    with pytest.raises(GateError, match="the functions of suspect differ") as caught:
        require_functions("suspect", backend, *batch)
    assert message in str(caught.value)


def test_dropped_bias_is_detected_by_the_check_of_functions(batch):
    # With zero biases, a dropped bias would change nothing.
    def without_bias(params, X):
        return numpy_kernels.forward(params._replace(b1=np.zeros_like(params.b1)), X)

    functions = {name: getattr(numpy_kernels, name) for name in FUNCTIONS}
    with pytest.raises(GateError, match="with batch size 32, Z1 has"):
        require_functions("suspect", SimpleNamespace(**{**functions, "forward": without_bias}), *batch)
    assert not initial_parameters(0).b1.any()
