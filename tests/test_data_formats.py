"""Layouts in which people have digits: each is recognised by its content, read, or refused with a reason."""

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnkernels import load_mnist
from nnkernels.data import assembling, formats
from nnkernels.data.dataset import KNOWN_NAMES, digest
from nnkernels.data.formats import _files
from nnkernels.errors import ConfigurationError, DataError
from nnkernels.git import LFS_POINTER
from tests.idx_bytes import idx_bytes

# Rows and columns of a label beside the pixels, as published by different people.
KAGGLE = [f"pixel{i}" for i in range(784)]
OPENML = [f"pixel{i}" for i in range(1, 785)]
GRID = [f"{row}x{column}" for row in range(1, 29) for column in range(1, 29)]


@pytest.fixture(scope="module")
def images(small_digits):
    """40 training and 20 test digits of all ten classes, with the labels."""
    return small_digits.X_train[:40], small_digits.y_train[:40], small_digits.X_test[:20], small_digits.y_test[:20]


def frame_of(X, y=None, names=KAGGLE, label="label", last=False):
    frame = pd.DataFrame(X, columns=names)
    if y is not None:
        frame.insert(784 if last else 0, label, y)
    return frame


def assert_parts(data, train, test):
    np.testing.assert_array_equal(data.X_train, train[0])
    np.testing.assert_array_equal(data.y_train, train[1])
    np.testing.assert_array_equal(data.X_test, test[0])
    np.testing.assert_array_equal(data.y_test, test[1])


def assert_same_images(data, X, y):
    """Assert that the two parts together are these labelled images, in any order."""
    found = sorted(
        (label, image.tobytes())
        for images, labels in ((data.X_train, data.y_train), (data.X_test, data.y_test))
        for image, label in zip(images, labels, strict=True)
    )
    assert found == sorted((label, image.tobytes()) for image, label in zip(X, y, strict=True))


