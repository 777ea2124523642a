"""The options of data on the command line, `nnkernels data`, and data sets of other than ten classes in every part."""

import json
import string
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnkernels import contenders, plots
from nnkernels.contenders import create
from nnkernels.data import Dataset
from nnkernels.data.dataset import LabelledImages
from nnkernels.data.formats import formats
from nnkernels.errors import DataError
from nnkernels.measure.correctness import gate
from nnkernels.measure.correctness.composed import require_functions
from nnkernels.measure.records import provenance
from nnkernels.parameters import initial_parameters
from nnkernels.recipes import SGD
from nnkernels.report import data_formats
from nnkernels.training import train
from nnkernels.transforms import as_features
from tests.command_line import run_command_in_process

LETTERS = tuple(string.ascii_uppercase)


def with_classes(digits, classes, names=None):
    """Return real digits whose labels are made up: as many classes as wanted."""
    y = (np.arange(len(digits.X_train)) * 7 % classes).astype(np.uint8)
    return Dataset(digits.X_train, y, digits.X_test, y[: len(digits.X_test)], classes=classes, class_names=names)


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run_command_in_process(list(map(str, arguments)), monkeypatch, capsys)


@pytest.fixture
def letters(small_digits, tmp_path):
    """A file of transposed letters, counted from 1, as EMNIST's."""
    X = small_digits.X_train.reshape(-1, 28, 28).transpose(0, 2, 1)
    path = tmp_path / "emnist-letters.npz"
    np.savez(path, x=X, y=np.arange(len(X)) % 26 + 1)
    return path


def test_data_command_shows_format_split_counts_and_samples(letters, command, tmp_path):
    status, out, err = command("data", letters)
    assert (status, err) == (0, "")
    assert "NumPy archive (emnist-letters.npz)" in out
    assert "338 of 2,304 images, was split off" in out.replace("\n", " ")
    assert "they were turned upright" in out
    row = next(line.split() for line in out.splitlines() if line.split()[:2] == ["25", "Z"])
    assert row == ["25", "Z", "75", "13"]
    assert "all" in out
    with Image.open(tmp_path / "contact-sheet.png") as sheet:
        assert sheet.width == 1500


def test_data_command_names_a_chosen_file_and_options(letters, command, tmp_path):
    status, out, err = command("data", letters, "--not-transposed", "--labels-from", 0, "--out", "a/b.png")
    assert status == 0
    assert err == ""  # the user has said that they are upright
    assert "turned upright" not in out
    assert ["26", "75", "13"] in [
        line.split() for line in out.splitlines()
    ]  # without a name, as 27 classes are no letters
    assert (tmp_path / "a" / "b.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("data", "gone.csv"), "gone.csv: no such file or folder"),
        (("train", "--data", "gone.csv", "--label", "first"), "gone.csv: no such file or folder"),
        (("verify", "numpy", "--label", "middle"), "--label is middle; expected first or last"),
        (("env", "--index-base", "2"), "--index-base is 2; expected 0 or 1"),
        (("compare", "--labels-from", "5"), "--labels-from is 5; expected 0 or 1"),
    ],
)
def test_commands_take_the_options_of_data(command, arguments, message):
    status, _out, err = command(*arguments)
    assert status == 1
    assert message in err


def test_training_names_the_data_and_its_classes(letters, command, tmp_path):
    status, _out, err = command(
        "train", "--data", letters, "--backend", "numpy", "--epochs", 1, "--recipe", "sgd", "--out", "run"
    )
    assert status == 0
    assert "note: data set custom-" in err
    assert "NumPy archive, 26 classes, no test images are given: a seventh of each class" in err
    assert "note: labels are counted from 1; 1 was subtracted" in err
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["class_names"] == list(LETTERS)
    assert np.shape(metrics["confusion"]) == (26, 26)
    assert metrics["provenance"]["dataset"]["format"] == "NumPy archive"
    assert metrics["provenance"]["dataset"]["classes"] == 26
    assert str(tmp_path) not in json.dumps(metrics["provenance"]["dataset"])


def test_known_data_are_recorded_without_the_file_they_came_from(small_digits):
    recorded = provenance.collect(small_digits)["dataset"]
    assert recorded["classes"] == 10
    assert "format" not in recorded


# Other numbers of classes


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("numpy", 2),
        ("numpy", 26),
        ("numpy", 64),
        pytest.param("fused", 2, marks=pytest.mark.slow),  # each number of classes is compiled for seconds
        pytest.param("fused", 26, marks=pytest.mark.slow),
        pytest.param("fused", 64, marks=pytest.mark.slow),
    ],
)
def test_gate_checks_any_number_of_classes(small_digits, name, classes):
    data = with_classes(small_digits, classes)
    assert gate.require(name, create(name), data).passed
    X, y = as_features(data.X_train[:64]), data.y_train[:64].astype(np.int64)
    if classes > 10:
        require_functions(name, create(name).backend, X, y)


