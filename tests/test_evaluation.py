"""The evaluation of parameters on the same images again and again: the kernel, its fallbacks, and who the judge is."""

import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from nnkernels import kernels
from nnkernels.augmentation import Augmentation
from nnkernels.contenders import create
from nnkernels.contenders.ours import KernelContender
from nnkernels.errors import DataError
from nnkernels.evaluation import Evaluator, evaluate
from nnkernels.kernels.fused import entries, paths
from nnkernels.kernels.fused.nonzero import pack_nonzero
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.recipes import Recipe
from nnkernels.training import train

FORMS = ("packed", "rows")
# Each pair of numbers of lanes takes two seconds to compile. So several panels, and one vector of classes, are slow.
NETWORKS = [
    (20, 10, "packed"),
    (20, 10, "rows"),
    pytest.param(65, 10, "packed", marks=pytest.mark.slow),
    pytest.param(7, 3, "rows", marks=pytest.mark.slow),
]
HUGE = np.float32(3e38)


def evaluated(params, X, y, form, scale=1.0):
    """Return what the kernel computes, without a fallback."""
    images = pack_nonzero(X) if form == "packed" else X
    found = entries.evaluator(images, y, scale)(params)
    assert found is not None
    return found


def expected(params, X, y):
    """Return the loss and the number of errors, computed by NumPy and SciPy in float64."""
    W1, b1, W2, b2 = (array.astype(np.float64) for array in params)
    with np.errstate(over="ignore", invalid="ignore"):
        logits = np.maximum(X.astype(np.float64) @ W1 + b1, 0) @ W2 + b2
    losses = logsumexp(logits, axis=1) - logits[np.arange(len(y)), y]
    return losses.mean(), np.count_nonzero(logits.argmax(axis=1) != y)


def trained_on_noise(rng, inputs, hidden, classes):
    """Return parameters whose losses are from about 0 to 10."""
    start = initial_parameters(int(rng.integers(2**31)), inputs, hidden, classes)
    return Parameters(
        *(array * np.float32(3) + np.float32(0.1) * rng.normal(size=array.shape).astype(np.float32) for array in start)
    )


@pytest.mark.parametrize(("hidden", "classes", "form"), NETWORKS)
def test_kernel_equals_float64(small_digits, hidden, classes, form):
    rng = np.random.default_rng(hidden)
    X, y = small_digits.X_train[:501], rng.integers(0, classes, 501)
    params = trained_on_noise(rng, X.shape[1], hidden, classes)
    loss, errors = evaluated(params, X, y, form, 1 / 255)
    wanted = expected(params, X / 255, y)
    assert loss == pytest.approx(wanted[0], rel=1e-6)
    assert errors == wanted[1]


@settings(max_examples=10, deadline=None)
@given(
    st.integers(1, 200),
    st.integers(1, 40),
    st.integers(17, 24),
    st.integers(9, 16),
    st.sampled_from(FORMS),
    st.integers(0, 99),
)
def test_kernel_equals_scikit_learn_for_any_shape(images, inputs, hidden, classes, form, seed):
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    X, y = rng.integers(0, 256, (images, inputs), np.uint8), rng.integers(0, classes, images)
    X[rng.random(X.shape) < 0.5] = 0
    params = trained_on_noise(rng, inputs, hidden, classes)
    W1, b1, W2, b2 = (array.astype(np.float64) for array in params)
    logits = np.maximum(X / 255 @ W1 + b1, 0) @ W2 + b2
    probs = np.exp(logits - logsumexp(logits, axis=1, keepdims=True))
    loss, errors = evaluated(params, X, y, form, 1 / 255)
    assert loss == pytest.approx(metrics.log_loss(y, probs, labels=range(classes)), rel=1e-5)
    assert errors == np.count_nonzero(probs.argmax(axis=1) != y)


def network_with_logits(terms):
    """Return finite parameters that compute, from a feature of 10, ten times the sum of each class's terms."""
    W1, W2 = np.zeros((1, 20), np.float32), np.zeros((20, 10), np.float32)
    for c, summands in enumerate(terms):
        W2[: len(summands), c] = summands
    W1[0, : max(map(len, terms))] = 1
    return Parameters(W1, np.zeros(20, np.float32), W2, np.zeros(10, np.float32))