def assert_refused(path, match=None, **options):
    with pytest.raises(DataError, match=match) as caught:
        load_mnist(path, **options)
    assert str(path) in str(caught.value)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def zipped(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


# CSV


@pytest.mark.parametrize(
    ("names", "label", "last"),
    [
        (KAGGLE, "label", False),
        (KAGGLE, "Label", True),
        (OPENML, "class", True),
        (OPENML, "label", False),
        (GRID, "label", False),
        ([str(i) for i in range(784)], "class", True),
    ],
)
@pytest.mark.parametrize("separator", [",", ";"])
def test_csv_with_header_is_read(small_digits, tmp_path, names, label, last, separator):
    X, y = small_digits.X_train[:200], small_digits.y_train[:200]
    path = tmp_path / "digits.CSV"
    frame_of(X, y, names, label, last).to_csv(path, index=False, sep=separator)
    data = load_mnist(path)
    assert_same_images(data, X, y)
    assert data.origin.format == "CSV"


def test_one_image_of_each_class_in_seven_is_split_off_and_this_is_recorded(small_digits, tmp_path):
    X, y = small_digits.X_train[:700], small_digits.y_train[:700]
    frame_of(X, y).to_csv(tmp_path / "train.csv", index=False)
    data = load_mnist(tmp_path / "train.csv")
    assert data.name.startswith("custom-")
    for digit in range(10):
        assert np.count_nonzero(data.y_test == digit) == round(np.count_nonzero(y == digit) / 7)
    assert "split off (seed 0)" in data.origin.split
    assert "a seventh of each class" in data.origin.notes[0]
    assert load_mnist(tmp_path / "train.csv").sha256 == data.sha256


FORMS = {
    "floats": lambda frame: frame.astype(float).to_csv(index=False),
    "quoted": lambda frame: frame.to_csv(index=False, quoting=1),
    "row numbers": lambda frame: frame.set_index(np.arange(len(frame)) * 11).to_csv(),  # also beyond 255 and 999
    "Windows lines": lambda frame: frame.to_csv(index=False, lineterminator="\r\n"),
    "mark of byte order": lambda frame: "\ufeff" + frame.to_csv(index=False),
    "no newline at the end": lambda frame: frame.to_csv(index=False).rstrip("\n"),
    "blank lines at the end": lambda frame: frame.to_csv(index=False) + "\n\n",
    "spaces": lambda frame: frame.to_csv(index=False).replace(",", ", "),
    "columns in another order": lambda frame: frame[frame.columns[::-1]].to_csv(index=False),
}


@pytest.mark.parametrize("form", FORMS)
def test_csv_is_read_in_the_forms_that_programs_write(small_digits, tmp_path, form):
    X, y = small_digits.X_train[:100], small_digits.y_train[:100]
    path = write(tmp_path / "train.csv", FORMS[form](frame_of(X, y)).encode())
    assert_same_images(load_mnist(path), X, y)


@pytest.mark.parametrize("last", [False, True])
def test_label_of_csv_without_header_is_found_by_its_values(small_digits, tmp_path, last):
    X, y = small_digits.X_train[:200], small_digits.y_train[:200]
    frame_of(X, y, last=last).to_csv(tmp_path / "mnist_train_small.csv", index=False, header=False)
    assert_same_images(load_mnist(tmp_path / "mnist_train_small.csv"), X, y)


def test_csv_without_header_whose_label_is_ambiguous_is_refused_until_it_is_chosen(images, tmp_path):
    X, y = images[0].copy(), images[1]
    X[:, -1] = np.arange(40) % 2  # the last pixel may be a class, too
    path = tmp_path / "train.csv"
    frame_of(X, y).to_csv(path, index=False, header=False)
    assert_refused(path, "both the first and the last column could be the label.*--label first or --label last")
    assert_same_images(load_mnist(path, label="first"), X, y)
    wrong = load_mnist(path, label="last")
    assert sorted([*wrong.y_train, *wrong.y_test]) == [0] * 20 + [1] * 20
    with pytest.raises(ConfigurationError, match="--label is middle"):
        load_mnist(path, label="middle")


def test_last_rows_of_the_file_decide_on_the_label_too(images, tmp_path):
    X, y = np.tile(images[0], (30, 1)), np.tile(images[1], 30)
    X[-1, -1] = 7  # only now does the last column have two values
    frame_of(X, y).to_csv(tmp_path / "train.csv", index=False, header=False)
    assert_refused(tmp_path / "train.csv", "both the first and the last")


def test_csv_without_header_and_without_label_is_refused(images, tmp_path):
    frame_of(images[0], np.full(40, 3)).to_csv(tmp_path / "a.csv", index=False, header=False)
    assert_refused(tmp_path / "a.csv", "neither the first nor the last column")


@pytest.mark.parametrize("place", [0, 400, 784])
@pytest.mark.parametrize("header", ["none", "0 to 784", "V1 to V785", "row numbers and 0 to 784"])
def test_label_in_any_column_without_a_name_is_found_by_its_values(images, tmp_path, place, header):
    X, y = images[0].copy(), images[1]
    X[:3, 380] = 9, 40, 63  # a faint pixel, as in MNIST, has classes' values, but not all of them
    frame = pd.DataFrame(np.insert(X.astype(int), place, y, axis=1))
    if header == "V1 to V785":
        frame.columns = [f"V{number}" for number in range(1, 786)]
    frame.to_csv(tmp_path / "a.csv", index=header.startswith("row"), header=header != "none")
    data = load_mnist(tmp_path / "a.csv")
    assert_same_images(data, X, y)
    column = place + 1 + header.startswith("row")
    assert data.origin.notes[0].startswith(
        f"the label is in column {column} of {frame.shape[1] + header.startswith('row')}"
    )
    if place != 400:
        assert_same_images(load_mnist(tmp_path / "a.csv", label="last" if place else "first"), X, y)


def test_image_whose_pixels_pandas_made_the_names_of_columns_is_left_out_and_this_is_announced(small_digits, tmp_path):
    X, y = small_digits.X_train[:100], small_digits.y_train[:100]
    frame_of(X, y).to_csv(tmp_path / "a.csv", index=False, header=False)
    pd.read_csv(tmp_path / "a.csv").to_csv(tmp_path / "b.csv", index=False)  # a header such as 5,0,0.1,0.2,...
    data = load_mnist(tmp_path / "b.csv")
    assert_same_images(data, X[1:], y[1:])
    assert data.origin.notes[0].startswith("the first image became a header when pandas saved the file, and was left")


def test_two_inner_columns_that_may_be_the_label_are_refused(images, tmp_path):
    X = images[0].copy()
    X[:, 380] = np.arange(40) % 2
    table = pd.DataFrame(np.insert(X.astype(int), 400, images[1], axis=1))
    table.to_csv(tmp_path / "a.csv", index=False, header=False)
    assert_refused(tmp_path / "a.csv", r"2 columns \(column 381, column 401\) could be the label.*add a header")


def test_two_columns_of_labels_are_refused(images, tmp_path):
    frame = frame_of(*images[:2]).assign(target=images[1])
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert_refused(tmp_path / "a.csv", "label and target may both be the label")
    frame.drop(columns="target").to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(ConfigurationError, match="--label last names the column pixel783, which is a pixel"):
        load_mnist(tmp_path / "b.csv", label="last")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda frame: frame.drop(columns="pixel7"), "the column pixel7 is missing"),
        (lambda frame: frame.assign(extra=1), "the column extra is unexpected"),
        (lambda frame: frame.assign(label=64), "training label 0 is 64"),
        (lambda frame: frame.assign(label=-1), "image 0 has the value -1 in label"),
        (lambda frame: frame.assign(pixel3=[0, 256] + [0] * 8), "image 1 has the value 256 in pixel3"),
        (lambda frame: frame.assign(pixel3=[0, 999] + [0] * 8), "image 1 has the value 999 in pixel3"),
        (lambda frame: frame.assign(pixel3=[0, 1000] + [0] * 8), "image 1 has the value 1000 in pixel3"),
        (lambda frame: frame.assign(pixel3=[0, 0, 0.5] + [0] * 7), "image 2 has the value 0.5 in pixel3"),
        (lambda frame: frame.assign(pixel3=[np.nan] + [0] * 9), "image 0 has the value nan in pixel3"),
        (lambda frame: frame.assign(pixel3="dark"), "not a table of numbers"),
        (lambda frame: frame.head(0), "has a header line but no images"),
        (lambda frame: frame.drop(columns="label"), "has no column label"),
    ],
)
def test_broken_csv_error_names_the_file(images, tmp_path, spoil, message):
    path = tmp_path / "train.csv"
    spoil(frame_of(images[0][:10], images[1][:10])).to_csv(path, index=False)
    assert_refused(path, message)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\0\1\2", b"\xff\xfe\x00", b'"', b"label,pixel0\n1", b"1,2\n3\n"])
