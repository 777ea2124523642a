"""Classifiers from existing parameters and their preprocessing record, against scikit-learn in float64."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nnkernels import Preprocessing, load_parameters, save_parameters
from nnkernels.contenders.ours import KernelContender
from nnkernels.data import LabelledImages
from nnkernels.errors import ConfigurationError, DataError
from nnkernels.estimator import HyperParameterError, MLPClassifier, SampleError
from nnkernels.interchange import from_sklearn
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.recipes import Optimizer, Recipe
from nnkernels.training import train

PYTORCH = Preprocessing(mean=0.1307, deviation=0.3081)  # of PyTorch's MNIST example


def classifier_of(params, **options):
    """Return a classifier with the backend that needs no compiling."""
    return MLPClassifier.from_parameters(params, **({"backend": "numpy"} | options))


@pytest.fixture(scope="module")
def theirs(small_digits):
    """Return scikit-learn's classifier, in float64 and on normalised pixels, with its parameters."""
    features = PYTORCH.features(small_digits.X_train[:1000], np.float64)
    with pytest.warns(Warning, match="Maximum iterations"):
        model = TheirClassifier((20,), max_iter=4, random_state=0).fit(features, small_digits.y_train[:1000])
    (W1, W2), (b1, b2) = model.coefs_, model.intercepts_
    return model, Parameters(W1, b1, W2, b2)


def test_pictures_normalised_by_the_record_get_the_predictions_of_scikit_learn(theirs, small_digits):
    model, params = theirs
    X = small_digits.X_test[:300]
    ours = classifier_of(params, preprocessing=PYTORCH)
    expected = model.predict_proba(PYTORCH.features(X, np.float64))
    np.testing.assert_allclose(ours.predict_proba(X), expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(ours.predict(X), expected.argmax(axis=1))
    # Floats are features, so they are normalised already.
    np.testing.assert_allclose(ours.predict_proba(PYTORCH.features(X, np.float64)), expected, rtol=0, atol=1e-5)
    assert ours.score(X, small_digits.y_test[:300]) == model.score(
        PYTORCH.features(X, np.float64), small_digits.y_test[:300]
    )
    without = classifier_of(params)
    assert np.abs(without.predict_proba(X) - expected).max() > 0.5  # what the record is for


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_record_travels_from_estimator_to_files_and_back(theirs, small_digits, tmp_path, suffix):
    model, params = theirs
    X = small_digits.X_test[:100]
    expected = model.predict_proba(PYTORCH.features(X, np.float64))
    ours = classifier_of(params, preprocessing=PYTORCH)
    save_parameters(ours.params_, tmp_path / f"a{suffix}", preprocessing=ours.preprocessing)
    again = classifier_of(load_parameters(tmp_path / f"a{suffix}"))
    np.testing.assert_allclose(again.predict_proba(X), expected, rtol=0, atol=1e-5)
    folded = classifier_of(from_sklearn(ours))
    np.testing.assert_allclose(folded.predict_proba(X), expected, rtol=0, atol=1e-5)
    with pytest.raises(ConfigurationError, match="has the preprocessing"):
        from_sklearn(ours, input_range=(0, 255))


def test_record_of_estimator_behind_a_scaler_has_no_effect(small_digits):
    X, y = small_digits.X_train[:200], small_digits.y_train[:200]
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(epochs=1, backend="numpy", preprocessing=PYTORCH)).fit(
        X, y
    )
    folded = classifier_of(from_sklearn(pipeline, input_range=(0, 255)))
    np.testing.assert_allclose(folded.predict_proba(X), pipeline.predict_proba(X), rtol=0, atol=1e-4)