@pytest.mark.parametrize("name", [name for name in ("scikit-learn", "onnxruntime") if contenders.is_installed(name)])
def test_gate_checks_frameworks_with_26_classes(small_digits, name):
    assert gate.require(name, create(name), with_classes(small_digits, 26)).passed


def test_training_draws_parameters_for_the_classes_of_the_data(small_digits):
    contender = create("numpy")
    train(contender, with_classes(small_digits, 26).training, SGD)
    assert contender.parameters().W2.shape == (20, 26)
    train(contender, LabelledImages(small_digits.X_train, small_digits.y_train), SGD)
    assert contender.parameters().W2.shape == (20, 10)


def test_number_of_classes_follows_from_labels_or_is_given(small_digits):
    X, y = small_digits.X_train[:20], np.zeros(20, np.uint8)
    assert Dataset(X, y, X, y).classes == 2
    assert Dataset(X, y, X, y + np.uint8(46)).classes == 47
    assert Dataset(X, y, X, y, classes=10).names_of_classes == tuple("0123456789")
    for labels, classes in ((y + np.uint8(64), 0), (y + np.uint8(9), 9), (y, 65), (y, 1)):
        with pytest.raises(DataError, match=r"0 to 63|expected 2 to 64"):
            Dataset(X, labels, X, y, classes=classes)
    with pytest.raises(DataError, match="2 classes but 3 names"):
        Dataset(X, y, X, y, class_names=("a", "b", "c"))
    with pytest.raises(DataError, match="the labels reach 9; expected class indices from 0 to 8"):
        LabelledImages(X, y + np.uint8(9), 9)


def texts_of(figure):
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")) if text.get_text()]


def test_figures_name_the_classes(small_digits):
    data = with_classes(small_digits, 26, LETTERS)
    X, y = data.X_test[:12], data.y_test[:12]
    probs = np.full((12, 26), 0.01)
    probs[:, 25] = 0.75
    counts = np.eye(26, dtype=int)
    counts[0, 25] = 3
    assert any("A read as Z" in text for text in texts_of(plots.confusion_matrix(counts, class_names=LETTERS)))
    assert any(text.endswith("true A") for text in texts_of(plots.sample_predictions(X, probs, y, "", LETTERS)))
    y = y % 25
    wrong = plots.mistakes(X, y, np.full(12, 25), probs[:, 25], probs[:, 0], 12, 12, "", LETTERS)
    assert any("A read as Z" in text for text in texts_of(wrong))
    params = initial_parameters(0, classes=26)
    hidden = texts_of(plots.hidden_units(params.W1, params.W2, class_names=LETTERS))
    assert any(text.startswith("for ") and text[4] in LETTERS for text in hidden)
    sheet = texts_of(plots.contact_sheet(data.X_train, data.y_train, data.names_of_classes, "Contact sheet"))
    assert f"25 Z ({np.count_nonzero(data.y_train == 25)})" in sheet


@pytest.mark.parametrize("classes", [26, 62])
def test_large_confusion_matrix_fits_the_figure(classes):
    from nnkernels.plots.saving import settle

    figure = plots.confusion_matrix(
        np.full((classes, classes), 300), "subtitle", [f"class {n}" for n in range(classes)]
    )
    settle(figure, figure.dpi)
    figure.draw_without_rendering()
    for text in figure.findobj(lambda artist: hasattr(artist, "get_window_extent") and hasattr(artist, "get_text")):
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0 and box.y1 <= figure.bbox.y1  # noqa: PT018


def test_contact_sheet_shows_stored_pixels_of_the_first_images_of_each_class(small_digits):
    figure = plots.contact_sheet(small_digits.X_train, small_digits.y_train, small_digits.names_of_classes, "t", "s")
    shown = [image.get_array() for image in figure.axes[0].get_images()]
    first_zero = small_digits.X_train[np.flatnonzero(small_digits.y_train == 0)[0]]
    np.testing.assert_array_equal(shown[0], first_zero.reshape(28, 28))
    assert figure.axes[0].get_images()[0].get_cmap().name == "gray"  # 0 is black
    assert len(shown) == 150


def test_table_of_formats_in_the_readme_is_current():
    root = Path(__file__).parents[1]
    text = (root / data_formats.PAGE).read_text("utf-8")
    expected = data_formats.block()
    assert data_formats.BLOCK.split(text, "README.md")[1] == expected, "stale: run `nnkernels data --page`"
    for known in formats():
        assert f"| {known.name} | {known.used_by} | {known.recognised_by} |" in expected