def test_other_content_of_a_csv_is_refused(tmp_path, content):
    assert_refused(write(tmp_path / "train.csv", content))


def test_rows_of_another_length_are_refused(images, tmp_path):
    lines = frame_of(*images[:2]).to_csv(index=False).splitlines()
    for line, fault in ((lines[5] + ",0", "not a table|columns"), (lines[5].rsplit(",", 1)[0], "nan in pixel783")):
        path = write(tmp_path / "train.csv", "\n".join([*lines[:5], line, *lines[6:]]).encode())
        assert_refused(path, fault)


@given(
    values=st.lists(st.lists(st.integers(0, 255), min_size=3, max_size=3), min_size=1, max_size=30),
    chunk=st.integers(1, 40),
    newline=st.sampled_from([b"\n", b"\r\n"]),
)
def test_rows_are_parsed_like_numpy_does(values, chunk, newline):
    from nnkernels.data.formats import _rows

    text = newline.join(b",".join(str(value).encode() for value in row) for row in values)
    before, _rows.CHUNK_BYTES = _rows.CHUNK_BYTES, chunk
    try:
        found = _rows.read_rows(io.BytesIO(text), "x", ("a", "b", "c"), b",")
    finally:
        _rows.CHUNK_BYTES = before
    np.testing.assert_array_equal(found, np.loadtxt(io.BytesIO(text), int, delimiter=",", ndmin=2))


