"""The record of the misclassified digits, and the picture of them."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file

from nnkernels.data import Dataset
from nnkernels.interchange.training_steps import load_training_steps
from nnkernels.learn import training_job
from nnkernels.learn.earlier_parameters import STEPS
from nnkernels.learn.predictions import Predictions
from nnkernels.learn.recorded_digits import COLUMNS, DIGITS, MAX_DIGITS, RECORD, record_mistakes
from nnkernels.learn.training_job import TrainingRequest
from nnkernels.learn.training_report import WEIGHTS, write_report
from nnkernels.parameters import Parameters
from tests import reference

Image = pytest.importorskip("PIL.Image")
REQUEST = TrainingRequest(recipe="sgd", backend="numpy", epochs=2, hidden=8, learning_rate=0.2, seed=4)


@pytest.fixture(autouse=True)
def no_figures(monkeypatch):
    """Do not draw the figures, which take most of the time and have their own tests."""
    monkeypatch.setattr("nnkernels.learn.training_report._draw", lambda *_arguments: None)


def trained_in(folder, dataset, **changes):
    trained = training_job.run(replace(REQUEST, **changes), dataset, folder, False, lambda _history: None)
    return write_report(trained, dataset, folder)


def read(folder):
    """Return the record, and the digits cut out of the picture, shape (N, 28, 28)."""
    record = json.loads((folder / RECORD).read_text(), parse_constant=pytest.fail)
    width, height, columns = record["image"]["width"], record["image"]["height"], record["columns"]
    with Image.open(folder / DIGITS) as picture:
        assert (picture.format, picture.mode) == ("PNG", "L")
        rows = -(-len(record["digits"]) // columns)
        assert picture.size == (columns * width, rows * height)
        corners = [(n % columns * width, n // columns * height) for n in range(len(record["digits"]))]
        cells = [np.asarray(picture.crop((x, y, x + width, y + height))) for x, y in corners]
    return record, np.array(cells)


def made_up(dataset, wrong, classes=None):
    """Return predictions with the given indices misclassified, the first most confidently."""
    classes = classes or dataset.classes
    y = dataset.y_test.astype(int)
    probs = np.full((len(y), classes), 0.01)
    probs[np.arange(len(y)), y] = 0.9
    for n, index in enumerate(wrong):
        probs[index] = 0.001
        probs[index, (y[index] + 1) % classes] = 0.9 - n / 10_000
    return Predictions(dataset.test, probs)


def test_record_and_picture_are_those_of_an_independent_network(small_digits, tmp_path):
    metrics = trained_in(tmp_path, small_digits)
    record, cells = read(tmp_path)
    weights = Parameters(**load_file(tmp_path / WEIGHTS))
    X, y = small_digits.X_test, small_digits.y_test
    probs = reference.probabilities(weights, X / 255)
    predicted = probs.argmax(axis=1)
    wrong = np.flatnonzero(predicted != y)
    digits = record["digits"]
    assert sorted(digit["index"] for digit in digits) == wrong.tolist()
    assert record["total"] == len(wrong) == round(metrics["test"]["error_rate"] * len(X))
    assert record["test_images"] == len(X)
    for digit, cell in zip(digits, cells, strict=True):
        index = digit["index"]
        assert (digit["true"], digit["predicted"]) == (y[index], predicted[index])
        assert digit["true_probability"] == pytest.approx(probs[index, y[index]], rel=1e-4)
        assert digit["predicted_probability"] == pytest.approx(probs[index].max(), rel=1e-4)
        np.testing.assert_array_equal(cell.ravel(), X[index])
    confidence = [digit["predicted_probability"] for digit in digits]
    assert confidence == sorted(confidence, reverse=True)
    assert record["version"] == 1
    assert record["dataset"] == {"name": small_digits.name, "sha256": small_digits.sha256}
    assert record["class_names"] == [str(digit) for digit in range(10)]
    assert not [path for path in tmp_path.iterdir() if ".part." in path.name]


def test_the_most_confident_mistakes_are_recorded_of_many(small_digits, tmp_path):
    X, y = np.tile(small_digits.X_test, (3, 1)), np.tile(small_digits.y_test, 3)
    dataset = Dataset(small_digits.X_train, small_digits.y_train, X, y)
    wrong = np.random.default_rng(0).permutation(len(X))[:700]
    record_mistakes(made_up(dataset, wrong), dataset, tmp_path)
    record, cells = read(tmp_path)
    assert record["total"] == 700
    assert record["columns"] == COLUMNS
    assert [digit["index"] for digit in record["digits"]] == wrong[:MAX_DIGITS].tolist()
    np.testing.assert_array_equal(cells.reshape(MAX_DIGITS, -1), X[wrong[:MAX_DIGITS]])


@pytest.mark.parametrize("count", [1, 3, COLUMNS, COLUMNS + 1])
def test_few_mistakes_make_a_narrow_picture(count, small_digits, tmp_path):
    wrong = np.arange(count) * 2
    record_mistakes(made_up(small_digits, wrong), small_digits, tmp_path)
    record, cells = read(tmp_path)
    assert record["columns"] == min(count, COLUMNS)
    np.testing.assert_array_equal(cells.reshape(count, -1), small_digits.X_test[wrong])


def test_other_classes_have_their_names(small_digits, tmp_path):
    names = ("even", "odd", "neither")
    parts = small_digits.X_train, small_digits.y_train % 2, small_digits.X_test, small_digits.y_test % 2
    dataset = Dataset(*parts, classes=3, class_names=names)
    trained_in(tmp_path, dataset)
    record, _cells = read(tmp_path)
    assert record["class_names"] == list(names)
    assert {digit["true"] for digit in record["digits"]} <= {0, 1}
    assert load_training_steps(tmp_path / STEPS)[0].parameters().W2.shape == (8, 3)


def test_without_mistakes_there_is_no_picture(small_digits, tmp_path):
    (tmp_path / DIGITS).write_bytes(b"of an earlier training")
    record_mistakes(made_up(small_digits, []), small_digits, tmp_path)
    record = json.loads((tmp_path / RECORD).read_text())
    assert (record["total"], record["digits"]) == (0, [])
    assert not (tmp_path / DIGITS).exists()


def test_probabilities_that_are_not_finite_leave_no_record(small_digits, tmp_path):
    record_mistakes(made_up(small_digits, [4]), small_digits, tmp_path)
    predictions = made_up(small_digits, [4])
    predictions.probs[7, 3] = np.nan
    record_mistakes(predictions, small_digits, tmp_path)
    assert not list(tmp_path.iterdir())


def test_diverged_training_deletes_files_of_an_earlier_one(small_digits, tmp_path):
    for name in (STEPS, RECORD, DIGITS):
        (tmp_path / name).write_bytes(b"of an earlier training")
    with np.errstate(all="ignore"):
        assert trained_in(tmp_path, small_digits, learning_rate=1e30)["diverged"]
    assert not {STEPS, RECORD, DIGITS, WEIGHTS} & {path.name for path in tmp_path.iterdir()}
