"""The classifier passes scikit-learn's estimator checks with every backend, and behaves as documented beyond them."""

import copy
import pickle
import re
import sys
import warnings
from functools import partial
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnkernels import evaluation, kernels
from nnkernels.contenders.ours import KernelContender
from nnkernels.data import LabelledImages
from nnkernels.data.pixels import UnscaledPixelsWarning, as_features
from nnkernels.errors import ConfigurationError, MissingDependencyError
from nnkernels.history import History
from nnkernels.interchange import Preprocessing
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.recipes import Optimizer, Recipe
from nnkernels.training import batch_order, train
from tests import reference
from tests.array_forms import FEATURES, PIXELS

pytest.importorskip("sklearn")

import joblib
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, make_blobs
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from nnkernels.estimator import HyperParameterError, MLPClassifier, SampleError
from nnkernels.estimator._learning import hold_out

each_backend = pytest.mark.parametrize("backend", kernels.names())
# Each backend and each optimizer.
EACH_ONCE = [*[(name, "adam") for name in kernels.names()], ("numpy", "sgd"), ("numpy", "momentum")]


@parametrize_with_checks([MLPClassifier(backend="numpy")])
def test_scikit_learn_estimator_checks_pass(estimator, check):
    check(estimator)


@pytest.mark.slow  # the same class
@parametrize_with_checks([MLPClassifier(backend=name) for name in ("fused", "numba")])
def test_scikit_learn_estimator_checks_pass_with_other_backends(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def quick(**changes):
    return MLPClassifier(**({"backend": "numpy", "random_state": 0, "epochs": 4} | changes))


def assert_same(left, right):
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other)


def without_seconds(history):
    return [
        (r.epoch, r.train_loss, r.train_error_rate, r.validation_loss, r.validation_error_rate) for r in history.epochs
    ]


# Results of training


@pytest.mark.parametrize(
    ("backend", "schedule"), [*[(name, "linear") for name in kernels.names()], ("numpy", "constant")]
)
def test_fit_equals_the_training_loop_bit_for_bit(backend, schedule, iris):
    X, y = iris
    recipe = Recipe("any", Optimizer("momentum", momentum=0.8), 7, 4, 0.02, schedule, 19)
    contender = KernelContender(backend)
    start = initial_parameters(5, 4, 19, 3)
    history = train(contender, LabelledImages(X.astype(np.float32), y), recipe, seed=5, start=start)
    classifier = MLPClassifier(
        19,
        backend=backend,
        optimizer=recipe.optimizer,
        learning_rate=0.02,
        schedule=schedule,
        batch_size=7,
        epochs=4,
        random_state=5,
    ).fit(X, y)
    assert_same(classifier.params_, contender.parameters())
    assert classifier.history_.recipe.with_changes(name="any") == recipe
    assert [r.train_error_rate for r in classifier.history_.epochs] == [r.train_error_rate for r in history.epochs]


@each_backend
def test_predict_proba_matches_float64_reference(backend, iris):
    X, y = iris
    classifier = quick(backend=backend).fit(X, y)
    found = classifier.predict_proba(X)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, reference.probabilities(classifier.params_, X), rtol=1e-4, atol=1e-7)


def test_predict_proba_evaluates_in_batches(iris, monkeypatch):
    X, y = iris
    classifier = quick(backend="numba").fit(X, y)
    whole, loaded, sizes, backend = classifier.predict_proba(X), [], [], kernels.load("numba")

    class Noting:
        @staticmethod
        def forward(params, part):
            sizes.append(len(part))
            return backend.forward(params, part)

    monkeypatch.setattr(evaluation, "EVALUATION_BATCH", 64)
    monkeypatch.setattr(kernels, "load", lambda name: loaded.append(name) or Noting)
    np.testing.assert_allclose(classifier.predict_proba(X), whole, rtol=1e-5)
    assert (loaded, sizes) == (["numba"], [64, 64, 22])


def test_batch_size_beyond_the_samples_needs_no_extra_memory(iris):
    assert_same(quick(batch_size=10**13).fit(*iris).params_, quick(batch_size=150).fit(*iris).params_)