# Training and test files in a folder


def test_folder_pairs_training_and_test_files(images, tmp_path):
    frame_of(*images[:2]).to_csv(tmp_path / "mnist_train.csv", index=False)
    frame_of(*images[2:]).to_csv(tmp_path / "mnist_test.csv", index=False)
    (tmp_path / "README.md").write_text("about these files")
    data = load_mnist(tmp_path)
    assert_parts(data, images[:2], images[2:])
    assert data.origin.split == "40 training images, 20 test images, as given"
    assert_same_images(load_mnist(tmp_path / "mnist_train.csv"), *images[:2])  # a file is read alone
    assert_same_images(load_mnist(tmp_path / "mnist_test.csv"), *images[2:])


def test_unlabelled_test_file_of_kaggle_is_no_test_part(images, tmp_path):
    frame_of(*images[:2]).to_csv(tmp_path / "train.csv", index=False)
    frame_of(images[2]).to_csv(tmp_path / "test.csv", index=False)
    pd.DataFrame({"ImageId": [1, 2], "Label": [0, 0]}).to_csv(tmp_path / "sample_submission.csv", index=False)
    data = load_mnist(tmp_path)
    assert_same_images(data, *images[:2])
    assert data.origin.files == ("train.csv",)
    assert "test.csv has no labels and was left out" in data.origin.notes
    assert_refused(tmp_path / "test.csv", "has no column label")


def test_several_data_sets_in_a_folder_are_not_mixed(images, tmp_path):
    for name in ("fashion-mnist_train.csv", "mnist_train.csv"):
        frame_of(*images[:2]).to_csv(tmp_path / name, index=False)
    assert_refused(tmp_path, r"several data sets \(fashion-mnist_train.csv, mnist_train.csv\)")
    frame_of(*images[2:]).to_csv(tmp_path / "mnist_test.csv", index=False)
    assert_parts(load_mnist(tmp_path / "mnist"), images[:2], images[2:])  # the beginning of their names


def test_files_of_several_formats_are_not_mixed(images, tmp_path):
    frame_of(*images[:2]).to_csv(tmp_path / "train.csv", index=False)
    np.savez(tmp_path / "mnist.npz", x=images[0], y=images[1])
    assert_refused(tmp_path, r"several formats: CSV \(train.csv\), NumPy archive \(mnist.npz\)")


def test_all_of_mnist_in_one_file_is_split_like_mnist(images, monkeypatch, tmp_path):
    # 40 and 20 images stand for the 60,000 and 10,000.
    X, y = np.concatenate([images[0], images[2]]), np.concatenate([images[1], images[3]])
    monkeypatch.setattr(assembling, "MNIST_IMAGES", 60)
    monkeypatch.setattr(assembling, "MNIST_TRAINING_IMAGES", 40)
    frame_of(X, y, OPENML, "class", last=True).to_csv(tmp_path / "mnist_784.csv", index=False)
    assert load_mnist(tmp_path / "mnist_784.csv").name != "mnist"
    monkeypatch.setitem(KNOWN_NAMES, digest(*images), "mnist")
    data = load_mnist(tmp_path / "mnist_784.csv")
    assert_parts(data, images[:2], images[2:])
    assert data.name == "mnist"
    assert data.origin.split.startswith("MNIST's own")
    assert not data.origin.notes


# IDX

STEMS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx_members(images, names=STEMS):
    X_train, y_train, X_test, y_test = images
    values = (X_train.reshape(-1, 28, 28), y_train, X_test.reshape(-1, 28, 28), y_test)
    return {name: idx_bytes(value) for name, value in zip(names, values, strict=True)}


