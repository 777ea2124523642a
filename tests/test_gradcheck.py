"""Gradcheck: correct backward passes pass; planted mistakes are found, and none is named for another."""

import copy
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnkernels.errors import ConfigurationError, UnknownNameError
from nnkernels.grading import GradcheckError, check, check_softmax, check_update, gradcheck
from nnkernels.grading.mistakes import load_exercise
from nnkernels.grading.networks import ProblemSizes, draw_problem
from nnkernels.kernels import Activations, numpy_kernels
from nnkernels.parameters import Parameters
from nnkernels.recipes import Optimizer
from tests.backends import distinct_backend  # noqa: F401  (the fixture `backend`)

ALL = ("dW1", "db1", "dW2", "db2")
HIDDEN = ("dW1", "db1")
BIASES, WEIGHTS = ("db1", "db2"), ("dW1", "dW2")
SMOOTH_PROBLEMS = {}


@pytest.fixture(autouse=True)
def cache_numerical_gradients(monkeypatch):
    """Cache the numerical gradients of our own forward pass and loss: nearly all tests need the same ones."""
    take = check.smooth_problem

    def taken(functions, sizes, seed):
        if (functions.forward, functions.loss) != (numpy_kernels.forward, numpy_kernels.loss):
            return take(functions, sizes, seed)
        if (sizes, seed) not in SMOOTH_PROBLEMS:
            SMOOTH_PROBLEMS[sizes, seed] = take(functions, sizes, seed)
        return copy.deepcopy(SMOOTH_PROBLEMS[sizes, seed])  # a backward pass may change its arguments

    monkeypatch.setattr(check, "smooth_problem", taken)


def backward_with(
    *,
    dlogits=lambda probs, Y, logits: (probs - Y) / len(Y),
    dA1=lambda dlogits, W2: dlogits @ W2.T,
    dZ1=lambda dA1, Z1, A1: dA1 * (Z1 > 0),
    dW1=lambda X, dZ1: X.T @ dZ1,
    dW2=lambda A1, Z1, dlogits: A1.T @ dlogits,
    db1=lambda dZ1: dZ1.sum(axis=0),
    db2=lambda dlogits: dlogits.sum(axis=0),
    result=Parameters,
):
    """Return a correct backward pass with some steps replaced."""

    def backward(params, X, y, activations):
        Z1, A1, logits, probs = activations
        Y = np.eye(len(params.b2))[y]
        at_logits = dlogits(probs, Y, logits)
        at_hidden = dZ1(dA1(at_logits, params.W2), Z1, A1)
        return result(dW1(X, at_hidden), db1(at_hidden), dW2(A1, Z1, at_logits), db2(at_logits))

    return backward


def through_jacobian(probs, Y, logits):
    jacobians = np.stack([np.diag(row) - np.outer(row, row) for row in probs])
    return np.einsum("ncd,nd->nc", jacobians, (probs - Y) / len(Y))


def one_hot_in_every_row(probs, Y, logits):
    dlogits = probs.copy()
    dlogits[:, Y.argmax(axis=1)] -= 1
    return dlogits / len(Y)


def finding_of(report, mistake):
    (found,) = [finding for finding in report.findings if finding.mistake == mistake]
    return found


# Correct backward passes


def test_every_backend_passes(backend):
    report = gradcheck(backend)
    assert report.passed
    assert report.mistakes == ()
    assert report.diagnosis == ""
    assert [array.name for array in report.arrays] == list(ALL)
    for array in report.arrays:
        assert array.max_relative_error < 1e-9
        assert array.wrong_entries == 0
    report.raise_if_failed()