@each_backend
def test_default_hyper_parameters_learn_thirty_samples(backend):
    X, y = make_blobs(30, random_state=0, cluster_std=0.1)
    X = StandardScaler().fit_transform(X)
    assert [MLPClassifier(backend=backend, random_state=seed).fit(X, y).score(X, y) for seed in range(3)] == [1, 1, 1]


def test_accuracy_on_digits_equals_that_of_scikit_learn_classifier():
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0, stratify=y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it has not converged after 200 epochs
        theirs = TheirClassifier((20,), random_state=0).fit(X_train, y_train).score(X_test, y_test)
    for backend in kernels.names():
        ours = MLPClassifier(backend=backend, random_state=0).fit(X_train, y_train).score(X_test, y_test)
        assert ours == pytest.approx(theirs, abs=0.02), backend
        assert ours > 0.93, backend


def test_fit_learns_mnist_from_scaled_pixels(small_digits):
    classifier = MLPClassifier(random_state=0).fit(small_digits.X_train / 255, small_digits.y_train)
    assert classifier.score(small_digits.X_test / 255, small_digits.y_test) > 0.85


# Inputs


def learnt(X, y):
    """Return the expected parameters and probabilities of `fit` and of `partial_fit` on plain features."""
    classifiers = quick(epochs=2).fit(X, y), quick(epochs=1, schedule="constant").fit(X, y)
    return [(classifier.params_, classifier.predict_proba(X)) for classifier in classifiers]


def assert_learnt_alike(given, y, expected):
    classifiers = quick(epochs=2).fit(given, y), quick(epochs=1, schedule="constant").partial_fit(given, y, range(10))
    for found, (params, probs) in zip(classifiers, expected, strict=True):
        assert_same(found.params_, params)
        np.testing.assert_array_equal(found.predict_proba(given), probs)


@pytest.fixture(scope="module")
def some_features():
    X, y = load_digits(return_X_y=True)
    X, y = X[:200].astype(np.float32), y[:200]
    return X, y, learnt(X, y)


@pytest.fixture(scope="module")
def some_pixels(small_digits):
    X, y = small_digits.X_train[:200], small_digits.y_train[:200]
    return X, y, learnt(as_features(X), y)


@pytest.mark.parametrize("form", [*FEATURES, "object", "list"])
def test_features_in_any_array_form_are_not_scaled(form, tmp_path, some_features):
    X, y, expected = some_features
    others = {"object": lambda X, _folder: X.astype(object), "list": lambda X, _folder: X.tolist()}
    assert_learnt_alike((FEATURES | others)[form](X, tmp_path), y, expected)


@pytest.mark.parametrize("form", PIXELS)
def test_pixels_in_any_array_form_are_scaled(form, tmp_path, some_pixels):
    X, y, expected = some_pixels
    assert_learnt_alike(PIXELS[form](X, tmp_path), y, expected)


def test_pixels_in_data_frame_are_scaled(some_pixels):
    pd = pytest.importorskip("pandas")
    X, y, expected = some_pixels
    assert_learnt_alike(pd.DataFrame(X.astype(np.int64)), y, expected)


def test_floats_that_look_like_pixels_warn_in_fit_and_in_predict(small_digits):
    X, y = small_digits.X_train[:200], small_digits.y_train[:200]
    with pytest.warns(UnscaledPixelsWarning, match="look like pixels"):
        quick(epochs=20).fit(X.astype(float), y)
    classifier = quick().fit(X, y)
    with pytest.warns(UnscaledPixelsWarning, match="look like pixels"):
        classifier.predict(X.astype(float))


def test_integers_outside_the_pixel_range_are_rejected(iris):
    counts = np.arange(600).reshape(150, 4)
    for use in (quick().fit, lambda X, y: quick().fit(*iris).predict(X)):
        with pytest.raises(SampleError, match=r"values from 0 to 599, but integers .* X.astype\(np.float32\)"):
            use(counts, iris[1])


