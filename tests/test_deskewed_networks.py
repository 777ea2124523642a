"""A network that was trained on deskewed images says so wherever it goes, and whoever predicts with it deskews."""

import json
import pickle
from functools import partial

import numpy as np
import pytest
from safetensors import safe_open

from nnkernels import Preprocessing, load_network, load_parameters, save_parameters
from nnkernels.augmentation import Augmentation
from nnkernels.contenders.ours import KernelContender
from nnkernels.data import Dataset, LabelledImages
from nnkernels.errors import ConfigurationError, DataError
from nnkernels.interchange import fold, from_sklearn, to_keras, to_onnx
from nnkernels.learn import pictures, training_job
from nnkernels.learn.training_report import write_report
from nnkernels.learn.training_request import TrainingRequest
from nnkernels.measure.correctness.oracle import predict_float64
from nnkernels.parameters import initial_parameters, max_abs_difference
from nnkernels.recipes import Optimizer, Recipe, named_recipe
from nnkernels.training import train
from nnkernels.transforms import deskew

UPRIGHT = Preprocessing(deskew=True)
EQUALLY_LARGE = Preprocessing(deskew=True, normalize_size=True)
AUGMENTED = Recipe(
    "test", Optimizer("adam"), epochs=2, learning_rate=0.01, deskew=True, augmentation=Augmentation(shear=0.2)
)


@pytest.fixture(scope="module")
def params():
    return initial_parameters(3, hidden=5)


@pytest.fixture(scope="module")
def data(small_digits):
    return LabelledImages(small_digits.X_train[:200], small_digits.y_train[:200])


def expected_probs(params, X, record=UPRIGHT):
    return predict_float64(params, deskew(X, normalize_size=record.normalize_size) / 255)


# Files


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
@pytest.mark.parametrize("record", [UPRIGHT, Preprocessing(mean=0.1307, deviation=0.3081, deskew=True), EQUALLY_LARGE])
def test_file_states_deskewing(tmp_path, params, small_digits, suffix, record):
    path = tmp_path / f"p{suffix}"
    save_parameters(params, path, preprocessing=record)
    network = load_network(path)
    assert network.preprocessing == record.deskewing  # the scaling is folded
    X = small_digits.X_test[:50]
    features = network.preprocessing.features(X, np.float64)
    deskewed = deskew(X, normalize_size=record.normalize_size)
    np.testing.assert_allclose(features, deskewed / 255, rtol=1e-15)
    expected = predict_float64(params, (features - record.mean) / record.deviation)
    np.testing.assert_allclose(predict_float64(network.parameters, features), expected, rtol=0, atol=1e-5)
    # Parameters alone cannot state it, so whoever loads them has to confirm it.
    with pytest.raises(DataError, match=r"trained on deskewed images.*pass preprocessing=Preprocessing\(scale.*=True"):
        load_parameters(path)
    confirmed = load_parameters(path, preprocessing=record)
    assert max_abs_difference(confirmed, network.parameters) == 0


def test_other_files_state_no_deskewing_and_are_as_before(tmp_path, params):
    path = tmp_path / "p.safetensors"
    save_parameters(params, path)
    assert load_network(path).preprocessing == Preprocessing()
    with safe_open(path, framework="numpy") as file:
        assert file.metadata() == {"format": "nnkernels-parameters 1"}
    assert "deskew" not in json.loads(Preprocessing(mean=0.5).to_json())
    # The user may know more than the file.
    assert load_network(path, preprocessing=UPRIGHT).preprocessing == UPRIGHT
    save_parameters(params, path, preprocessing=UPRIGHT)
    with pytest.raises(DataError, match="records the preprocessing"):
        load_network(path, input_range=(0, 255))