LAYOUTS = {
    "dots": lambda name: name.replace("-idx", ".idx"),
    "capital letters": str.upper,
    "folders of their own names": lambda name: f"{name.replace('-idx', '.idx')}/{name}",
    "folders of their own names, with dashes": lambda name: f"{name}/{name}",
    "torchvision": lambda name: f"MNIST/raw/{name}",
    "with a prefix": lambda name: f"gzip/emnist-digits-{name.replace('t10k', 'test')}",
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packed", ["folder", "gz", "bz2", "zip"])
def test_idx_files_are_found_in_the_layouts_of_downloads(images, tmp_path, layout, packed):
    import bz2

    members = idx_members(images, [LAYOUTS[layout](stem) for stem in STEMS])
    if packed == "zip":
        source = zipped(tmp_path / "archive.ZIP", members, compression=zipfile.ZIP_DEFLATED)
    else:
        pack = {"folder": bytes, "gz": gzip.compress, "bz2": bz2.compress}[packed]
        source = tmp_path
        for name, content in members.items():
            write(source / (name if packed == "folder" else f"{name}.{packed}"), pack(content))
    data = load_mnist(source)
    assert_parts(data, images[:2], images[2:])
    assert data.origin.format == "IDX"


def test_root_of_torchvision_with_two_data_sets_is_refused(images, tmp_path):
    for name in ("MNIST", "FashionMNIST"):
        for stem, content in idx_members(images).items():
            write(tmp_path / name / "raw" / stem, content)
            write(tmp_path / name / "raw" / f"{stem}.gz", gzip.compress(content))
    assert_refused(tmp_path, "several data sets.*FashionMNIST/raw/.*, MNIST/raw/")
    assert_parts(load_mnist(tmp_path / "MNIST"), images[:2], images[2:])


def test_copies_of_a_file_are_read_once_and_different_ones_refused(images, tmp_path):
    for stem, content in idx_members(images).items():
        write(tmp_path / stem.replace("-idx", ".idx"), content)
        write(tmp_path / stem / stem, content)
    assert_parts(load_mnist(tmp_path), images[:2], images[2:])
    other = idx_bytes(255 - images[0].reshape(-1, 28, 28))
    write(tmp_path / STEMS[0] / "train-images.idx3.ubyte", other)
    assert_refused(tmp_path, "differ, but have the same role")


def test_image_file_alone_is_refused_with_the_missing_name(images, tmp_path):
    path = write(tmp_path / STEMS[0], idx_members(images)[STEMS[0]])
    assert_refused(path, f"no {STEMS[1]}")


def qmnist_labels(y):
    """Return QMNIST's extended labels: int32, big-endian, eight columns, the class in the first."""
    values = np.zeros((len(y), 8), ">i4")
    values[:, 0], values[:, 1:] = y, np.arange(len(y))[:, None] * 7 + 3
    return bytes((0, 0, 0x0C, 2)) + np.array(values.shape, ">u4").tobytes() + values.tobytes()


def test_extended_labels_of_qmnist_are_read(images, tmp_path):
    X_train, y_train, X_test, y_test = images
    folder = tmp_path / "QMNIST" / "raw"
    write(folder / "qmnist-train-images-idx3-ubyte", idx_bytes(X_train.reshape(-1, 28, 28)))
    write(folder / "qmnist-train-labels-idx2-int", qmnist_labels(y_train))
    write(folder / "qmnist-test-images-idx3-ubyte.gz", gzip.compress(idx_bytes(X_test.reshape(-1, 28, 28))))
    write(folder / "qmnist-test-labels-idx2-int.gz", gzip.compress(qmnist_labels(y_test)))
    assert_parts(load_mnist(tmp_path), images[:2], images[2:])
    write(folder / "qmnist-train-labels-idx2-int", qmnist_labels(y_train)[:-5])
    assert_refused(tmp_path, "truncated, 1275 of the 1280 bytes")


# NumPy


def test_npz_of_one_array_a_file_is_read(images, tmp_path):
    X_train, y_train, X_test, y_test = images
    np.savez(tmp_path / "kmnist-train-imgs.npz", X_train.reshape(-1, 28, 28))
    np.savez(tmp_path / "kmnist-train-labels.npz", y_train)
    np.savez_compressed(tmp_path / "kmnist-test-imgs.npz", X_test.reshape(-1, 28, 28))
    np.savez(tmp_path / "kmnist-test-labels.npz", y_test)
    data = load_mnist(tmp_path)
    assert_parts(data, images[:2], images[2:])
    assert data.origin.format == "NumPy arrays"
    assert_refused(tmp_path / "kmnist-train-imgs.npz", "no kmnist-train-labels.npz")


@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_files_are_paired(images, tmp_path, order):
    names = ("X_train", "y_train", "X_test", "y_test")
    for name, values in zip(names, images, strict=True):
        np.save(tmp_path / f"{name}.npy", np.asarray(values, ">i4", order=order))
    assert_parts(load_mnist(tmp_path), images[:2], images[2:])


def test_npy_file_whose_elements_have_no_bytes_is_refused(images, tmp_path):
    np.save(tmp_path / "train-imgs.npy", images[0])
    np.save(tmp_path / "train-labels.npy", np.zeros(len(images[1]), "V0"))
    assert_refused(tmp_path, "train-labels.npy: not a NumPy archive of plain arrays")


FORMS_OF_IMAGES = {
    "a channel at the end": lambda X: X.reshape(-1, 28, 28, 1),
    "a channel first": lambda X: X.reshape(-1, 1, 28, 28),
    "int64": lambda X: X.astype(np.int64),
    "big-endian": lambda X: X.astype(">i2").reshape(-1, 28, 28),
    "whole floats": lambda X: X.astype(np.float32),
    "divided by 255": lambda X: X.reshape(-1, 28, 28) / 255,
    "divided by 255 in float32": lambda X: (X / 255).astype(np.float32),
}


@pytest.mark.parametrize("form", FORMS_OF_IMAGES)
def test_arrays_of_npz_may_have_other_forms(images, tmp_path, form):
    convert = FORMS_OF_IMAGES[form]
    parts = dict(zip(("x_train", "y_train", "x_test", "y_test"), images, strict=True))
    parts |= {key: convert(parts[key]) for key in ("x_train", "x_test")}
    np.savez(tmp_path / "digits.npz", **parts | {"y_train": images[1].astype(np.int64).reshape(-1, 1)})
    (tmp_path / "digits.npz").rename(tmp_path / "digits.NPZ")
    assert_parts(load_mnist(tmp_path / "digits.NPZ"), images[:2], images[2:])


def test_boolean_images_are_black_and_white(images, tmp_path):
    np.savez(tmp_path / "digits.npz", images=images[0] > 99, labels=images[1])
    assert_same_images(load_mnist(tmp_path / "digits.npz"), (images[0] > 99) * np.uint8(255), images[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X - 300.0, "values from -300"),
        (lambda X: X.astype(int) * 2, "expected 0 to 255"),
        (lambda X: X / 256, "neither integers from 0 to 255 nor pixels divided by 255"),
        (lambda X: np.repeat(X.reshape(-1, 28, 28, 1), 3, axis=3), "colour images"),
        (lambda X: np.pad(X.reshape(-1, 28, 28), ((0, 0), (2, 2), (2, 2))), r"shape \(40, 32, 32\)"),
        (lambda X: np.where(X > 0, np.nan, X), "expected 0 to 255"),
    ],
)
def test_other_images_in_npz_are_refused(images, tmp_path, change, message):
    np.savez(tmp_path / "digits.npz", x=change(images[0]), y=images[1])
    assert_refused(tmp_path / "digits.npz", message)