def test_fit_trains_on_pixels_normalised_by_the_record(small_digits):
    X, y = small_digits.X_train[:200], small_digits.y_train[:200]
    record = Preprocessing(mean=tuple(X.mean(axis=0) / 255), deviation=0.3081)
    features = record.features(X)
    fitted = MLPClassifier(epochs=2, backend="numpy", random_state=3, preprocessing=record).fit(X, y)
    contender = KernelContender("numpy")
    train(contender, LabelledImages(features, y), Recipe("x", Optimizer("adam"), 32, 2, 0.005, "linear"), seed=3)
    for found, wanted in zip(fitted.params_, contender.parameters(), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_training_continues_from_parameters_and_copies_predict_alike(small_digits):
    X, y = small_digits.X_train[:100], small_digits.y_train[:100]
    start = initial_parameters(5, 784, 12, 10)
    options = {"backend": "numpy", "preprocessing": PYTORCH, "random_state": 5}
    ours = classifier_of(start, **options)
    assert ours.hidden_size == 12
    restored = pickle.loads(pickle.dumps(ours))
    np.testing.assert_array_equal(restored.predict_proba(X), ours.predict_proba(X))
    assert clone(ours).get_params() == ours.get_params()
    scratch = MLPClassifier(12, **options).partial_fit(X, y, classes=range(10))
    for found, wanted in zip(ours.partial_fit(X, y).params_, scratch.params_, strict=True):
        np.testing.assert_array_equal(found, wanted)
    for given, wanted in zip(start, initial_parameters(5, 784, 12, 10), strict=True):
        np.testing.assert_array_equal(given, wanted)  # not modified


def test_outputs_may_have_labels_in_any_order(small_digits):
    params, X = initial_parameters(0, 784, 8, 3), small_digits.X_test[:20]
    plain = classifier_of(params)
    named = classifier_of(params, classes=["trouser", "bag", "coat"])
    assert named.classes_.tolist() == ["bag", "coat", "trouser"]
    np.testing.assert_allclose(named.predict_proba(X)[:, [2, 0, 1]], plain.predict_proba(X), rtol=1e-6)
    np.testing.assert_array_equal(named.predict(X), np.array(["trouser", "bag", "coat"])[plain.predict(X)])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"classes": [0, 1]}, SampleError, "2 different labels; the parameters have 3 outputs"),
        ({"classes": [0, 1, 1]}, SampleError, "2 different labels; the parameters have 3 outputs"),
        ({"backend": "fast"}, HyperParameterError, "backend is 'fast'"),
        ({"speed": 1}, HyperParameterError, "from_parameters: .*speed"),
        ({"preprocessing": 0.5}, HyperParameterError, "preprocessing is 0.5; expected None or an nnkernels.Preprocess"),
        ({"preprocessing": Preprocessing(mean=(0.1, 0.2))}, HyperParameterError, "mean has 2 numbers, but there are 4"),
    ],
)
def test_invalid_arguments_are_named(options, error, message):
    with pytest.raises(error, match=message):
        classifier_of(initial_parameters(0, 4, 8, 3), **options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"b1": np.zeros(7)}, "do not form a network"),
        ({"W1": np.full((4, 8), np.nan)}, r"W1\[0, 0\] is nan"),
        ({"W1": np.full((4, 8), 1e300)}, r"float32: W1\[0, 0\] is inf"),
    ],
)
def test_arrays_that_form_no_network_are_rejected(changes, message):
    params = Parameters(*(array.astype(np.float64) for array in initial_parameters(0, 4, 8, 3)))
    with pytest.raises(DataError, match=message):
        classifier_of(params._replace(**changes))


def test_invalid_records_are_rejected_by_fit(small_digits):
    X, y = small_digits.X_train[:50], small_digits.y_train[:50]
    with pytest.raises(HyperParameterError, match="deviation has 3 numbers, but there are 784 features"):
        MLPClassifier(preprocessing=Preprocessing(deviation=(1, 2, 3))).fit(X, y)
    with pytest.raises(HyperParameterError, match="preprocessing is 'dark'"):
        MLPClassifier(preprocessing="dark").fit(X, y)