@pytest.mark.parametrize(
    ("form", "convert"),
    [
        ("a Keras model", lambda params, path: to_keras(params, UPRIGHT)),
        ("an ONNX model", lambda params, path: to_onnx(params, UPRIGHT)),
        ("a Keras model", lambda params, path: save_parameters(params, path / "p.keras", preprocessing=UPRIGHT)),
        ("an ONNX model", lambda params, path: save_parameters(params, path / "p.onnx", preprocessing=UPRIGHT)),
        ("the parameters: the first layer", lambda params, path: fold(params, UPRIGHT)),
    ],
)
def test_forms_that_cannot_deskew_refuse(tmp_path, params, form, convert):
    with pytest.raises(ConfigurationError, match=rf"^{form} cannot deskew images.*save it as \.safetensors or \.npz"):
        convert(params, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [1, "yes", None])
def test_deskewing_is_true_or_false(value):
    for name in ("deskew", "normalize_size"):
        with pytest.raises(ConfigurationError, match=f"{name} is "):
            Preprocessing(**{name: value})


@pytest.mark.parametrize("kind", [Preprocessing, partial(Recipe, "test")])
def test_sizes_are_normalised_by_deskewing(kind):
    with pytest.raises(ConfigurationError, match="normalize_size is a part of deskewing; set deskew to True"):
        kind(normalize_size=True)


# nnkernels train and predict