def medmnist(images, **changes):
    X_train, y_train, X_test, y_test = images
    arrays = {
        "train_images": X_train[:30].reshape(-1, 28, 28),
        "train_labels": y_train[:30, None],
        "val_images": X_train[30:].reshape(-1, 28, 28),
        "val_labels": y_train[30:, None],
        "test_images": X_test.reshape(-1, 28, 28),
        "test_labels": y_test[:, None],
    }
    return arrays | changes


def test_validation_part_of_medmnist_is_the_validation_split_and_part_of_the_hash(images, tmp_path):
    X_train, y_train, X_test, y_test = images
    np.savez(tmp_path / "pneumoniamnist.npz", **medmnist(images))
    data = load_mnist(tmp_path / "pneumoniamnist.npz")
    assert_parts(data, (X_train[:30], y_train[:30]), (X_test, y_test))
    assert_parts(data.validation_split(), (X_train[:30], y_train[:30]), (X_train[30:], y_train[30:]))
    assert data.origin.split == "30 training images, 10 validation images, 20 test images, as given"
    np.savez(tmp_path / "other.npz", **medmnist(images, val_labels=(y_train[30:, None] + 1) % 10))
    assert load_mnist(tmp_path / "other.npz").sha256 != data.sha256
    assert data.sha256 == digest(X_train[:30], y_train[:30], X_test, y_test, X_train[30:], y_train[30:])