@given(st.permutations(["nought", "one", "two"]))
def test_training_depends_only_on_the_order_of_labels(names):
    X, y = load_iris(return_X_y=True)
    expected = quick(epochs=1).fit(X / 8, np.argsort(np.argsort(names))[y])
    found = quick(epochs=1).fit(X / 8, np.array(names)[y])
    assert found.classes_.tolist() == ["nought", "one", "two"]
    assert_same(found.params_, expected.params_)
    assert found.predict(X / 8).tolist() == [sorted(names)[code] for code in expected.predict(X / 8)]


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [([False, True], bool), ([-3, 7], np.int8), ([1.0, 2.0], float), (["no", "yes"], str), (["no", "yes"], object)],
)
def test_predict_returns_labels_of_the_given_dtype(iris, labels, dtype):
    X, y = iris[0][:100], iris[1][:100]
    given = np.array(labels, dtype)[y]
    classifier = quick(epochs=20).fit(X, given)
    assert classifier.predict(X).dtype == given.dtype
    assert classifier.score(X, given) == 1


def test_fit_accepts_data_frames_and_series(iris):
    pd = pytest.importorskip("pandas")
    X, y = iris
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    for labels in (pd.Series(y).map({0: "x", 1: "y", 2: "z"}), pd.Series(y, dtype="category")):
        classifier = quick().fit(frame, labels)
        assert classifier.feature_names_in_.tolist() == ["a", "b", "c", "d"]
        assert_same(classifier.params_, quick().fit(X, y).params_)
        assert set(classifier.predict(frame)) <= set(labels)


@each_backend
def test_single_class_has_probability_one(backend, iris):
    classifier = quick(backend=backend).fit(iris[0], ["only"] * 150)
    np.testing.assert_array_equal(classifier.predict_proba(iris[0]), np.ones((150, 1)))
    assert set(classifier.predict(iris[0])) == {"only"}


def test_values_too_large_for_float32_are_rejected(iris):
    X, y = iris
    with pytest.raises(ValueError, match="too large for dtype"):
        quick().fit(X * 1e300, y)
    with pytest.raises(ValueError, match="too large for dtype"):
        quick().fit(X, y).predict(X * 1e300)


# Warnings and errors


@pytest.mark.parametrize(("backend", "optimizer"), EACH_ONCE)
def test_diverged_training_and_its_predictions_warn(backend, optimizer, iris):
    X, y = iris
    classifier = quick(backend=backend, optimizer=optimizer)
    with pytest.warns(ConvergenceWarning, match="diverged: its loss after epoch 1 is nan"):
        classifier.fit(X * 1e30, y)
    assert classifier.history_.epochs_done == 1
    with pytest.warns(RuntimeWarning, match="150 of 150 samples have no probabilities"):
        assert np.isnan(classifier.predict_proba(X)).all()
    with pytest.warns(ConvergenceWarning, match="diverged"):
        quick(backend=backend, optimizer=optimizer).partial_fit(X * 1e30, y, classes=[0, 1, 2])


@each_backend
def test_finite_loss_worse_than_guessing_warns(backend, iris):
    X, y = iris
    with pytest.warns(ConvergenceWarning, match="not converged.*scale the features"):
        quick(backend=backend).fit(X * 1e6, y)


def test_pure_noise_does_not_warn():
    rng = np.random.default_rng(0)
    quick(epochs=1).fit(rng.standard_normal((500, 3)), rng.integers(0, 4, 500))  # warnings are errors here