def test_trained_network_states_its_deskewing_and_predict_applies_it(small_digits, tmp_path, monkeypatch):
    from PIL import Image
    from typer.testing import CliRunner

    import nnkernels.cli  # noqa: F401  (registers the commands)
    from nnkernels.cli.shared import app
    from nnkernels.learn import training_report

    monkeypatch.setattr(training_report, "_draw", lambda *_: None)
    training, test = (
        (part.X[:count], part.y[:count])
        for part, count in zip((small_digits.training, small_digits.test), (600, 99), strict=True)
    )
    part = Dataset(*training, *test)
    request = TrainingRequest("best", "numpy", epochs=1)
    trained = training_job.run(request, part, tmp_path, False, lambda history: None)
    assert trained.history.recipe == named_recipe("best", 500).with_changes(epochs=1)
    metrics = write_report(trained, part, tmp_path)
    params, preprocessing = load_network(tmp_path / "parameters.safetensors")
    assert preprocessing == EQUALLY_LARGE
    wrong = expected_probs(params, part.X_test, preprocessing).argmax(axis=1) != part.y_test
    assert metrics["test"]["error_rate"] == pytest.approx(wrong.mean())
    assert 0 < wrong.mean() < 0.9

    picture = tmp_path / "digit.png"
    slanted = np.zeros((28, 28), np.uint8)
    for row in range(6, 22):
        slanted[row, 20 - row // 2 : 23 - row // 2] = 255
    Image.fromarray(255 - slanted).resize((140, 140)).save(picture)
    (seen,), _ = pictures.predict_pictures([picture], params)
    (upright,), _ = pictures.predict_pictures([picture], params, preprocessing)
    expected = deskew(seen.digit.pixels[np.newaxis], normalize_size=True)[0]
    np.testing.assert_array_equal(upright.digit.pixels, expected)
    assert (upright.digit.pixels != seen.digit.pixels).any()
    expected_answer = expected_probs(params, seen.digit.pixels[np.newaxis], preprocessing)[0]
    np.testing.assert_allclose(upright.probs, expected_answer, atol=1e-6)

    used = []
    monkeypatch.setattr(pictures, "predict_pictures", lambda *given: used.append(given) or ([], []))
    weights = ["--weights", str(tmp_path / "parameters.safetensors")]
    assert CliRunner().invoke(app, ["predict", str(picture), *weights]).exit_code == 0
    assert used[0][2] == EQUALLY_LARGE
    save_parameters(params, tmp_path / "plain.safetensors")
    plain = ["--weights", str(tmp_path / "plain.safetensors")]
    stated = {"": Preprocessing(), "--deskew": UPRIGHT, "--deskew --normalize-size": EQUALLY_LARGE}
    for options, expected in ((text.split(), record) for text, record in stated.items()):
        assert CliRunner().invoke(app, ["predict", str(picture), *plain, *options]).exit_code == 0
        assert used[-1][2] == expected


def test_dashboard_shows_no_network_that_its_browser_code_cannot_run(tmp_path, params):
    from nnkernels.errors import ResultsError
    from nnkernels.report.dashboard.network import PARAMETERS, TRAINING, read_network

    folder = tmp_path / TRAINING
    folder.mkdir(parents=True)
    save_parameters(params, folder / PARAMETERS, preprocessing=UPRIGHT)
    with pytest.raises(ResultsError, match="trained on deskewed images"):
        read_network(tmp_path)


# MLPClassifier

sklearn = pytest.importorskip("sklearn")

from nnkernels.estimator import HyperParameterError, MLPClassifier, SampleError  # noqa: E402


def classifier(**options):
    return MLPClassifier(backend="numpy", random_state=4, **options)


@pytest.mark.parametrize("record", [UPRIGHT, EQUALLY_LARGE])
def test_classifier_deskews_pixels_as_its_record_says(params, small_digits, record):
    X = small_digits.X_test[:40]
    ours = MLPClassifier.from_parameters(params, preprocessing=record, backend="numpy")
    np.testing.assert_allclose(ours.predict_proba(X), expected_probs(params, X, record), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(ours.predict_proba(X), ours.predict_proba(X.astype(np.int64)))
    for floats in (X / 255, X.astype(bool)):
        with pytest.raises(SampleError, match="only pixels can be deskewed; pass integers from 0 to 255"):
            ours.predict(floats)
    with pytest.raises(SampleError, match="not a square number"):
        MLPClassifier.from_parameters(initial_parameters(0, 7), preprocessing=UPRIGHT).predict(X[:, :7])


@pytest.mark.parametrize("recipe", [AUGMENTED, AUGMENTED.with_changes(augmentation=None, normalize_size=True)])
def test_classifier_with_a_recipe_equals_train(recipe, data, small_digits, tmp_path):
    contender = KernelContender("numpy")
    train(contender, data, recipe, seed=4)
    ours = classifier(recipe=recipe).fit(data.X, data.y)
    assert max_abs_difference(ours.params_, contender.parameters()) == 0
    assert ours.history_.recipe == recipe
    assert ours.preprocessing_ == Preprocessing.of_recipe(recipe)
    X = small_digits.X_test[:40]
    expected = expected_probs(ours.params_, X, ours.preprocessing_)
    np.testing.assert_allclose(ours.predict_proba(X), expected, rtol=0, atol=1e-6)
    save_parameters(ours.params_, tmp_path / "p.npz", preprocessing=ours.preprocessing_)
    again = load_network(tmp_path / "p.npz")
    reloaded = MLPClassifier.from_parameters(*again[:1], preprocessing=again.preprocessing, backend="numpy")
    np.testing.assert_array_equal(reloaded.predict_proba(X), ours.predict_proba(X))
    # Parameters alone cannot state it here either.
    with pytest.raises(ConfigurationError, match="deskews its images, which parameters cannot state"):
        from_sklearn(ours)
    assert max_abs_difference(from_sklearn(ours, preprocessing=ours.preprocessing_), ours.params_) == 0


def test_record_and_recipe_may_both_ask_for_deskewing(data):
    once = classifier(recipe=AUGMENTED).fit(data.X, data.y)
    for recipe in (AUGMENTED, AUGMENTED.with_changes(deskew=False)):
        other = classifier(recipe=recipe, preprocessing=UPRIGHT).fit(data.X, data.y)
        assert max_abs_difference(once.params_, other.params_) == 0
        assert other.preprocessing_ == UPRIGHT
    equally_large = classifier(recipe=AUGMENTED.with_changes(normalize_size=True)).fit(data.X, data.y)
    for recipe in (AUGMENTED, AUGMENTED.with_changes(deskew=False)):
        other = classifier(recipe=recipe, preprocessing=EQUALLY_LARGE).fit(data.X, data.y)
        assert max_abs_difference(equally_large.params_, other.params_) == 0
        assert other.preprocessing_ == EQUALLY_LARGE


@pytest.mark.parametrize(
    ("options", "change"),
    [
        ({"preprocessing": UPRIGHT}, {"preprocessing": None}),
        ({}, {"preprocessing": UPRIGHT}),
        ({}, {"preprocessing": "dark", "epochs": -1}),
        ({}, {"recipe": AUGMENTED}),
        ({"recipe": AUGMENTED}, {"recipe": None}),
        ({"preprocessing": Preprocessing(mean=0.1)}, {"preprocessing": Preprocessing(deviation=0.3)}),
    ],
)
def test_hyper_parameters_changed_after_training_do_not_change_predictions(options, change, data, small_digits):
    X = small_digits.X_test[:40]
    trained = classifier(**options).fit(data.X, data.y)
    made = MLPClassifier.from_parameters(trained.params_, backend="numpy", preprocessing=trained.preprocessing_)
    before = trained.predict_proba(X)
    for ours in (trained, made, pickle.loads(pickle.dumps(trained))):
        preprocessing = ours.preprocessing_
        ours.set_params(**change)
        np.testing.assert_array_equal(ours.predict_proba(X), before)
        assert ours.preprocessing_ == preprocessing


def test_training_with_another_preprocessing_changes_predictions(data, small_digits):
    ours = classifier(epochs=1, warm_start=True).fit(data.X, data.y)
    assert ours.preprocessing_ == Preprocessing()
    ours.set_params(preprocessing=UPRIGHT).partial_fit(data.X, data.y)
    assert ours.preprocessing_ == UPRIGHT
    X = small_digits.X_test[:40]
    np.testing.assert_allclose(ours.predict_proba(X), expected_probs(ours.params_, X), rtol=0, atol=1e-6)
    ours.set_params(preprocessing=None).fit(data.X, data.y)
    assert ours.preprocessing_ == Preprocessing()


def test_named_recipes_partial_fit_and_cloning(data):
    ours = sklearn.base.clone(classifier(recipe="plain-best"))
    ours.partial_fit(data.X, data.y, classes=np.arange(10))
    assert ours.history_.recipe == named_recipe("plain-best", 200).with_changes(
        epochs=1, averaged_epochs=0, schedule="constant"
    )
    with pytest.raises(HyperParameterError, match="hidden_size is 7, but the recipe 'plain-best' has 20"):
        classifier(recipe="plain-best", hidden_size=7).fit(data.X, data.y)
    averaged = Recipe("test", epochs=3, averaged_epochs=2)
    assert (
        classifier(recipe=averaged, warm_start=True).fit(data.X, data.y).fit(data.X, data.y).history_.epochs_done == 6
    )


def test_recipe_with_early_stopping_holds_samples_out(data):
    recipe = Recipe("test", Optimizer("adam"), epochs=50, learning_rate=0.03, patience=1)
    ours = classifier(recipe=recipe, validation_fraction=0.3).fit(data.X, data.y)
    assert ours.history_.epochs_done < 50
    assert ours.history_.kept is None  # a pickled classifier has its parameters once
    for options in ({}, {"validation_fraction": 0.3, "warm_start": True}):
        with pytest.raises(HyperParameterError, match="stops early; set validation_fraction"):
            classifier(recipe=recipe, **options).fit(data.X, data.y)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"recipe": "bset"}, "recipe is 'bset'; expected None, a Recipe or the name of one"),
        ({"recipe": 3}, "recipe is 3; expected None"),
        ({"recipe": AUGMENTED, "epochs": 3}, "epochs is 3, but the recipe 'test' has 2"),
        ({"recipe": AUGMENTED, "optimizer": "sgd"}, "optimizer is 'sgd', but the recipe 'test' has"),
        ({"recipe": AUGMENTED, "preprocessing": Preprocessing(mean=0.1)}, "set preprocessing to None"),
    ],
)
def test_invalid_recipes_are_rejected(options, match, data):
    with pytest.raises(HyperParameterError, match=match):
        classifier(**options).fit(data.X, data.y)


def test_recipe_that_changes_pixels_needs_pixels(data):
    for X in (data.X / 255, data.X[:, :783], data.X.astype(np.int64) + 1):
        with pytest.raises(SampleError, match=r"invalid X: .*(only pixels|not a square|256)"):
            classifier(recipe=AUGMENTED).fit(X, data.y)