def test_validation_part_survives_being_written_as_idx(images, tmp_path):
    from nnkernels.data.folder import write_folder

    np.savez(tmp_path / "pneumoniamnist.npz", **medmnist(images))
    data = load_mnist(tmp_path / "pneumoniamnist.npz")
    write_folder(tmp_path / "idx", data)
    assert load_mnist(tmp_path / "idx").sha256 == data.sha256


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("pathmnist", {"train_images": np.zeros((30, 28, 28, 3), np.uint8)}, "pathmnist has RGB images"),
        ("organamnist_64", {"train_images": np.zeros((30, 64, 64), np.uint8)}, "organamnist_64 has images of 64 x 64"),
        ("chestmnist", {"train_labels": np.zeros((30, 14), np.uint8)}, "chestmnist has 14 labels per image"),
        ("organmnist3d", {"train_images": np.zeros((30, 28, 28, 28), np.uint8)}, "organmnist3d has"),
    ],
)
def test_other_kinds_of_medmnist_are_refused_by_name(images, tmp_path, name, changes, message):
    np.savez(tmp_path / f"{name}.npz", **medmnist(images, **changes))
    assert_refused(tmp_path / f"{name}.npz", message)


# ZIP archives


def test_zip_of_csv_and_one_file_in_it_are_read(images, tmp_path):
    members = {
        "train.csv": frame_of(*images[:2]).to_csv(index=False),
        "test.csv": frame_of(images[2]).to_csv(index=False),
        "__MACOSX/._train.csv": b"\0\1",
        "../outside.csv": b"label,1\n",
    }
    path = zipped(tmp_path / "digit-recognizer.zip", members)
    assert_same_images(load_mnist(path), *images[:2])
    assert_same_images(load_mnist(path / "train.csv"), *images[:2])
    assert_refused(path / "other.csv", "contains no file of this name")
    assert sorted(tmp_path.rglob("*")) == [path]  # nothing is unpacked to disk


def test_zip_of_npz_is_read(images, tmp_path):
    buffer = io.BytesIO()
    np.savez(buffer, **dict(zip(("x_train", "y_train", "x_test", "y_test"), images, strict=True)))
    assert_parts(load_mnist(zipped(tmp_path / "a.zip", {"mnist.npz": buffer.getvalue()})), images[:2], images[2:])


def test_nested_zip_is_refused(images, tmp_path):
    inner = zipped(tmp_path / "inner.zip", {"train.csv": frame_of(*images[:2]).to_csv(index=False)})
    outer = zipped(tmp_path / "outer.zip", {"inner.zip": inner.read_bytes()})
    assert_refused(outer, "it contains another archive, inner.zip, so unpack it first")


def test_member_of_zip_without_a_name_is_left_out(images, tmp_path):
    path = zipped(tmp_path / "archive.zip", idx_members(images))
    with zipfile.ZipFile(path, "a") as archive:
        member = zipfile.ZipInfo("x")
        archive.writestr(member, b"nothing")
        member.filename = ""  # only in the directory, which is written last
    assert_parts(load_mnist(path), images[:2], images[2:])