EXTREMES = {
    "all equal": [[1.0]] * 10,
    "two highest": [[0.0], [3.0], [1.0], [3.0], *[[0.0]] * 6],
    "far apart": [[-1e29], [1e29], *[[0.0]] * 8],
    "overflowing difference": [[-3e37], [3e37], *[[0.0]] * 8],
    "+inf": [[1.0], [HUGE], *[[0.0]] * 8],
    "-inf": [[1.0], [-HUGE], *[[0.0]] * 8],
    "all -inf": [[-HUGE]] * 10,
    "NaN": [[1.0], [0.0], [HUGE, -HUGE], [2.0], *[[0.0]] * 6],
    "NaN twice and +inf": [[HUGE], [0.0], [HUGE, -HUGE], [HUGE, -HUGE], *[[0.0]] * 6],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", EXTREMES)
def test_extreme_logits_are_judged_as_by_the_reference(case, form):
    params, reference = network_with_logits(EXTREMES[case]), kernels.load("numpy")
    pixel, scale = np.ones((1, 1), np.uint8), 10.0
    with np.errstate(over="ignore", invalid="ignore"):
        logits = reference.forward(params, pixel * np.float32(scale)).logits
        losses = [reference.loss(logits, [true_class]) for true_class in range(10)]
    found = [evaluated(params, pixel, np.array([true_class]), form, scale) for true_class in range(10)]
    # The reference adds the exponentials in float32, next to 1.
    assert [loss for loss, _errors in found] == pytest.approx(losses, rel=1e-6, abs=2e-7, nan_ok=True)
    assert [errors for _loss, errors in found] == [int(np.argmax(logits) != true_class) for true_class in range(10)]
    if "inf" in case or "NaN" in case:
        assert not np.isfinite(losses).all()


@pytest.mark.parametrize("gap", [1, 8, 16, 30, 80])
def test_small_losses_are_precise(gap):
    params = network_with_logits([[gap / 10], *[[0.0]] * 9])
    loss, _errors = evaluated(params, np.ones((1, 1), np.uint8), np.zeros(1, np.int64), "rows", 10.0)
    assert loss == pytest.approx(math.log1p(9 * math.exp(-gap)), rel=3e-6, abs=1e-15)


@pytest.mark.parametrize("form", FORMS)
def test_first_of_equal_logits_is_predicted(form):
    # Integers are exact in float32, so logits that are equal in one order of the sums are equal in any order.
    rng = np.random.default_rng(0)
    params = Parameters(*(rng.integers(-1, 2, shape).astype(np.float32) for shape in ((9, 20), 20, (20, 10), 10)))
    X, y = rng.integers(0, 2, (3000, 9)).astype(np.uint8), rng.integers(0, 10, 3000)
    logits = kernels.load("numpy").forward(params, X.astype(np.float32)).logits
    tied = np.count_nonzero(np.sum(logits == logits.max(axis=1, keepdims=True), axis=1) > 1)
    assert tied > 100
    assert evaluated(params, X, y, form)[1] == np.count_nonzero(logits.argmax(axis=1) != y)


@pytest.mark.parametrize("form", FORMS)
def test_result_has_the_same_bits_on_any_number_of_threads(small_digits, form):
    params, X, y = initial_parameters(0), small_digits.X_train[:1100], small_digits.y_train[:1100]
    before, found = numba.get_num_threads(), set()
    try:
        for threads in range(1, min(numba.config.NUMBA_NUM_THREADS, 3) + 1):
            numba.set_num_threads(threads)
            found |= {evaluated(params, X, y, form, 1 / 255) for _ in range(3)}
    finally:
        numba.set_num_threads(before)
    assert len(found) == 1


@pytest.fixture
def not_finite():
    params = initial_parameters(0)
    params.W1[300, 3] = np.nan
    return params


def test_what_the_kernel_does_not_support_is_evaluated_by_the_reference(small_digits, not_finite):
    X, y = small_digits.X_test, small_digits.y_test
    for params in (not_finite, initial_parameters(0, dtype=np.float64), initial_parameters(0, 784, 20, 65)):
        found = Evaluator(X, y)(params)
        assert str(found) == str(evaluate(params, X, y))  # NaN equals itself as text
    features = np.asarray(X, np.float64) / 256  # float64
    assert Evaluator(features, y)(initial_parameters(0)) == evaluate(initial_parameters(0), features, y)


def test_evaluator_agrees_with_the_reference_and_is_it_if_asked(small_digits):
    X, y, params = small_digits.X_train, small_digits.y_train, initial_parameters(4)
    by_reference = evaluate(params, X, y)
    loss, error_rate = Evaluator(X, y)(params)
    assert loss == pytest.approx(by_reference[0], rel=1e-6)
    assert error_rate == pytest.approx(by_reference[1], abs=1 / len(X))
    assert Evaluator(X, y, kernels.load("numpy"))(params) == by_reference
    assert Evaluator(X, y, kernels.load("fused_dense"))(params) == pytest.approx(by_reference, rel=1e-6)


def test_evaluator_converts_images_once(small_digits, monkeypatch):
    packed = []
    monkeypatch.setattr(kernels.load("fused"), "pack_images", lambda X: packed.append(X) or pack_nonzero(X))
    evaluator = Evaluator(small_digits.X_test, small_digits.y_test)
    assert not packed
    first, second = (evaluator(initial_parameters(seed)) for seed in (1, 2))
    assert first != second
    assert len(packed) == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_labels_have_any_integer_dtype(small_digits, dtype):
    X, y, params = small_digits.X_test, small_digits.y_test, initial_parameters(4)
    assert Evaluator(X, y.astype(dtype))(params) == Evaluator(X, y.astype(np.int64))(params)


def test_invalid_input_is_rejected_as_by_the_reference(small_digits):
    X, y = small_digits.X_test, small_digits.y_test.astype(np.int64)
    with pytest.raises(DataError, match="no images to evaluate"):
        Evaluator(X[:0], y[:0])
    with pytest.raises(IndexError):  # compiled code would read out of bounds
        Evaluator(X, y + 1)(initial_parameters(0))
    with pytest.raises(ValueError, match="matmul"):
        Evaluator(X[:, :783], y)(initial_parameters(0))


def test_loss_of_diverged_parameters_is_nan(small_digits, not_finite):
    assert math.isnan(Evaluator(small_digits.X_test, small_digits.y_test)(not_finite)[0])


# Who packs the images


@pytest.mark.parametrize(
    ("name", "augmentation", "expected"),
    [
        ("fused", None, 1),  # once for the contender, and the evaluation shares it
        ("numba", None, 1),  # once for the evaluation
        ("fused", Augmentation(shift_pixels=1.0), 4),  # originals for the contender and for the evaluation, two epochs
    ],
)
def test_training_images_are_packed_once(small_digits, monkeypatch, name, augmentation, expected):
    packed, pack = [], pack_nonzero
    monkeypatch.setenv(paths.SETTING, paths.LISTS)
    monkeypatch.setattr(entries, "pack_nonzero", lambda X: packed.append(X) or pack(X))
    recipe = Recipe("two", epochs=2, learning_rate=0.1, augmentation=augmentation)
    contender = create(name)
    history = train(contender, small_digits.training, recipe)
    assert len(packed) == expected
    found = history.epochs[-1]
    wanted = evaluate(contender.parameters(), small_digits.X_train, small_digits.y_train)
    assert found.train_loss == pytest.approx(wanted[0], rel=1e-6)
    assert found.train_error_rate == pytest.approx(wanted[1], abs=1 / len(small_digits.X_train))


def test_every_contender_has_the_same_judge(small_digits):
    class Silent(KernelContender):
        """Does not train, so that all of them end with the same parameters."""

        def advance(self, order, learning_rates):
            pass

    records = [
        train(Silent(name), small_digits.training, Recipe("one", epochs=1, learning_rate=0.1)).epochs[0]
        for name in kernels.names()
    ]
    assert len({(record.train_loss, record.train_error_rate) for record in records}) == 1