BAD = [
    ("hidden_size", 0),
    ("hidden_size", 2.5),
    ("hidden_size", True),
    ("backend", "fortran"),
    ("backend", None),
    ("optimizer", "rmsprop"),
    ("optimizer", ["adam"]),
    ("learning_rate", 0),
    ("learning_rate", float("nan")),
    ("learning_rate", float("inf")),
    ("learning_rate", "0.1"),
    ("schedule", "step"),
    ("schedule", None),
    ("batch_size", -1),
    ("batch_size", 32.0),
    ("epochs", 0),
    ("random_state", -1),
    ("random_state", "seed"),
    ("validation_fraction", 1),
    ("validation_fraction", -0.1),
    ("validation_fraction", float("nan")),
    ("validation_fraction", None),
    ("callbacks", print),
    ("callbacks", ["print"]),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_fit_rejects_invalid_hyper_parameter_by_name(name, value, iris):
    classifier = quick(**{name: value})  # not checked here, as scikit-learn requires
    for error in (HyperParameterError, ConfigurationError, ValueError):
        with pytest.raises(error, match=rf"{name}.*{value!r}.*expected"):
            classifier.fit(*iris)
    assert not hasattr(classifier, "params_")


@pytest.mark.parametrize("name", ["hidden_size", "batch_size", "epochs", "random_state"])
def test_numpy_integers_are_accepted_as_hyper_parameters(name, iris):
    assert_same(quick(**{name: np.int64(3)}).fit(*iris).params_, quick(**{name: 3}).fit(*iris).params_)


def test_predict_rejects_unknown_backend(iris):
    with pytest.raises(HyperParameterError, match="backend is 'fortran'; expected one of: numpy, "):
        quick().fit(*iris).set_params(backend="fortran").predict(iris[0])


def test_failed_fit_leaves_fitted_state_unchanged(iris):
    X, y = iris
    classifier = quick(warm_start=True).fit(X, y)
    before, history = copy.deepcopy(classifier.params_), copy.deepcopy(classifier.history_)

    def fail(history, contender):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        classifier.set_params(callbacks=[fail]).fit(X, y)
    assert_same(classifier.params_, before)
    # Not ==: it is false for NaN, the loss of a training without validation images, from Python 3.13 on.
    assert repr(classifier.history_) == repr(history)


def test_import_without_scikit_learn_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.delitem(sys.modules, "nnkernels.estimator")
    with pytest.raises(MissingDependencyError, match=r"MLPClassifier needs scikit-learn.*nnkernels\[learn\]"):
        import_module("nnkernels.estimator")


# Randomness


def test_integer_random_state_repeats_and_generator_advances(iris):
    classifier = quick(random_state=3)
    assert_same(classifier.fit(*iris).params_, clone(classifier).fit(*iris).params_)
    assert classifier.history_.seed == 3
    shared = quick(random_state=np.random.RandomState(8))
    first, second = (shared.fit(*iris).history_.seed for _ in range(2))
    assert first != second
    again = quick(random_state=np.random.RandomState(8)).fit(*iris)
    assert again.history_.seed == first


@pytest.mark.parametrize("backend", ["fused", "fused_dense"])
def test_fused_training_is_independent_of_blas_threads(backend, small_digits):
    # As documented. Results of the other backends differ in their last bits for such batches.
    X, y = (small_digits.X_train / 255).astype(np.float32), small_digits.y_train
    classifiers = []
    for threads in (1, 2):
        with threadpool_limits(threads, "blas"):
            made = MLPClassifier(
                backend=backend, optimizer="sgd", learning_rate=0.3, batch_size=1024, epochs=2, random_state=0
            )
            classifiers.append(made.fit(X, y))
    for one, other in zip(classifiers[0].params_, classifiers[1].params_, strict=True):
        np.testing.assert_array_equal(one, other)


def test_random_state_none_uses_numpy_global_generator(iris):
    state = np.random.get_state()  # noqa: NPY002
    try:
        seeds = []
        for global_seed in (1, 1, 2):
            np.random.seed(global_seed)  # noqa: NPY002
            seeds.append(quick(random_state=None).fit(*iris).history_.seed)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    assert seeds[0] == seeds[1] != seeds[2]


# Continued training


@pytest.mark.parametrize(("backend", "optimizer"), EACH_ONCE)
def test_training_in_several_calls_equals_a_single_fit(backend, optimizer, iris):
    X, y = iris
    whole = quick(backend=backend, optimizer=optimizer, epochs=6, schedule="constant").fit(X, y)
    passes = quick(backend=backend, optimizer=optimizer)
    for _ in range(6):
        passes.partial_fit(X, y, classes=[2, 1, 0])
    warm = clone(whole).set_params(warm_start=True, epochs=3).fit(X, y).fit(X, y)
    mixed = clone(whole).set_params(epochs=5).fit(X, y).partial_fit(X, y)
    for classifier in (passes, warm, mixed):
        assert_same(classifier.params_, whole.params_)
        assert_same(classifier.predict_proba(X), whole.predict_proba(X))
        np.testing.assert_array_equal(without_seconds(classifier.history_), without_seconds(whole.history_))
        assert classifier.history_.epochs_done == 6


def test_warm_start_holds_out_the_same_samples(iris):
    whole = quick(validation_fraction=0.2, schedule="constant", epochs=4).fit(*iris)
    warm = clone(whole).set_params(epochs=2, warm_start=True).fit(*iris).fit(*iris)
    assert_same(warm.params_, whole.params_)
    assert without_seconds(warm.history_) == without_seconds(whole.history_)


def test_warm_start_continues_linear_schedule_of_longer_training(iris):
    X, y = iris
    warm = quick(optimizer="sgd", epochs=2, warm_start=True).fit(X, y)
    recipe = Recipe("any", Optimizer("sgd"), 32, 4, 0.005, "linear")
    contender = KernelContender("numpy")
    contender.prepare(warm.params_, LabelledImages(X.astype(np.float32), y), recipe)
    for epoch in (2, 3):
        contender.advance(batch_order(0, epoch, 150), recipe.learning_rates(epoch, 150))
    assert_same(warm.fit(X, y).params_, contender.parameters())


def test_partial_fit_ignores_schedule_and_validation_fraction(iris):
    X, y = iris
    one_pass = quick(schedule="linear", validation_fraction=0.5).partial_fit(X, y, classes=[0, 1, 2])
    assert_same(one_pass.params_, quick(schedule="constant", epochs=1).fit(X, y).params_)


def test_fit_without_warm_start_starts_over(iris):
    X, y = iris
    classifier = quick().fit(X, y).partial_fit(X, y).fit(X[:100, :2], y[:100])
    assert classifier.n_features_in_ == 2
    assert_same(classifier.params_, quick().fit(X[:100, :2], y[:100]).params_)


def test_changed_optimizer_starts_with_initial_state(iris):
    X, y = iris
    classifier = quick(optimizer="momentum", epochs=1).fit(X, y)
    recipe = Recipe("any", Optimizer("adam"), learning_rate=0.01)
    contender = KernelContender("numpy")
    contender.prepare(classifier.params_, LabelledImages(X.astype(np.float32), y), recipe)
    contender.advance(batch_order(0, 1, 150), recipe.learning_rates(1, 150))
    classifier.set_params(optimizer="adam", learning_rate=0.01).partial_fit(X, y)
    assert_same(classifier.params_, contender.parameters())


def test_partial_fit_learns_from_chunks_of_unequal_size(iris):
    X, y = iris
    order = np.random.default_rng(0).permutation(150)
    classifier = quick()
    for _ in range(20):
        for chunk in np.split(order, [3, 40, 90]):
            classifier.partial_fit(X[chunk], y[chunk], classes=[0, 1, 2])
    assert classifier.score(X, y) > 0.9
    assert classifier.history_.epochs_done == 80


@pytest.mark.parametrize("continuation", ["partial_fit", "partial_fit with classes", "warm_start"])
@pytest.mark.parametrize(
    ("learnt", "unseen", "named"),
    [
        (list("123456"), "10", "'10'"),
        (list("abcdef"), "apple", "'apple'"),
        (["yes", "no"], "nothing", "'nothing'"),
        (list(range(5)), 5.0, "5.0"),
        (list("123"), 1, "1"),
        ([1, 2, 3], "1", "'1'"),
        ([False, True], 2, "2"),
        (np.arange(4, dtype=np.uint8), 256, "256"),
        (np.arange(4, dtype=np.int8), -255, "-255"),
        (np.arange(4, dtype=np.uint32), 2**32 + 1, "4294967297"),
        (np.array(["a", "b"], object), "ab", "'ab'"),
    ],
)
def test_unseen_label_is_rejected(learnt, unseen, named, continuation):
    rng = np.random.default_rng(0)
    classes = np.asarray(learnt)
    y = np.tile(classes, 10)
    X = rng.random((len(y), 3))
    classifier = quick(warm_start=True).fit(X, y)
    kept = copy.deepcopy(classifier.params_)
    labels = np.array([unseen] * 10)
    learn = {
        "partial_fit": classifier.partial_fit,
        "partial_fit with classes": partial(classifier.partial_fit, classes=classes),
        "warm_start": classifier.fit,
    }[continuation]
    with pytest.raises(ValueError, match=re.escape(f": {named};")) as caught:
        learn(X[:10], labels)
    assert isinstance(caught.value, SampleError)
    assert_same(classifier.params_, kept)
    assert classifier.classes_.dtype == classes.dtype


def test_first_partial_fit_rejects_labels_outside_given_classes(iris):
    X, y = iris
    classes = np.arange(3, dtype=np.uint8)
    with pytest.raises(SampleError, match="256"):
        quick().partial_fit(X, np.where(y == 0, 256, y), classes)
    with pytest.raises(SampleError, match=r"'12'.*the classes are"):
        quick().partial_fit(X, np.array(["1", "2", "12"])[y], list("123"))


def test_equal_labels_of_other_dtype_are_accepted(iris):
    X, y = iris
    expected = quick(epochs=1, schedule="constant").fit(X, y)
    for form in (np.uint8, np.int64, float, ">i4"):
        assert_same(quick().partial_fit(X, y.astype(form), [0, 1, 2]).params_, expected.params_)
    names = np.array(["a", "b", "cde"])
    assert_same(quick().partial_fit(X, names[y].astype(object), names).params_, expected.params_)


@pytest.mark.parametrize(
    ("further", "message"),
    [
        (lambda fitted, X, y: fitted.fit(X[:, :2], y), "X has 2 features"),
        (lambda fitted, X, y: fitted.fit(X, y + 1), "not among the classes: [23];"),
        (lambda fitted, X, y: fitted.partial_fit(X, y + 1), "not among the classes: [23];"),
        (lambda fitted, X, y: fitted.partial_fit(X, y, classes=[0, 1, 2, 3]), "the training so far has the classes"),
        (lambda fitted, X, y: fitted.set_params(hidden_size=5).fit(X, y), r"hidden_size is 5, but .* 20 hidden units"),
        (lambda fitted, X, y: clone(fitted).partial_fit(X, y), "first call of partial_fit needs classes"),
        (lambda fitted, X, y: clone(fitted).partial_fit(X, y, classes=[]), "first call of partial_fit needs classes"),
        (lambda fitted, X, y: clone(fitted).partial_fit(X, y, classes=[0, 1]), "not among the classes: [23];"),
    ],
)
def test_inconsistent_continuation_is_rejected(further, message, iris):
    classifier = quick(warm_start=True).fit(*iris)
    before = copy.deepcopy(classifier.params_)
    with pytest.raises(ValueError, match=message):
        further(classifier, *iris)
    assert_same(classifier.params_, before)


# Validation and callbacks


@given(st.lists(st.integers(0, 3), min_size=2, max_size=60), st.floats(0.01, 0.99), st.integers(0, 9))
def test_hold_out_is_stratified_and_loses_no_sample(labels, fraction, seed):
    y = np.array(labels)
    X = -np.arange(len(y), dtype=np.float32)[:, np.newaxis]  # negative, so that they do not look like pixels
    learnt, held_out = hold_out(X, y, fraction, seed)
    assert sorted([*-learnt.X.ravel(), *-held_out.X.ravel()]) == list(range(len(y)))
    for part in (learnt, held_out):
        assert len(part.X)
        np.testing.assert_array_equal(y[-part.X.ravel().astype(int)], part.y)
    wanted = fraction * np.bincount(y)
    if 0 < sum(np.round(wanted)) < len(y):
        assert np.abs(np.bincount(held_out.y, minlength=len(wanted)) - wanted).max() <= 0.5


def test_held_out_samples_are_used_only_for_validation(iris):
    X, y = iris
    classifier = quick(validation_fraction=0.2).fit(X, y)
    learnt, held_out = hold_out(X.astype(np.float32), y, 0.2, 0)
    assert np.bincount(held_out.y).tolist() == [10, 10, 10]
    assert_same(classifier.params_, quick().fit(learnt.X, learnt.y).params_)
    assert classifier.history_.images == 120
    last = classifier.history_.epochs[-1]
    assert last.validation_error_rate == pytest.approx(1 - classifier.score(held_out.X, held_out.y))
    assert last.train_error_rate == pytest.approx(1 - classifier.score(learnt.X, learnt.y))


def test_validation_fraction_of_single_sample_is_rejected(iris):
    with pytest.raises(HyperParameterError, match=r"validation_fraction is 0\.1, but one sample"):
        quick(validation_fraction=0.1).fit(iris[0][:1], [0])


def test_callbacks_see_every_epoch_and_can_stop_the_training(iris):
    seen = []

    def note(history, contender):
        seen.append((history.epochs_done, contender.parameters()))

    callbacks = [lambda history, _contender: history.epochs_done == 3, note]
    classifier = quick(callbacks=callbacks, epochs=9, schedule="constant").fit(*iris)
    assert [epochs for epochs, _params in seen] == [1, 2, 3]
    assert_same(seen[-1][1], classifier.params_)
    assert_same(classifier.params_, quick(epochs=3, schedule="constant").fit(*iris).params_)


# Use with scikit-learn's tools


@each_backend
@pytest.mark.parametrize("way", ["pickle", "copy", "joblib", "joblib, read-only"])
def test_copy_predicts_and_continues_identically(backend, way, iris, tmp_path):
    X, y = iris
    original = quick(backend=backend, callbacks=[print_nothing]).fit(X, y)
    if way == "pickle":
        restored = pickle.loads(pickle.dumps(original))
    elif way == "copy":
        restored = copy.deepcopy(original)
    else:
        joblib.dump(original, tmp_path / "classifier")
        restored = joblib.load(tmp_path / "classifier", mmap_mode="r" if "read-only" in way else None)
    assert isinstance(restored.params_, Parameters)
    assert isinstance(restored.history_, History)
    np.testing.assert_array_equal(restored.predict_proba(X), original.predict_proba(X))
    assert_same(restored.partial_fit(X, y).params_, original.partial_fit(X, y).params_)


def print_nothing(_history, _contender):
    print(end="")


def test_clone_keeps_hyper_parameters_but_not_fitted_state(iris):
    values = {
        "hidden_size": 7,
        "backend": "numba",
        "optimizer": Optimizer("adam", beta_1=0.8),
        "learning_rate": 0.01,
        "schedule": "constant",
        "batch_size": 5,
        "epochs": 2,
        "random_state": 4,
        "warm_start": True,
        "validation_fraction": 0.1,
        "callbacks": [print_nothing],
        "preprocessing": Preprocessing(mean=0.1, deviation=(0.3, 0.2, 0.1, 0.4)),
        "recipe": None,
    }
    cloned = clone(MLPClassifier(**values).fit(*iris))
    assert cloned.get_params() == values
    with pytest.raises(NotFittedError):
        cloned.predict(iris[0])


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_grid_search_over_pipeline_finds_the_better_optimizer(n_jobs):
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(random_state=0, epochs=60))
    grid = {"mlpclassifier__optimizer": ["adam", Optimizer("sgd")], "mlpclassifier__backend": ["numpy", "numba"]}
    search = GridSearchCV(pipeline, grid, n_jobs=n_jobs, cv=3, error_score="raise").fit(X, y)
    assert search.best_params_["mlpclassifier__optimizer"] == "adam"  # the learning rate is too low for SGD
    assert search.best_score_ > 0.9
    assert search.predict(X).shape == (150,)


def test_cross_validation_scores_each_fold(iris):
    X, y = iris
    scores = cross_val_score(MLPClassifier(random_state=0), X, y, cv=5)
    assert scores.shape == (5,)
    assert scores.mean() > 0.9