def test_encrypted_zip_is_refused(tmp_path):
    content = bytearray(zipped(tmp_path / "a.zip", {"train.csv": "label"}).read_bytes())
    for magic, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(magic) + place] |= 1
    assert_refused(write(tmp_path / "a.zip", bytes(content)), "train.csv is encrypted")


def test_zip_is_bounded_by_the_bytes_that_it_produces(images, tmp_path, monkeypatch):
    text = frame_of(*images[:2]).to_csv(index=False)
    path = zipped(tmp_path / "a.zip", {"train.csv": text}, compression=zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(_files.Budget, "__init__", lambda self, where: vars(self).update(where=where, left=len(text)))
    assert_refused(path, "unpacks to more than")


def test_links_in_archives_are_ignored_and_links_to_files_are_followed(images, tmp_path):
    frame_of(*images[:2]).to_csv(tmp_path / "blob", index=False)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "train.csv").symlink_to(tmp_path / "blob")
    (tmp_path / "folder" / "loop").symlink_to(tmp_path / "folder")
    assert_same_images(load_mnist(tmp_path / "folder"), *images[:2])
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("train.csv")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, str(tmp_path / "blob"))
    assert_refused(tmp_path / "a.zip", "contains no data set")


# What is none of these


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty", b""),
        ("text", b"hello"),
        ("half.gz", gzip.compress(b"hello", mtime=0)[:-9]),
        ("broken.zip", b"PK\3\4" + bytes(40)),
    ],
)
def test_unknown_files_are_told_what_can_be_read(tmp_path, name, content):
    assert_refused(write(tmp_path / name, content), "not a data set in a known format.*can be read: .*CSV.*IDX")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("mnist.pkl", b"\x80\x02}q\x00.", "is a pickled file.*numpy.savez"),
        ("digits", b"\x80\x04}.", "is a pickled file.*numpy.savez"),
        ("old.PKL", b"(dp0\n.", "is a pickled file.*numpy.savez"),
        ("train.parquet", LFS_POINTER + b"v1\noid sha256:00\nsize 9\n", "is only the pointer of Git LFS.*git lfs pull"),
        ("emnist-letters.mat", b"MATLAB 5.0 MAT-file, Platform", "is a MATLAB file.*IDX files.*scipy.io.loadmat"),
    ],
)
def test_files_of_other_programs_are_refused_with_what_to_do(images, tmp_path, name, content, message, pack):
    path = write(tmp_path / (name if pack is bytes else f"{name}.gz"), pack(content))
    assert_refused(path, message)
    for stem, values in idx_members(images).items():
        write(tmp_path / stem, values)
    assert_parts(load_mnist(tmp_path), images[:2], images[2:])  # in a folder, they are passed over


def test_training_pt_of_torchvision_is_refused_as_pickle(tmp_path):
    path = zipped(tmp_path / "training.pt", {"training/data.pkl": b"\x80\x02.", "training/data/0": bytes(100)})
    assert_refused(path, "is a pickled file")


def test_missing_file_and_empty_folder_are_told_what_can_be_read(tmp_path):
    assert_refused(tmp_path / "missing.csv", "no such file or folder.*can be read: .*CSV")
    assert_refused(tmp_path, "contains no data set; can be read: .*CSV")


def test_every_format_declares_itself():
    assert len(formats.formats()) >= 5
    modules = {path.stem for path in Path(formats.__file__).parent.glob("[!_]*.py")}
    assert len(formats.formats()) == len(modules)
    assert len({known.name for known in formats.formats()}) == len(modules)


@given(content=st.binary(max_size=200), suffix=st.sampled_from([".csv", ".npz", ".zip", ".gz", ".npy", "-ubyte", ""]))
def test_any_bytes_are_read_or_refused(tmp_path, content, suffix):
    path = write(tmp_path / f"fuzzed{suffix}", content)
    with pytest.raises(DataError) as caught:
        load_mnist(path)
    assert str(path) in str(caught.value)
