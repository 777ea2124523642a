"""The errors of several networks: counted as by plain loops, on images as each network needs them, and reported."""

import csv
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from nnkernels import kernels
from nnkernels.accuracy.calibration import expected_calibration_error
from nnkernels.accuracy.errors import Answers, answers, load_networks
from nnkernels.data import Dataset, LabelledImages, npz
from nnkernels.errors import DataError
from nnkernels.interchange import Network, Preprocessing, save_parameters
from nnkernels.learn.errors_report import write_report
from nnkernels.learn.errors_terminal import sentences
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.transforms import as_features, deskew
from tests.command_line import run_command_in_process


def made_up(networks=4, images=60, classes=5, seed=0):
    """Return answers whose errors overlap, and which never predict the last class but once."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes - 1, images)
    logits = rng.standard_normal((networks, images, classes)) + 2 * rng.standard_normal((images, classes))
    logits[..., -1] -= 20
    probs = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    return Answers(y, probs.astype(np.float32))


def trained(digits, seed):
    """Return a network that gets most digits right: one step of least squares on random hidden units."""
    params = initial_parameters(seed, dtype=np.float64)
    X = as_features(digits.X_train[:2000], np.float64)
    hidden = np.maximum(X @ params.W1 + params.b1, 0)
    targets = 8 * np.eye(10)[digits.y_train[:2000]]
    W2, *_ = np.linalg.lstsq(hidden, targets, rcond=None)
    return Parameters(*(array.astype(np.float32) for array in (params.W1, params.b1, W2, params.b2)))


@pytest.fixture(scope="module")
def files(digits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    for seed in range(3):
        preprocessing = Preprocessing(deskew=seed > 0, normalize_size=seed == 2)
        save_parameters(trained(digits, seed), folder / f"seed-{seed}" / "net.safetensors", preprocessing=preprocessing)
    return sorted(folder.glob("*/net.safetensors"))


# Counts


def test_errors_are_those_of_plain_loops():
    found = made_up()
    networks, images, classes = found.probs.shape
    predicted = [[max(range(classes), key=row.tolist().__getitem__) for row in of_one] for of_one in found.probs]
    wrong = [[answer != label for answer, label in zip(of_one, found.y, strict=True)] for of_one in predicted]
    assert found.predicted.tolist() == predicted
    assert found.times_wrong.tolist() == [sum(of_one[n] for of_one in wrong) for n in range(images)]
    assert found.error.value == pytest.approx(np.mean([sum(of_one) / images for of_one in wrong]))
    probability = [np.mean([found.probs[s, n, found.y[n]] for s in range(networks)]) for n in range(images)]
    np.testing.assert_allclose(found.label_probability, probability, rtol=1e-6)
    everywhere = [n for n in range(images) if all(of_one[n] for of_one in wrong)]
    assert len(everywhere) > 3
    assert found.wrong_in_all.tolist() == sorted(everywhere, key=probability.__getitem__)
    counts = {answer: [of_one[0] for of_one in predicted].count(answer) for answer in {row[0] for row in predicted}}
    assert dict(found.readings(0)) == counts
    assert [times for _, times in found.readings(0)] == sorted(counts.values(), reverse=True)


def test_error_by_class_has_students_interval_over_the_networks():
    found = made_up()
    by_class = found.error_by_class
    assert by_class[4] is None  # a class without images
    for label, error in enumerate(by_class[:4]):
        rates = [np.mean(answers[found.y == label] != label) for answers in found.probs.argmax(axis=2)]
        interval = stats.ttest_1samp(rates, 0).confidence_interval(0.95)
        assert (error.value, error.low, error.high) == pytest.approx((np.mean(rates), interval.low, interval.high))
        assert error.samples == 4


def test_confusions_are_those_of_scikit_learn():
    confusion_matrix = pytest.importorskip("sklearn.metrics").confusion_matrix
    found = made_up()
    each = np.stack([confusion_matrix(found.y, of_one, labels=range(5)) for of_one in found.predicted])
    np.testing.assert_array_equal(found.confusion, each.sum(axis=0))
    pairs = found.confusions
    expected = {(i, j) for i in range(5) for j in range(5) if i != j and each[:, i, j].any()}
    assert {(pair.true, pair.predicted) for pair in pairs} == expected
    for pair in pairs:
        assert pair.times.value == pytest.approx(each[:, pair.true, pair.predicted].mean())
    assert [pair.times.value for pair in pairs] == sorted((pair.times.value for pair in pairs), reverse=True)


def test_one_network_has_errors_but_no_intervals():
    several = made_up()
    found = Answers(several.y, several.probs[2])
    assert found.error.value == several.wrong[2].mean()
    assert math.isnan(found.error.low)
    assert set(found.wrong_in_all) == set(np.flatnonzero(several.wrong[2]))


# Networks


def test_each_network_sees_the_images_that_its_file_demands(files, digits):
    images = LabelledImages(digits.X_test[:300], digits.y_test[:300])
    networks = load_networks(files)
    assert list(networks) == ["seed-0/net.safetensors", "seed-1/net.safetensors", "seed-2/net.safetensors"]
    found = answers(networks, images)
    forward = kernels.load("numpy").forward
    for probs, (seed, network) in zip(found.probs, enumerate(networks.values()), strict=True):
        seen = deskew(images.X, normalize_size=seed == 2) if seed else images.X
        np.testing.assert_allclose(probs, forward(network.parameters, as_features(seen, np.float32)).probs, atol=1e-6)
    straight = forward(networks["seed-1/net.safetensors"].parameters, as_features(images.X, np.float32)).probs
    assert np.abs(straight - found.probs[1]).max() > 0.1


def test_same_network_twice_is_refused(files, tmp_path):
    with pytest.raises(DataError, match=r"net\.safetensors contain the same network"):
        load_networks([files[0], files[0]])
    copy = tmp_path / "copy.npz"
    save_parameters(load_networks(files[:1])["net.safetensors"].parameters, copy)
    with pytest.raises(DataError, match=r"copy\.npz and .*seed-0/net\.safetensors contain the same network"):
        load_networks([files[0], copy])


def test_no_network_and_missing_file_are_refused(tmp_path):
    with pytest.raises(DataError, match="no networks"):
        load_networks([])
    with pytest.raises(DataError, match=r"gone\.safetensors"):
        load_networks([tmp_path / "gone.safetensors"])


@pytest.mark.parametrize("shape", [{"classes": 12}, {"inputs": 100}])
def test_network_that_does_not_fit_the_images_is_named(shape, digits):
    network = Network(initial_parameters(0, **shape), Preprocessing())
    with pytest.raises(DataError, match=r"odd\.npz has (784 inputs and 12|100 inputs and 10) outputs"):
        answers({"odd.npz": network}, digits.test)


# The report


@pytest.fixture(scope="module")
def small(digits):
    return Dataset(digits.X_train[:1200], digits.y_train[:1200], digits.X_test[:400], digits.y_test[:400])


def test_report_records_what_the_networks_get_wrong(files, small, tmp_path, monkeypatch):
    monkeypatch.setattr("nnkernels.learn.errors_report.save_figures", lambda *_: None)
    networks = load_networks(files)
    report = write_report(networks, small, "test", tmp_path)
    record = json.loads((tmp_path / "errors.json").read_text("utf-8"))
    found = answers(networks, small.test)
    assert record["error_rate"]["value"] == pytest.approx(found.wrong.mean())
    assert [one["file"] for one in record["networks"]] == list(networks)
    assert [one["deskew"] for one in record["networks"]] == [False, True, True]
    assert [one["normalize_size"] for one in record["networks"]] == [False, False, True]
    error = expected_calibration_error(found.probs, found.y)
    assert record["calibration"]["expected_calibration_error"]["width"]["value"] == pytest.approx(error.value)
    assert sum(one["count"] for one in record["calibration"]["bins"]) == 3 * 400
    assert sum(one["images"] for one in record["error_by_class"]) == 400
    shared = [one["index"] for one in record["digits"]]
    assert shared == found.wrong_in_all.tolist()
    assert record["wrong_in_all"] == len(shared) > 0
    for one in record["digits"]:
        assert one["predicted"] == found.predicted[:, one["index"]].tolist()
        assert one["true"] == small.y_test[one["index"]]
    assert record["provenance"]["dataset"]["sha256"] == small.sha256
    with (tmp_path / "errors.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["index"]) for row in rows] == np.flatnonzero(found.wrong.any(axis=0)).tolist()
    for row in rows:
        index = int(row["index"])
        assert int(row["networks_wrong"]) == found.times_wrong[index]
        assert [int(one) for one in row["predicted"].split()] == found.predicted[:, index].tolist()
    assert f"{len(shared):,} images are misclassified by all networks, {len(rows):,} by at least one" in " ".join(
        sentences(report)
    )


def test_picture_has_the_pixels_of_the_images_that_all_get_wrong(files, small, tmp_path, monkeypatch):
    image = pytest.importorskip("PIL.Image")
    monkeypatch.setattr("nnkernels.learn.errors_report.save_figures", lambda *_: None)
    write_report(load_networks(files), small, "test", tmp_path)
    record = json.loads((tmp_path / "errors.json").read_text("utf-8"))
    picture = np.asarray(image.open(tmp_path / "errors_digits.png"))
    for place, one in enumerate(record["digits"]):
        row, column = divmod(place, record["columns"])
        pixels = picture[28 * row : 28 * row + 28, 28 * column : 28 * column + 28]
        np.testing.assert_array_equal(pixels.ravel(), small.X_test[one["index"]])


def test_validation_images_judge_if_asked(files, small, tmp_path, monkeypatch):
    monkeypatch.setattr("nnkernels.learn.errors_report.save_figures", lambda *_: None)
    report = write_report(load_networks(files), small, "validation", tmp_path)
    np.testing.assert_array_equal(report.answers.y, small.y_train[-200:])
    assert json.loads((tmp_path / "errors.json").read_text("utf-8"))["judge"] == "validation"


def test_perfect_networks_leave_no_picture_of_an_earlier_report(small, tmp_path, monkeypatch):
    monkeypatch.setattr("nnkernels.learn.errors_report.save_figures", lambda *_: None)
    (tmp_path / "errors_digits.png").write_bytes(b"of an earlier report")
    everything_one = Parameters(*(np.zeros(shape, np.float32) for shape in ((784, 20), 20, (20, 10), 10)))
    everything_one.b2[1] = 9
    ones = small.y_test == 1
    only_ones = Dataset(small.X_train, small.y_train, small.X_test[ones], small.y_test[ones], classes=10)
    report = write_report({"one": Network(everything_one, Preprocessing())}, only_ones, "test", tmp_path)
    assert report.answers.error.value == 0
    assert not (tmp_path / "errors_digits.png").exists()


# The command


@pytest.fixture
def command(small, tmp_path, monkeypatch, capsys):
    npz.write_npz(tmp_path / "digits.npz", small)
    monkeypatch.setenv("NNKERNELS_DATA", str(tmp_path / "digits.npz"))
    for console in ("out", "err"):
        monkeypatch.setattr(f"nnkernels.cli.shared.{console}._width", 120)
    return lambda *arguments: run_command_in_process(["errors", *map(str, arguments)], monkeypatch, capsys)


def test_command_prints_a_row_per_digit_and_writes_figures(files, small, command, tmp_path):
    status, out, _ = command(*files, "--out", tmp_path / "found")
    assert status in (0, None)
    assert "3 networks on 400 test images" in " ".join(out.split())
    assert "Expected calibration error" in out
    rows = [line.split() for line in out.splitlines() if re.match(r" *\d +\d+ .*%", line)]
    assert [row[0] for row in rows] == [str(digit) for digit in range(10)]
    assert [int(row[1]) for row in rows] == np.bincount(small.y_test, minlength=10).tolist()
    written = {path.name for path in (tmp_path / "found").iterdir()}
    assert written == {
        "errors.json",
        "errors.csv",
        "errors_digits.png",
        "reliability.png",
        "error_by_class.png",
        "shared_mistakes.png",
        "confusion.png",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.safetensors"], "gone.safetensors"),
        (["FILE", "--judge", "training"], "expected one of: validation, test"),
        (["FILE", "FILE"], "the same network"),
        (["FILE", "--out", __file__], "choose another one"),
    ],
)
def test_command_names_what_is_wrong(arguments, message, files, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, err = command(*(files[0] if one == "FILE" else one for one in arguments))
    assert status == 1
    assert message in " ".join(err.split())
    assert not Path("trained").exists()