@settings(max_examples=15)
@given(
    inputs=st.integers(1, 6),
    hidden=st.integers(1, 6),
    classes=st.integers(2, 6),
    images=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_reference_passes_at_any_size(inputs, hidden, classes, images, seed):
    report = gradcheck(
        numpy_kernels, inputs=inputs, hidden=hidden, classes=classes, images=images, seed=seed, tolerance=1e-8
    )
    assert report.passed, str(report)
    assert [array.shape for array in report.arrays] == [(inputs, hidden), (hidden,), (hidden, classes), (classes,)]


def forward_of(function):
    def forward(params, X):
        Z1 = X @ params.W1 + params.b1
        A1 = function(Z1)
        logits = A1 @ params.W2 + params.b2
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return Activations(Z1, A1, logits, exponentials / exponentials.sum(axis=1, keepdims=True))

    return forward


def logistic(Z1):
    return 1 / (1 + np.exp(-Z1))


ACTIVATIONS = {
    "tanh": (np.tanh, lambda dA1, Z1, A1: dA1 * (1 - A1**2)),
    "sigmoid": (logistic, lambda dA1, Z1, A1: dA1 * A1 * (1 - A1)),
    "softplus": (lambda Z1: np.log1p(np.exp(Z1)), lambda dA1, Z1, A1: dA1 * logistic(Z1)),
    "leaky": (lambda Z1: np.where(Z1 > 0, Z1, 0.1 * Z1), lambda dA1, Z1, A1: dA1 * np.where(Z1 > 0, 1, 0.1)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_other_activation_with_its_own_derivative_passes(name):
    function, dZ1 = ACTIVATIONS[name]
    assert gradcheck(backward_with(dZ1=dZ1), forward=forward_of(function)).passed


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_other_activation_with_relu_mask_fails(name):
    report = gradcheck(backward_with(), forward=forward_of(ACTIVATIONS[name][0]))
    assert not report.passed
    assert report.mistakes == ("ReLU mask, but no ReLU",)
    assert report.findings[0].arrays == HIDDEN
    assert [array.name for array in report.arrays if not array.passed] == list(HIDDEN)


@pytest.mark.parametrize("seeds", [range(6), pytest.param(range(6, 20), marks=pytest.mark.slow)])
def test_kinks_away_from_zero_are_avoided(seeds):
    # ReLU6 has a kink at 6. This function has one at 0.3, which only some initial parameters stay clear of.
    def clipped(Z1):
        return np.clip(Z1, 0, 0.3)

    dZ1 = lambda dA1, Z1, A1: dA1 * ((Z1 > 0) & (Z1 < 0.3))  # noqa: E731
    for seed in seeds:
        report = gradcheck(backward_with(dZ1=dZ1), forward=forward_of(clipped), seed=seed)
        assert report.passed, str(report)


def smoothed_loss(logits, y):
    """Cross-entropy with a label smoothing of 0.1."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    targets = 0.9 * np.eye(logits.shape[1])[y] + 0.1 / logits.shape[1]
    return float(-(targets * log_probs).sum(axis=1).mean())


def test_other_loss_passes_only_with_its_own_gradient():
    smoothed = backward_with(dlogits=lambda probs, Y, logits: (probs - 0.9 * Y - 0.1 / Y.shape[1]) / len(Y))
    assert gradcheck(smoothed, loss=smoothed_loss).passed
    report = gradcheck(backward_with(), loss=smoothed_loss)
    assert report.mistakes == ("not recognised",)
    assert report.findings[0].arrays == ALL
    assert "begin with dlogits" in report.diagnosis


def test_missing_factor_of_squared_error_is_named():
    def squared(logits, y):
        return float(((logits - np.eye(logits.shape[1])[y]) ** 2).sum(axis=1).mean())

    assert gradcheck(backward_with(dlogits=lambda p, Y, z: 2 * (z - Y) / len(Y)), loss=squared).passed
    report = gradcheck(backward_with(dlogits=lambda p, Y, z: (z - Y) / len(Y)), loss=squared)
    assert report.mistakes == ("factor 1/2",)
    assert report.findings[0].arrays == ALL


def test_forward_and_loss_of_module_are_used_unless_given():
    module = types.ModuleType("mine_kernels")
    module.forward, module.loss = forward_of(np.tanh), smoothed_loss
    module.backward = backward_with(
        dlogits=lambda probs, Y, logits: (probs - 0.9 * Y - 0.1 / Y.shape[1]) / len(Y),
        dZ1=ACTIVATIONS["tanh"][1],
    )
    assert gradcheck(module).passed
    # Arguments take precedence over the module's functions.
    assert not gradcheck(module, loss=numpy_kernels.loss).passed
    assert not gradcheck(module, forward=numpy_kernels.forward).passed
    # The module's backward pass is checked by the module's own forward pass and loss.
    module.backward = backward_with()
    assert not gradcheck(module).passed


def test_tuple_result_passes_with_note():
    report = gradcheck(backward_with(result=lambda *arrays: arrays))
    assert report.passed
    assert len(report.notes) == 1
    assert "tuple" in report.notes[0]
    assert report.notes[0].split()[0] in str(report)


# Classic mistakes are named, with the arrays that they affect and no others

MISTAKES = {
    "missing 1/N": (backward_with(dlogits=lambda p, Y, z: p - Y), "missing 1/N", ALL),
    "missing 1/N in one layer": (
        backward_with(dW1=lambda X, d: X.T @ d * len(X), db1=lambda d: d.sum(axis=0) * len(d)),
        "missing 1/N",
        HIDDEN,
    ),
    "1/N twice": (backward_with(db1=lambda d: d.mean(axis=0), db2=lambda d: d.mean(axis=0)), "1/N twice", BIASES),
    "mean of all entries": (backward_with(dlogits=lambda p, Y, z: (p - Y) / p.size), "mean over the classes too", ALL),
    "factor 2": (backward_with(dlogits=lambda p, Y, z: 2 * (p - Y) / len(Y)), "factor 2", ALL),
    "wrong sign": (backward_with(dlogits=lambda p, Y, z: (Y - p) / len(Y)), "wrong sign", ALL),
    "wrong sign of one": (backward_with(dW2=lambda A1, Z1, d: -A1.T @ d), "wrong sign", ("dW2",)),
    "softmax twice": (backward_with(dlogits=through_jacobian), "softmax Jacobian twice", ALL),
    "diagonal of softmax twice": (
        backward_with(dlogits=lambda p, Y, z: (p - Y) * p * (1 - p) / len(Y)),
        "softmax Jacobian twice",
        ALL,
    ),
    "softmax left out": (
        backward_with(dlogits=lambda p, Y, z: -Y / p / len(Y)),
        "softmax Jacobian left out",
        ALL,
    ),
    "no one-hot": (backward_with(dlogits=lambda p, Y, z: p / len(Y)), "one-hot labels left out", ALL),
    "whole columns": (backward_with(dlogits=one_hot_in_every_row), "one-hot in every row", ALL),
    "label as a number": (
        backward_with(dlogits=lambda p, Y, z: (p - Y.argmax(axis=1)[:, None]) / len(Y)),
        "labels not one-hot",
        ALL,
    ),
    "logits": (backward_with(dlogits=lambda p, Y, z: (z - Y) / len(Y)), "logits instead of probs", ALL),
    "no mask": (backward_with(dZ1=lambda dA1, Z1, A1: dA1), "no ReLU mask", HIDDEN),
    "mask always open": (backward_with(dZ1=lambda dA1, Z1, A1: dA1 * (A1 >= 0)), "no ReLU mask", HIDDEN),
    "mask the other way": (backward_with(dZ1=lambda dA1, Z1, A1: dA1 * (Z1 <= 0)), "ReLU mask inverted", HIDDEN),
    "ReLU of the gradient": (
        backward_with(dZ1=lambda dA1, Z1, A1: np.maximum(dA1, 0)),
        "ReLU mask of the gradient",
        HIDDEN,
    ),
    "times A1": (backward_with(dZ1=lambda dA1, Z1, A1: dA1 * A1), "multiplied by A1", HIDDEN),
    "times Z1": (backward_with(dZ1=lambda dA1, Z1, A1: dA1 * Z1), "multiplied by Z1", HIDDEN),
    "slope of tanh": (
        backward_with(dZ1=lambda dA1, Z1, A1: dA1 * (1 - A1**2)),
        "derivative of tanh, but no tanh",
        HIDDEN,
    ),
    "slope of sigmoid": (
        backward_with(dZ1=lambda dA1, Z1, A1: dA1 * A1 * (1 - A1)),
        "derivative of the sigmoid, but no sigmoid",
        HIDDEN,
    ),
    "Z1 for A1": (backward_with(dW2=lambda A1, Z1, d: Z1.T @ d), "Z1 instead of A1", ("dW2",)),
    "transposed dW2": (backward_with(dW2=lambda A1, Z1, d: d.T @ A1), "result transposed", ("dW2",)),
    "transposed dW1": (backward_with(dW1=lambda X, d: d.T @ X), "result transposed", ("dW1",)),
    "no sum of biases": (backward_with(db1=lambda d: d, db2=lambda d: d), "bias not summed", BIASES),
    "no sum of one bias": (backward_with(db1=lambda d: d), "bias not summed", ("db1",)),
    "sum over axis 1": (backward_with(db2=lambda d: d.sum(axis=1)), "bias summed over the wrong axis", ("db2",)),
    "sum of everything": (
        backward_with(db1=lambda d: d.sum(), db2=lambda d: d.sum()),
        "bias summed over everything",
        BIASES,
    ),
    "keepdims": (
        backward_with(db1=lambda d: d.sum(axis=0, keepdims=True)),
        "bias with an extra axis",
        ("db1",),
    ),
    "outer products": (
        backward_with(dW2=lambda A1, Z1, d: A1[:, :, None] * d[:, None, :]),
        "images not summed",
        ("dW2",),
    ),
    "last image": (backward_with(dW1=lambda X, d: np.outer(X[-1], d[-1])), "last image only", ("dW1",)),
    "first image": (backward_with(db2=lambda d: d[0]), "first image only", ("db2",)),
    "zeros": (backward_with(dW1=lambda X, d: np.zeros((X.shape[1], d.shape[1]))), "all zero", ("dW1",)),
    "fixed divisor": (
        backward_with(dlogits=lambda p, Y, z: (p - Y) / 32),
        "divided by a fixed number",
        None,
    ),
    "some factor": (backward_with(dW2=lambda A1, Z1, d: 0.7 * A1.T @ d), "constant factor", ("dW2",)),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_classic_mistake_is_named(case):
    backward, mistake, arrays = MISTAKES[case]
    report = gradcheck(backward)
    assert not report.passed
    assert set(report.mistakes) == {mistake}
    assert mistake in str(report)
    if arrays is not None:
        assert report.findings[0].arrays == arrays
        assert tuple(array.name for array in report.arrays if not array.passed) == arrays
    with pytest.raises(GradcheckError, match=mistake):
        report.raise_if_failed()


# These raise an error if the sizes differ, and give a wrong result if they are equal.
TRANSPOSES = {
    "A1": (backward_with(dW2=lambda A1, Z1, d: A1 @ d), ("dW2",), "dW2 = A1.T @ dlogits"),
    "W2": (backward_with(dA1=lambda d, W2: d @ W2), HIDDEN, "dA1 = dlogits @ W2.T"),
    "X": (backward_with(dW1=lambda X, d: X @ d), ("dW1",), "dW1 = X.T @ dZ1"),
}


@pytest.mark.parametrize("which", TRANSPOSES)
def test_missing_transpose_is_named_if_sizes_differ(which):
    backward, arrays, right = TRANSPOSES[which]
    report = gradcheck(backward)
    assert report.mistakes == ("raises an error", "missing transpose")
    assert finding_of(report, "missing transpose").arrays == arrays
    assert finding_of(report, "missing transpose").right == right
    assert tuple(array.name for array in report.arrays if not array.passed) == arrays
    with pytest.raises(GradcheckError, match="missing transpose") as caught:
        report.raise_if_failed()
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("which", TRANSPOSES)
def test_missing_transpose_is_named_if_sizes_are_equal(which):
    backward, arrays, _right = TRANSPOSES[which]
    report = gradcheck(backward, inputs=6, hidden=6, classes=6, images=6)
    assert "missing transpose" in report.mistakes
    assert finding_of(report, "missing transpose").arrays == arrays


def test_all_missing_transposes_are_named():
    report = gradcheck(backward_with(dW1=lambda X, d: X @ d, dA1=lambda d, W2: d @ W2, dW2=lambda A1, Z1, d: A1 @ d))
    assert report.mistakes == ("raises an error", *["missing transpose"] * 3)
    assert {finding.right for finding in report.findings[1:]} == {right for _b, _a, right in TRANSPOSES.values()}


def test_each_of_several_mistakes_is_named():
    report = gradcheck(backward_with(dlogits=lambda p, Y, z: p - Y, dZ1=lambda dA1, Z1, A1: dA1, db2=lambda d: d))
    assert set(report.mistakes) == {"missing 1/N", "no ReLU mask", "bias not summed"}
    assert finding_of(report, "missing 1/N").arrays == ALL
    assert finding_of(report, "no ReLU mask").arrays == HIDDEN
    assert finding_of(report, "bias not summed").arrays == ("db2",)


def test_no_correction_is_suggested_if_factor_is_missing_in_some_arrays():
    report = gradcheck(MISTAKES["missing 1/N in one layer"][0])
    assert report.findings[0].right == ""
    assert "look at the code that computes these" in report.findings[0].explanation


def test_weight_decay_is_recognised():
    def decayed(params, X, y, activations):
        grads = numpy_kernels.backward(params, X, y, activations)
        return grads._replace(W1=grads.W1 + 0.01 * params.W1, W2=grads.W2 + 0.01 * params.W2)

    report = gradcheck(decayed)
    assert set(report.mistakes) == {"weight decay that the loss does not have"}
    assert [finding.arrays for finding in report.findings] == [("dW1",), ("dW2",)]
    assert "0.01 times" in report.diagnosis


@pytest.mark.parametrize(
    ("dZ1", "mistake"),
    [
        (lambda dA1, Z1, A1: dA1, "no derivative of the activation"),
        (lambda dA1, Z1, A1: dA1 * (1 - np.tanh(A1) ** 2), "derivative at A1 instead of Z1"),
        (lambda dA1, Z1, A1: dA1 * (1 - Z1**2), "Z1 instead of A1 in the derivative"),
        (lambda dA1, Z1, A1: dA1 * A1 * (1 - A1), "derivative of the sigmoid, but no sigmoid"),
    ],
)
def test_mistakes_in_the_derivative_of_tanh_are_named(dZ1, mistake):
    report = gradcheck(backward_with(dZ1=dZ1), forward=forward_of(np.tanh))
    assert report.mistakes == (mistake,)
    assert report.findings[0].arrays == HIDDEN
    if mistake.startswith("no derivative"):
        assert "(1 - A1**2)" in report.findings[0].right


def test_mistake_in_network_with_other_activation_is_named():
    wrong = backward_with(dlogits=lambda p, Y, z: p - Y, dZ1=ACTIVATIONS["softplus"][1])
    assert gradcheck(wrong, forward=forward_of(ACTIVATIONS["softplus"][0])).mistakes == ("missing 1/N",)


def test_only_constant_factors_are_named_for_other_architecture():
    # A connection from Z1 directly to the first logits changes the gradient of W1.
    def forward(params, X):
        Z1 = X @ params.W1 + params.b1
        A1 = np.tanh(Z1)
        logits = A1 @ params.W2 + params.b2
        logits[:, :3] += Z1[:, :3]
        return Activations(Z1, A1, logits, logits)

    def backward(params, X, y, activations):
        probs = np.exp(activations.logits)
        probs /= probs.sum(axis=1, keepdims=True)
        dlogits = (probs - np.eye(4)[y]) / len(X)
        dZ1 = dlogits @ params.W2.T * (1 - activations.A1**2)
        dZ1[:, :3] += dlogits[:, :3]
        return Parameters(X.T @ dZ1, dZ1.sum(axis=0), activations.A1.T @ dlogits, dlogits.sum(axis=0))

    def masked(params, X, y, activations):
        return numpy_kernels.backward(params, X, y, numpy_kernels.forward(params, X))

    def scaled(params, X, y, activations):
        return Parameters(*(-len(X) * array for array in backward(params, X, y, activations)))

    # The hard-coded 4 would fail at 784-20-10, so only the arrays of the small network are checked.
    assert all(array.passed for array in gradcheck(backward, forward=forward).arrays)
    assert gradcheck(masked, forward=forward).mistakes == ("not recognised",)
    assert set(gradcheck(scaled, forward=forward).mistakes) == {"wrong sign", "missing 1/N"}


def test_ambiguous_mistake_names_both_candidates():
    # The sum of all dlogits is zero with softmax, and with two classes their mean is half of their sum.
    report = gradcheck(backward_with(db2=lambda d: np.full(d.shape[1], d.sum())))
    assert report.mistakes == ("all zero or bias summed over everything",)
    report = gradcheck(backward_with(dlogits=lambda p, Y, z: (p - Y) / p.size), classes=2)
    assert report.mistakes == ("factor 1/2 or mean over the classes too",)
    assert report.findings[0].arrays == ALL


# The catalogues


@pytest.mark.parametrize("name", ["backward", "softmax", "update"])
def test_wrong_lines_of_catalogue_replace_right_lines(name):
    # A line of any other name would never be tried, so its mistake would never be recognised.
    catalogue = load_exercise(name)
    right = [set(lines) for computations in catalogue.right.values() for lines in computations]
    for mistake in catalogue.mistakes:
        assert mistake.explanation
        for form in mistake.forms:
            assert any(set(form) <= lines for lines in right), (mistake.name, set(form))


# No wrong diagnoses

SEEDED = {
    "missing 1/N",
    "wrong sign",
    "softmax twice",
    "no mask",
    "no sum of biases",
    "transposed dW2",
    "whole columns",
    "last image",
    "keepdims",
}


@pytest.mark.parametrize(
    "case",
    # Each of these mistakes is tested at one size above.
    [pytest.param(case, marks=pytest.mark.slow) if number % 3 else case for number, case in enumerate(sorted(SEEDED))],
)
@settings(max_examples=6)
@given(
    inputs=st.integers(2, 7),
    hidden=st.integers(3, 7),
    classes=st.integers(3, 7),
    images=st.integers(3, 7),
    seed=st.integers(0, 9),
)
def test_mistake_is_named_at_any_size(case, inputs, hidden, classes, images, seed):
    backward, mistake, arrays = MISTAKES[case]
    report = gradcheck(backward, inputs=inputs, hidden=hidden, classes=classes, images=images, seed=seed)
    assert report.mistakes == (mistake,), str(report)
    assert report.findings[0].arrays == arrays


def assert_not_recognised(seed, k):
    rng = np.random.default_rng(seed)

    def disturbed(params, X, y, activations):
        arrays = list(numpy_kernels.backward(params, X, y, activations))
        arrays[k] = arrays[k] + rng.normal(scale=0.01, size=arrays[k].shape)
        return Parameters(*arrays)

    report = gradcheck(disturbed, seed=seed % 7)
    assert report.mistakes == ("not recognised",)
    assert report.findings[0].arrays == (ALL[k],)


@settings(max_examples=5)
@given(seed=st.integers(0, 10_000), k=st.integers(0, 3))
def test_random_error_is_not_recognised(seed, k):
    assert_not_recognised(seed, k)


@pytest.mark.slow
@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), k=st.integers(0, 3))
def test_many_random_errors_are_not_recognised(seed, k):
    assert_not_recognised(seed, k)


def test_single_wrong_entry_is_reported_with_both_values():
    def disturbed(params, X, y, activations):
        grads = numpy_kernels.backward(params, X, y, activations)
        grads.W1[4, 2] += 1e-4
        return grads

    report = gradcheck(disturbed)
    dW1 = report.arrays[0]
    assert (dW1.name, dW1.worst_entry, dW1.wrong_entries, dW1.entries) == ("dW1", (4, 2), 1, 35)
    assert dW1.yours - dW1.expected == pytest.approx(1e-4, rel=1e-6)
    assert dW1.max_absolute_error == pytest.approx(1e-4, rel=1e-6)
    assert all(array.passed for array in report.arrays[1:])
    assert f"{dW1.yours:.8g}" in str(report)
    assert f"{dW1.expected:.8g}" in str(report)
    assert "[4, 2]" in str(report)


def test_tolerance_determines_result():
    def disturbed(params, X, y, activations):
        return Parameters(*(1.001 * array for array in numpy_kernels.backward(params, X, y, activations)))

    assert gradcheck(disturbed, tolerance=1e-2).passed
    assert gradcheck(disturbed, tolerance=1e-4).mistakes == ("constant factor",) * 4


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"db2": lambda d: np.tanh(d).sum(axis=0)}, "begin with dlogits"),
        ({"dW2": lambda A1, Z1, d: np.sqrt(A1).T @ d}, "the product that makes dW2"),
        ({"dZ1": lambda dA1, Z1, A1: dA1 * (Z1 > 0.1)}, "between the hidden layer and the output"),
        ({"dW1": lambda X, d: (X**2).T @ d}, "the product that makes dW1"),
    ],
)
def test_unrecognised_mistake_is_located_from_output_backwards(change, hint):
    report = gradcheck(backward_with(**change))
    assert report.mistakes == ("not recognised",)
    assert hint in " ".join(report.diagnosis.split())


def test_mistake_visible_only_with_one_image_is_found():
    def squeezed(params, X, y, activations):
        dlogits = (activations.probs - np.eye(len(params.b2))[y]).squeeze() / len(X)
        return numpy_kernels.backward(params, X, y, activations)._replace(b2=dlogits.sum(axis=0))

    report = gradcheck(squeezed)
    assert not report.passed
    assert [array.name for array in report.arrays if not array.passed] == ["db2"]
    assert report.arrays[3].shape == ()


@pytest.mark.parametrize("images", [1, 6, 32])
@pytest.mark.parametrize("seed", range(5))
def test_relu_inputs_of_problem_are_small_but_nonzero_on_both_sides(images, seed):
    problem = draw_problem(ProblemSizes(784, 20, 10, images), seed)
    Z1 = numpy_kernels.forward(problem.params, problem.X).Z1
    assert np.abs(Z1).min() > 0.015
    assert 0 < Z1[Z1 > 0].min() < 0.025
    assert -0.025 < Z1[Z1 < 0].max() < 0
    if images > 1:
        assert np.all((Z1 > 0).any(axis=0))
        assert np.all((Z1 < 0).any(axis=0))


def test_mistake_visible_only_at_full_size_is_found():
    def capped(params, X, y, activations):
        return numpy_kernels.backward(params, X, y, activations)._replace(
            W1=np.vstack([X[:, :300].T, 0 * X[:, 300:].T])
            @ ((activations.probs - np.eye(len(params.b2))[y]) / len(X) @ params.W2.T * (activations.Z1 > 0))
        )

    report = gradcheck(capped)
    assert all(array.passed for array in report.arrays)
    assert report.mistakes == ("wrong at full size",)
    assert report.findings[0].arrays == ("dW1",)


# Errors, side effects and invalid results of a backward pass


def test_raised_error_is_reported_with_line_and_chained():
    def broken(params, X, y, activations):
        return numpy_kernels.backward(params, X, y, activations[7])  # the line that fails

    report = gradcheck(broken)
    assert report.mistakes == ("raises an error",)
    assert isinstance(report.error, IndexError)
    assert "6 images on a 7-5-4 network" in report.diagnosis
    assert "the line that fails" in " ".join(str(report).split())
    with pytest.raises(GradcheckError) as caught:
        report.raise_if_failed()
    assert caught.value.__cause__ is report.error


def test_error_raised_only_for_one_image_is_reported():
    def broken(params, X, y, activations):
        if len(X) == 1:
            raise ValueError("too few")
        return numpy_kernels.backward(params, X, y, activations)

    report = gradcheck(broken)
    assert report.mistakes == ("raises an error",)
    assert "1 image on a" in report.diagnosis
    assert all(array.passed for array in report.arrays)


def test_hard_coded_size_is_named():
    def fixed(params, X, y, activations):
        dlogits = (activations.probs - np.eye(10)[y]) / len(X)
        return numpy_kernels.backward(params, X, y, activations)._replace(b2=dlogits.sum(axis=0))

    report = gradcheck(fixed)
    assert report.mistakes == ("hard-coded size",)
    assert gradcheck(fixed, classes=10).passed


def test_missing_transpose_beside_correct_gradients_is_named():
    def fixed(params, X, y, activations):
        dlogits = (activations.probs - np.eye(10)[y]) / len(X)
        return numpy_kernels.backward(params, X, y, activations)._replace(W2=activations.A1 @ dlogits)

    report = gradcheck(fixed)
    assert report.mistakes == ("raises an error", "missing transpose")
    assert report.findings[1].arrays == ("dW2",)


def test_confused_sizes_are_named():
    def confused(params, X, y, activations):
        dlogits = (activations.probs - np.eye(len(params.b1))[y]) / len(X)
        return numpy_kernels.backward(params, X, y, activations)._replace(b2=dlogits.sum(axis=0))

    report = gradcheck(confused)
    assert report.mistakes == ("raises an error",)
    assert "are confused" in " ".join(report.diagnosis.split())


def test_interrupts_are_not_swallowed():
    def interrupted(params, X, y, activations):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gradcheck(interrupted)


def with_side_effect(what):
    def backward(params, X, y, activations):
        grads = numpy_kernels.backward(params, X, y, activations)
        what(params, X, y, activations)
        return grads

    return backward


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda params, X, y, a: params.W1.fill(0), "params.W1"),
        (lambda params, X, y, a: params.b2.__isub__(1), "params.b2"),
        (lambda params, X, y, a: X.fill(0), "X"),
        (lambda params, X, y, a: y.fill(0), "y"),
        (lambda params, X, y, a: a.probs.__isub__(1), "activations.probs"),
        (lambda params, X, y, a: a.Z1.__imul__(2), "activations.Z1"),
    ],
)
def test_changed_arguments_are_reported(change, name):
    report = gradcheck(with_side_effect(change))
    assert report.mistakes == ("changes its arguments",)
    assert report.findings[0].arrays == (name,)
    assert f"{name}.copy()" in report.diagnosis
    # The gradients themselves are right, and the report says so.
    assert all(array.passed for array in report.arrays)


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (lambda *arrays: None, "returned None"),
        (lambda *arrays: arrays[:3], "tuple of 3"),
        (lambda *arrays: dict(zip(ALL, arrays, strict=True)), "dict of 4"),
        (lambda *arrays: arrays[0], "ndarray"),
        (lambda W1, b1, W2, b2: Parameters(W1, None, W2, b2), "db1 is None"),
        (lambda W1, b1, W2, b2: Parameters(W1, b1, W2, "right"), "db2 is a str"),
        (lambda W1, b1, W2, b2: Parameters(W1, b1, [[1.0], [1.0, 2.0]], b2), "dW2 is a list"),
        (lambda W1, b1, W2, b2: Parameters(W1 * 1j, b1, W2, b2), "complex128"),
    ],
)
def test_wrong_result_type_is_reported(result, text):
    report = gradcheck(backward_with(result=result))
    assert report.mistakes == ("wrong type",)
    assert text in " ".join(report.diagnosis.split())


def test_findings_are_not_repeated():
    report = gradcheck(backward_with(result=lambda *arrays: None))
    assert len(report.findings) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_wrong_dtype_is_reported(dtype):
    report = gradcheck(backward_with(dW2=lambda A1, Z1, d: (A1.T @ d).astype(dtype)))
    assert "wrong dtype" in report.mistakes
    assert finding_of(report, "wrong dtype").arrays == ("dW2",)
    assert np.dtype(dtype).name in report.diagnosis
    if dtype == np.float32:  # rounding alone is not a wrong value
        assert report.mistakes == ("wrong dtype",)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nonfinite_value_is_reported(value):
    def spoilt(params, X, y, activations):
        grads = numpy_kernels.backward(params, X, y, activations)
        grads.W2[2, 1] = value
        return grads

    report = gradcheck(spoilt)
    assert report.mistakes == ("not finite",)
    assert f"dW2[2, 1] is {value}" in report.diagnosis
    assert report.arrays[2].worst_entry == (2, 1)
    assert not report.arrays[2].passed


def test_wrong_order_is_reported_and_arrays_are_checked_in_right_order():
    report = gradcheck(backward_with(result=lambda W1, b1, W2, b2: Parameters(W1, W2, b1, b2)))
    assert report.mistakes == ("wrong order",)
    assert "(dW1, dW2, db1, db2)" in " ".join(report.diagnosis.split())
    assert all(array.passed for array in report.arrays)


def test_wrong_shape_is_reported():
    report = gradcheck(backward_with(dW1=lambda X, d: np.ones((3, 3))))
    assert report.mistakes == ("wrong shape",)
    assert report.arrays[0].worst_entry is None
    assert report.arrays[0].max_absolute_error == np.inf
    assert "shape (3, 3), expected (7, 5)" in str(report)


# Forward passes and losses that cannot be differentiated


@pytest.mark.parametrize(
    ("forward", "text"),
    [
        (lambda params, X: X @ params.W2, "forward.*6 images.*raised ValueError"),
        (lambda params, X: None, "returned NoneType"),
        (lambda params, X: Activations(X, X, X, X), "shape .6, 7.; expected"),
        (
            lambda params, X: Activations(
                *numpy_kernels.forward(params, X.astype(np.float32))[:2], X[:, :4].astype(np.float32), X
            ),
            "float32",
        ),
        (lambda params, X: numpy_kernels.forward(params, np.multiply(X, 2, out=X)), "changes X"),
    ],
)
def test_forward_that_cannot_be_differentiated_is_rejected(forward, text):
    with pytest.raises(GradcheckError, match=text):
        gradcheck(numpy_kernels.backward, forward=forward)


def test_error_raised_by_forward_is_chained():
    def broken(params, X):
        raise ZeroDivisionError("at home")

    with pytest.raises(GradcheckError, match="at home") as caught:
        gradcheck(numpy_kernels.backward, forward=broken)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (lambda logits, y: 1 / 0, "loss.*ZeroDivisionError"),
        (lambda logits, y: logits.sum(axis=1), "ndarray of shape .6,.*mean over the batch"),
        (lambda logits, y: None, "loss returned NoneType"),
        (lambda logits, y: np.float32(logits.sum()), "float32"),
        (lambda logits, y: float("nan"), "loss is nan"),
        (lambda logits, y: float(np.round(logits.sum(), 4)), "no clear slope"),
        (lambda logits, y: float(np.round(logits.sum(), 1)), "stays exactly the same"),
        (lambda logits, y: 1.0, "stays exactly the same"),
        (lambda logits, y: float(logits.sum() + np.random.default_rng().normal()), "another value"),
        (lambda logits, y: float(np.multiply(logits, 2, out=logits).sum()), "changes logits"),
    ],
)
def test_loss_that_cannot_be_differentiated_is_rejected(loss, text):
    with pytest.raises(GradcheckError, match=text):
        gradcheck(numpy_kernels.backward, loss=loss)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"classes": 1}, "classes is 1"),
        ({"images": 0}, "images is 0"),
        ({"hidden": -2}, "hidden is -2"),
        ({"inputs": 7.5}, "inputs is 7.5; expected an integer"),
        ({"seed": -1}, "seed is -1"),
        ({"tolerance": 0}, "tolerance is 0"),
        ({"tolerance": float("nan")}, "tolerance is nan"),
        ({"forward": 3}, "forward is a int"),
    ],
)
def test_invalid_options_are_rejected(options, text):
    with pytest.raises(ConfigurationError, match=text):
        gradcheck(numpy_kernels.backward, **options)


def test_backward_must_be_callable():
    with pytest.raises(ConfigurationError, match="backward is a str"):
        gradcheck("backward")


def test_report_fits_terminal_and_is_deterministic():
    report = gradcheck(MISTAKES["missing 1/N"][0])
    assert max(map(len, str(report).splitlines())) <= 100
    assert str(report) == str(gradcheck(MISTAKES["missing 1/N"][0]))
    assert str(report).startswith("backward: FAILED")
    assert "right: dlogits = (probs - onehot(y)) / N" in str(report)


# Softmax


def exponentials(logits, maximum):
    return np.exp(logits - maximum)


def row_max(logits):
    return logits.max(axis=1, keepdims=True)


def normalised(values, axis=1, keepdims=True):
    return values / values.sum(axis=axis, keepdims=keepdims)


def right_softmax(logits):
    return normalised(np.exp(logits - row_max(logits)))


def test_correct_softmax_passes(backend):
    def backend_softmax(logits):
        # With zero weights, the logits of an image are b2: so one image per row.
        rows = []
        for row in logits:
            zeros = [np.zeros(shape, logits.dtype) for shape in ((2, 3), (3,), (3, logits.shape[1]))]
            rows.append(backend.forward(Parameters(*zeros, row.copy()), np.zeros((1, 2), logits.dtype)).probs)
        return np.concatenate(rows)

    for softmax in (right_softmax, backend_softmax):
        report = check_softmax(softmax)
        assert report.passed, str(report)
        assert len(report.arrays) == 7


SOFTMAXES = {
    "overflow": lambda z: normalised(np.exp(z)),
    "maximum of the whole array rather than of the row": lambda z: normalised(np.exp(z - z.max())),
    "maximum of the column rather than of the row": lambda z: normalised(np.exp(z - z.max(axis=0))),
    "maximum without keepdims": lambda z: normalised(np.exp(z - z.max(axis=1))),
    "maximum subtracted in the numerator only": lambda z: np.exp(z - row_max(z)) / np.exp(z).sum(axis=1, keepdims=True),
    "normalised over the wrong axis": lambda z: normalised(np.exp(z - row_max(z)), axis=0),
    "normalised over the whole array": lambda z: normalised(np.exp(z - z.max()), axis=None),
    "sum without keepdims": lambda z: normalised(np.exp(z - row_max(z)), keepdims=False),
    "rows do not sum to 1": lambda z: np.exp(z - row_max(z)),
    "logarithm of softmax": lambda z: np.log(right_softmax(z)),
    "sigmoid instead of softmax": lambda z: 1 / (1 + np.exp(-z)),
    "argmax instead of softmax": lambda z: np.eye(z.shape[1], dtype=z.dtype)[z.argmax(axis=1)],
    "exp left out": lambda z: normalised(z),
    "wrong for large logits": lambda z: normalised(np.exp(np.clip(z, -50, 50))),
}


@pytest.mark.parametrize("mistake", SOFTMAXES)
def test_mistake_in_softmax_is_named(mistake):
    report = check_softmax(SOFTMAXES[mistake])
    assert not report.passed
    assert [name for name in report.mistakes if name != "raises an error"] == [mistake]
    with pytest.raises(GradcheckError, match=mistake):
        report.raise_if_failed()


def test_softmax_over_wrong_axis_throughout_is_one_mistake():
    assert check_softmax(lambda z: normalised(np.exp(z - z.max(axis=0)), axis=0)).mistakes == (
        "normalised over the wrong axis",
    )


def test_two_mistakes_in_softmax_are_both_named():
    report = check_softmax(lambda z: normalised(np.exp(z), axis=0))
    assert report.mistakes == ("overflow", "normalised over the wrong axis")


def test_softmax_rows_not_summing_to_1_are_reported():
    report = check_softmax(lambda z: right_softmax(z) * 1.01)
    assert report.mistakes == ("rows do not sum to 1",)
    assert "1.01" in report.diagnosis


def test_softmax_sum_without_keepdims_is_checked_where_shapes_allow():
    report = check_softmax(SOFTMAXES["sum without keepdims"])
    assert isinstance(report.error, ValueError)
    assert [(array.name, array.passed) for array in report.arrays] == [("N = C = 4", False), ("one image", True)]


def test_softmax_of_another_base_is_not_recognised():
    assert check_softmax(lambda z: normalised(2**z)).mistakes == ("not recognised",)
    assert check_softmax(lambda z: right_softmax(z * np.log(2).astype(z.dtype))).mistakes == ("not recognised",)


@pytest.mark.parametrize(
    ("softmax", "mistake"),
    [
        (lambda z: None, "wrong type"),
        (lambda z: right_softmax(z).astype(np.float32), "wrong dtype"),
        (lambda z: right_softmax(z)[:, 1:], "wrong shape"),
        (lambda z: z.nothing, "raises an error"),
    ],
)
def test_invalid_softmax_result_is_reported(softmax, mistake):
    assert check_softmax(softmax).mistakes == (mistake,)


def test_softmax_that_changes_its_argument_is_reported():
    def inplace(logits):
        logits -= row_max(logits)
        return normalised(np.exp(logits))

    report = check_softmax(inplace)
    assert report.mistakes == ("changes its arguments",)
    assert all(array.passed for array in report.arrays)


def test_error_raised_by_softmax_is_chained():
    report = check_softmax(lambda z: z.nothing)
    with pytest.raises(GradcheckError) as caught:
        report.raise_if_failed()
    assert isinstance(caught.value.__cause__, AttributeError)


# Updates


def test_updates_of_every_backend_pass(backend):
    for name in ("sgd", "momentum", "adam"):
        update = getattr(backend, f"{name}_update_inplace")
        for optimizer in (Optimizer(name), Optimizer(name, momentum=0.5, beta_1=0.7, beta_2=0.95, epsilon=1e-3)):
            report = check_update(update, optimizer)
            assert report.passed, str(report)
            assert report.notes == ()
            assert [array.name for array in report.arrays] == [f"{w} after step 6" for w in Parameters._fields]


def test_optimizer_can_be_given_by_name():
    assert check_update(numpy_kernels.adam_update_inplace, "adam").passed
    assert not check_update(numpy_kernels.adam_update_inplace, "sgd").passed
    with pytest.raises(UnknownNameError, match="unknown optimizer 'rprop'"):
        check_update(numpy_kernels.sgd_update_inplace, "rprop")


def test_update_of_another_optimizer_fails():
    assert check_update(numpy_kernels.momentum_update_inplace, Optimizer("momentum", momentum=0.8)).passed

    def sgd(params, grads, state, learning_rate, momentum):
        numpy_kernels.sgd_update_inplace(params, grads, state, learning_rate)

    assert check_update(sgd, Optimizer("momentum")).mistakes == ("velocity not kept",)


def each(body):
    """Return an update that calls ``body(w, g, v or m, v, t, learning_rate, ...)`` for each array."""

    def update(params, grads, state, *rest):
        state.step[0] += 1
        for w, g, first, second in zip(params, grads, state.first, state.second, strict=True):
            body(w, g, first, second, int(state.step[0]), *rest)

    return update


def update_from_source(statements, names="w, g, m, v, t, lr"):
    """Return an update that executes these statements for each array."""
    program = compile(f"def body({names}): {statements}", "<update>", "exec")
    exec(program, namespace := {})
    return each(namespace["body"])


WEIGHTS_ONLY = "w -= lr * g * (w.ndim == 2)"


@pytest.mark.parametrize(
    ("body", "mistakes"),
    [
        ("w = w - lr * g", ("not in place",)),
        ("w += lr * g", ("wrong sign",)),
        ("w -= g", ("no learning rate",)),
        ("w += g", ("wrong sign", "no learning rate")),
        (WEIGHTS_ONLY, ("not updated",)),
        ("w -= lr * g * g", ("not recognised",)),
        ("g *= lr; w -= g", ("changes its arguments",)),
    ],
)
def test_mistake_in_update_is_named(body, mistakes):
    report = check_update(update_from_source(body))
    assert report.mistakes == mistakes
    with pytest.raises(GradcheckError, match=mistakes[0]):
        report.raise_if_failed()


def test_only_arrays_that_are_not_updated_are_named():
    report = check_update(update_from_source(WEIGHTS_ONLY))
    assert report.findings[0].arrays == ("b1", "b2")
    assert [array.passed for array in report.arrays] == [True, False, True, False]


def test_update_that_is_not_in_place_is_reported():
    def returning(params, grads, state, learning_rate):
        return Parameters(*(w - learning_rate * g for w, g in zip(params, grads, strict=True)))

    def assigning(params, grads, state, learning_rate):
        params.W1 = params.W1 - learning_rate * grads.W1

    for update in (returning, assigning):
        assert check_update(update).mistakes == ("not in place",)


def test_update_of_wrong_signature_is_reported_with_expected_call():
    report = check_update(lambda params, grads: None)
    assert report.mistakes == ("raises an error",)
    assert "update(params, grads, state, learning_rate) in step 1 raised TypeError" in report.diagnosis


def test_uncounted_steps_give_note():
    def uncounted(params, grads, state, learning_rate):
        for w, g in zip(params, grads, strict=True):
            w -= learning_rate * g

    report = check_update(uncounted)
    assert report.passed
    assert "state.step is 0" in report.notes[0]


@pytest.mark.parametrize(
    ("body", "mistakes"),
    [
        ("v = rho * v - lr * g; w += v", ("velocity not kept",)),
        ("v -= lr * g; w += v", ("no momentum factor",)),
        ("v *= rho; v -= (1 - rho) * lr * g; w += v", ("gradient damped by 1 - momentum",)),
        ("v *= rho; v += g; w -= lr * v", ("learning rate outside the velocity",)),
        (
            "v *= rho; v += (1 - rho) * g; w -= lr * v",
            ("gradient damped by 1 - momentum", "learning rate outside the velocity"),
        ),
        ("v *= rho; v -= lr * g; w += rho * v - lr * g", ("Nesterov's momentum",)),
        ("w += v; v *= rho; v -= lr * g", ("old velocity",)),
        ("v *= rho; v -= lr * g; w -= v", ("wrong sign",)),
        ("v *= rho; v += lr * g; w -= v", ()),  # a velocity of opposite sign is correct too
    ],
)
def test_mistake_in_momentum_is_named(body, mistakes):
    report = check_update(update_from_source(body, "w, g, v, _, t, lr, rho"), Optimizer("momentum"))
    assert report.mistakes == mistakes
    assert report.passed == (mistakes == ())


def adam_with(
    *,
    m_mean=lambda m, g, beta: beta * m + (1 - beta) * g,
    v_mean=lambda v, g, beta: beta * v + (1 - beta) * g * g,
    keep=True,
    time=lambda t: t,
    m_hat=lambda m, g, beta, t: m / (1 - beta**t),
    v_hat=lambda v, beta, t: v / (1 - beta**t),
    step=lambda m_hat, v_hat, epsilon: m_hat / (np.sqrt(v_hat) + epsilon),
    sign=-1,
    swap=False,
):
    """Return Adam as in the paper's Algorithm 1, with some steps replaced."""

    def body(w, g, m, v, t, lr, beta_1, beta_2, epsilon):
        if swap:
            beta_1, beta_2 = beta_2, beta_1
        new_m, new_v = m_mean(m, g, beta_1), v_mean(v, g, beta_2)
        if keep:
            m[...], v[...] = new_m, new_v
        at = time(t)
        w += sign * lr * step(m_hat(new_m, g, beta_1, at), v_hat(new_v, beta_2, at), epsilon)

    return each(body)


ADAMS = {
    "missing bias correction": adam_with(m_hat=lambda m, g, beta, t: m, v_hat=lambda v, beta, t: v),
    "missing bias correction of m": adam_with(m_hat=lambda m, g, beta, t: m),
    "missing bias correction of v": adam_with(v_hat=lambda v, beta, t: v),
    "step not counted": adam_with(time=lambda t: 1),
    "step counted from 0": adam_with(time=lambda t: t - 1),
    "step counted from 2": adam_with(time=lambda t: t + 1),
    "moments not kept": adam_with(keep=False),
    "gradient without 1 - beta": adam_with(
        m_mean=lambda m, g, beta: beta * m + g, v_mean=lambda v, g, beta: beta * v + g * g
    ),
    "gradient instead of m": adam_with(m_hat=lambda m, g, beta, t: g),
    "beta_1 and beta_2 exchanged": adam_with(swap=True),
    "no square root": adam_with(step=lambda m, v, epsilon: m / (v + epsilon)),
    "no epsilon": adam_with(step=lambda m, v, epsilon: m / np.sqrt(v)),
    "epsilon inside the root": adam_with(step=lambda m, v, epsilon: m / np.sqrt(v + epsilon)),
    "wrong sign": adam_with(sign=1),
}


@pytest.mark.parametrize("mistake", ADAMS)
def test_mistake_in_adam_is_named(mistake):
    report = check_update(ADAMS[mistake], Optimizer("adam"))
    assert not report.passed
    assert report.mistakes == (mistake,)


def test_two_mistakes_in_adam_are_both_named():
    update = adam_with(time=lambda t: 1, step=lambda m, v, epsilon: m / (v + epsilon))
    assert check_update(update, Optimizer("adam")).mistakes == ("step not counted", "no square root")


def test_adam_without_epsilon_gives_nan_for_zero_gradient():
    W1 = check_update(ADAMS["no epsilon"], Optimizer("adam")).arrays[0]
    assert W1.worst_entry[0] == 0
    assert np.isnan(W1.yours)


def test_adam_of_algorithm_1_passes_with_note():
    report = check_update(adam_with(), Optimizer("adam"))
    assert report.passed
    assert "Algorithm 1" in report.notes[0]


def test_zero_division_from_step_counted_from_0_is_named():
    def from_zero(params, grads, state, learning_rate, beta_1, beta_2, epsilon):
        return 1 / (1 - beta_1 ** int(state.step[0]))

    report = check_update(from_zero, Optimizer("adam"))
    assert report.mistakes == ("step counted from 0",)
    assert isinstance(report.error, ZeroDivisionError)
