"""ARFF, Parquet, LIBSVM and folders of pictures, written by other programs, and EMNIST's peculiarities."""

import bz2
import gzip
import io
import string
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import dump_svmlight_file

from nnkernels import load_mnist
from nnkernels.data.appearance import fraction_wider_than_tall, look_inverted, look_transposed
from nnkernels.data.assembling import SuspiciousDataWarning
from nnkernels.errors import DataError
from tests.test_data_formats import (
    OPENML,
    STEMS,
    assert_parts,
    assert_refused,
    assert_same_images,
    frame_of,
    idx_members,
    images,  # noqa: F401  (a fixture)
    write,
)

# ARFF


def arff(X, y, names=OPENML, class_kind="{0,1,2,3,4,5,6,7,8,9}"):
    attributes = [f"@ATTRIBUTE {name} real" for name in names]
    rows = [",".join([*map(str, row), str(label)]) for row, label in zip(X, y, strict=True)]
    lines = ["% comment", "", "@RELATION mnist_784", *attributes, f"@ATTRIBUTE class {class_kind}", "", "@DATA", *rows]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("quote", ["", "'"])
def test_arff_is_read(images, tmp_path, pack, quote):  # noqa: F811
    X, y = images[:2]
    path = write(tmp_path / "mnist_784.arff", pack(arff(X, [f"{quote}{label}{quote}" for label in y]).encode()))
    data = load_mnist(path)
    assert_same_images(data, X, y)
    assert data.origin.format == "ARFF"


def test_label_of_arff_without_names_is_found_by_its_values(images, tmp_path):  # noqa: F811
    text = arff(*images[:2], [f"att{number}" for number in range(1, 785)]).replace(
        "@ATTRIBUTE class", "@ATTRIBUTE att785"
    )
    data = load_mnist(write(tmp_path / "x.arff", text.encode()))
    assert_same_images(data, *images[:2])
    assert data.origin.notes[0].startswith("the label is in column 785 of 785")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@relation x\n@attribute pixel1 real\n", "has no line @data"),
        ("@relation x\n@attribute pixel1 real\n@data\n1\n", "columns of pixels"),
        (arff([], []), "has no images after @data"),
        (arff([], []) + "{0 3, 784 1}\n", "sparse ARFF"),
        ("hello", "has no line @data"),
    ],
)
def test_broken_arff_is_refused(tmp_path, text, message):
    assert_refused(write(tmp_path / "x.arff", text.encode()), message)


# LIBSVM


def libsvm(X, y, zero_based=False):
    buffer = io.BytesIO()
    dump_svmlight_file(X.astype(float), y, buffer, zero_based=zero_based)
    return buffer.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
def test_libsvm_is_read_from_index_1_and_says_so(images, tmp_path, pack):  # noqa: F811
    X, y = images[0].copy(), images[1]
    X[0, [0, -1]] = 7
    data = load_mnist(write(tmp_path / "mnist.bz2", pack(libsvm(X, y))))
    assert_same_images(data, X, y)
    assert any("pixels are counted from index 1" in note for note in data.origin.notes)


def test_training_and_test_file_of_libsvm_are_paired(images, tmp_path):  # noqa: F811
    write(tmp_path / "mnist.bz2", bz2.compress(libsvm(*images[:2])))
    write(tmp_path / "mnist.t.bz2", bz2.compress(libsvm(*images[2:])))
    assert_parts(load_mnist(tmp_path), images[:2], images[2:])


def test_scaled_libsvm_with_rounded_fractions_is_read(images, tmp_path):  # noqa: F811
    X, y = images[:2]
    lines = [
        f"{label} " + " ".join(f"{index + 1}:{row[index] / 255:.6g}" for index in np.flatnonzero(row))
        for row, label in zip(X, y, strict=True)
    ]
    assert_same_images(load_mnist(write(tmp_path / "mnist.scale", "\n".join(lines).encode())), X, y)


def test_index_0_and_785_of_libsvm_are_refused_until_the_base_is_given(images, tmp_path):  # noqa: F811
    X, y = images[0].copy(), images[1]
    X[0, 0] = 9
    path = write(tmp_path / "mnist", libsvm(X, y, zero_based=True))
    assert_refused(path, "has the index 0; .*use --index-base 0")
    assert_same_images(load_mnist(path, index_base=0), X, y)
    X[0, -1] = 9
    with pytest.raises(DataError, match="has the index 784; pixels are counted from 0 to 783"):
        load_mnist(write(tmp_path / "mnist", libsvm(X, y)), index_base=0)
    wider = np.pad(X, ((0, 0), (0, 1)), constant_values=1)
    assert_refused(write(tmp_path / "wide", libsvm(wider, y)), "has the index 785; .*does not contain images of 28")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"5 1:3 1:4\n", "not LIBSVM text"),
        (b"5 1:3 x:4\n5 1:3\n", "not a data set|not LIBSVM"),
        (b"5 1:3\n5 1:300\n", "values from 0 to 300"),
        (b"5 1:3\n5 1:3.5\n", "neither pixels"),
        (b"5 1:3\n-1 1:3\n", "labels range from -1"),
    ],
)
def test_broken_libsvm_is_refused(tmp_path, text, message):
    assert_refused(write(tmp_path / "x.libsvm", text), message)


# Pictures


def picture(pixels, kind="PNG", mode="L", **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels.reshape(28, 28)).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def write_pictures(folder, X, y, name=str, **options):
    for number, (image, label) in enumerate(zip(X, y, strict=True)):
        write(folder / name(int(label)) / f"{number}.png", picture(image, **options))


@pytest.mark.parametrize(
    "folders", [("training", "testing"), ("train", "test"), ("mnist_png/Training", "mnist_png/Test")]
)
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_pictures_in_a_folder_per_class_are_read(images, tmp_path, folders, mode):  # noqa: F811
    for folder, X, y in zip(folders, images[::2], images[1::2], strict=True):
        write_pictures(tmp_path / folder, X, y, mode=mode)
    data = load_mnist(tmp_path)
    by_class = [np.argsort(y, kind="stable") for y in images[1::2]]
    assert data.class_names is None
    np.testing.assert_array_equal(np.sort(data.y_train), data.y_train)
    assert sorted(map(bytes, data.X_train)) == sorted(map(bytes, images[0]))
    np.testing.assert_array_equal(data.y_test, images[3][by_class[1]])


def test_folders_without_roles_are_split_and_names_are_classes(images, tmp_path):  # noqa: F811
    X, y = np.tile(images[0][:10], (3, 1)), np.repeat([2, 0, 1], 10)
    names = ("ant", "bee", "cat")
    with zipfile.ZipFile(tmp_path / "insects.zip", "w") as archive:
        for number, (image, label) in enumerate(zip(X, y, strict=True)):
            archive.writestr(f"insects/{names[label]}/{number}.PNG", picture(image))
    data = load_mnist(tmp_path / "insects.zip")
    assert_same_images(data, X, y)
    assert data.class_names == names
    assert data.classes == 3
    assert data.training.classes == data.validation_split().classes == 3


def test_unlabelled_pictures_of_kaggle_are_left_out(images, tmp_path):  # noqa: F811
    write_pictures(tmp_path / "trainingSet" / "trainingSet", *images[:2])
    for number, image in enumerate(images[2]):
        write(tmp_path / "testSet" / "testSet" / f"img_{number}.jpg", picture(image, "JPEG"))
    data = load_mnist(tmp_path)
    assert_same_images(data, *images[:2])
    assert "20 pictures have no class and were left out" in data.origin.notes
    write_pictures(tmp_path / "trainingSample" / "trainingSample", *images[:2])
    assert_refused(tmp_path, "several sets of pictures")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\nhello", "not a readable picture"),
        (b"", "not a readable picture"),
        (picture(np.zeros(784, np.uint8))[:-30], "not a readable picture"),
    ],
)
def test_broken_picture_is_named(images, tmp_path, content, message):  # noqa: F811
    write_pictures(tmp_path, *images[:2])
    path = write(tmp_path / "3" / "broken.png", content)
    with pytest.raises(DataError, match=message) as caught:
        load_mnist(tmp_path)
    assert str(path) in str(caught.value)


def test_pictures_of_another_size_or_kind_are_refused(images, tmp_path):  # noqa: F811
    write_pictures(tmp_path, *images[:2])
    path = tmp_path / "3" / "odd.png"
    cases = {
        "has 32 x 32 pixels": Image.new("L", (32, 32)),
        "has colours": Image.new("RGB", (28, 28), (9, 1, 1)),
        "has transparent parts": Image.new("LA", (28, 28), (9, 100)),
        "more than 8 bits": Image.fromarray(np.full((28, 28), 3000, np.uint16)),
    }
    for message, odd in cases.items():
        odd.save(path)
        assert_refused(tmp_path, message)
    path.unlink()
    assert_refused(tmp_path / "3", "not in folders of two or more classes")


# Parquet


def write_parquet(path, frame):
    pytest.importorskip("pyarrow")
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path, engine="pyarrow", row_group_size=7)
    return path


def frame_of_pictures(X, y):
    return pd.DataFrame({"image": [{"bytes": picture(image), "path": "x.png"} for image in X], "label": y})


def test_parquet_of_pixels_is_read(images, tmp_path):  # noqa: F811
    path = write_parquet(tmp_path / "mnist.parquet", frame_of(*images[:2], OPENML, "class", last=True))
    data = load_mnist(path)
    assert_same_images(data, *images[:2])
    assert data.origin.format == "Parquet"


def test_parquet_of_floats_and_of_labels_as_text_is_read(images, tmp_path):  # noqa: F811
    frame = frame_of(images[0].astype(float), images[1].astype(str), OPENML, "class", last=True)
    assert_same_images(load_mnist(write_parquet(tmp_path / "a.parquet", frame)), *images[:2])


def test_parquet_of_pictures_in_several_files_is_read(images, tmp_path):  # noqa: F811
    X, y = images[:2]
    write_parquet(tmp_path / "mnist" / "train-00000-of-00002.parquet", frame_of_pictures(X[:25], y[:25]))
    write_parquet(tmp_path / "mnist" / "train-00001-of-00002.parquet", frame_of_pictures(X[25:], y[25:]))
    write_parquet(tmp_path / "mnist" / "test-00000-of-00001.parquet", frame_of_pictures(*images[2:]))
    assert_parts(load_mnist(tmp_path), images[:2], images[2:])


def test_parquet_of_lists_is_read(images, tmp_path):  # noqa: F811
    for folder, X, y in (("train", *images[:2]), ("test", *images[2:])):
        frame = pd.DataFrame({"label": y, "image": [[list(row) for row in image.reshape(28, 28)] for image in X]})
        write_parquet(tmp_path / folder / "0000.parquet", frame)
    assert_parts(load_mnist(tmp_path), images[:2], images[2:])


def test_class_names_of_hugging_face_are_known(images, tmp_path):  # noqa: F811
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    features = '{"info": {"features": {"image": {}, "label": {"names": ["zero", "one", "two"]}}}}'
    table = pyarrow.Table.from_pandas(frame_of_pictures(images[0], images[1] % 3))
    parquet.write_table(table.replace_schema_metadata({"huggingface": features}), tmp_path / "a.parquet")
    data = load_mnist(tmp_path / "a.parquet")
    assert data.class_names == ("zero", "one", "two")


def test_parquet_with_two_columns_of_one_name_is_refused(images, tmp_path):  # noqa: F811
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    frame = frame_of_pictures(*images[:2])
    table = pyarrow.table({"image": list(frame["image"]), "label": frame["label"]})
    parquet.write_table(table.append_column("label", table.column("label")), tmp_path / "mnist.parquet")
    assert_refused(tmp_path / "mnist.parquet", "damaged Parquet file .*label")


def test_broken_parquet_is_refused(images, tmp_path):  # noqa: F811
    pytest.importorskip("pyarrow")
    whole = write_parquet(tmp_path / "a.parquet", frame_of(*images[:2])).read_bytes()
    for content in (whole[:-9], whole[:4], whole[:40] + bytes(400) + whole[440:]):
        assert_refused(write(tmp_path / "b.parquet", content))
    missing = frame_of(*images[:2]).astype(float)
    missing.iloc[3, 5] = np.nan
    assert_refused(write_parquet(tmp_path / "c.parquet", missing), "missing values|expected 0 to 255")
    unnamed = frame_of(*images[:2])
    unnamed.columns = [f"V{number}" for number in range(785)]
    assert_refused(
        write_parquet(tmp_path / "unnamed.parquet", unnamed), "no column is named label; choose with --label"
    )
    assert_same_images(load_mnist(tmp_path / "unnamed.parquet", label="first"), *images[:2])
    unlabelled = write_parquet(tmp_path / "test.parquet", frame_of(images[2]))
    assert_refused(unlabelled, "has no column label")
    elsewhere = frame_of_pictures(*images[:2])
    elsewhere["image"] = [{"bytes": None, "path": "x.png"}] * 40
    assert_refused(write_parquet(tmp_path / "d.parquet", elsewhere), "refers to pictures elsewhere|no field|missing")


# EMNIST


def transposed(X):
    return X.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, 784)


def test_statistics_tell_upright_digits_from_transposed_and_inverted_ones(small_digits):
    X = small_digits.X_train
    assert fraction_wider_than_tall(X) < 0.3
    assert fraction_wider_than_tall(transposed(X)) > 0.7
    assert look_transposed(transposed(X))
    assert not look_transposed(X)
    assert look_inverted(255 - X)
    assert not look_inverted(X)
    noise = np.random.default_rng(0).integers(0, 256, (200, 784), np.uint8)
    assert not look_inverted(noise)
    assert not look_transposed(noise)
    assert not look_transposed(np.zeros((5, 784), np.uint8))


@pytest.mark.parametrize("upright", [False, True])
def test_emnist_is_turned_if_name_and_statistics_agree(small_digits, tmp_path, upright):
    X, y = small_digits.X_train[:500], small_digits.y_train[:500]
    stored = X if upright else transposed(X)
    names = [f"emnist-digits-{stem.replace('t10k', 'test')}" for stem in STEMS]
    for name, content in idx_members((stored[:400], y[:400], stored[400:], y[400:]), names).items():
        write(tmp_path / name, content)
    data = load_mnist(tmp_path)
    assert_parts(data, (X[:400], y[:400]), (X[400:], y[400:]))
    assert data.origin.notes == (() if upright else ("images are transposed; they were turned upright",))


def test_statistics_alone_warn_and_never_turn(small_digits, tmp_path):
    X, y = small_digits.X_train[:500], small_digits.y_train[:500]
    np.savez(tmp_path / "digits.npz", x=transposed(X), y=y)
    with pytest.warns(SuspiciousDataWarning, match="look transposed.*--transposed"):
        data = load_mnist(tmp_path / "digits.npz")
    assert_same_images(data, transposed(X), y)
    assert_same_images(load_mnist(tmp_path / "digits.npz", transposed=True), X, y)
    assert_same_images(load_mnist(tmp_path / "digits.npz", transposed=False), transposed(X), y)


def test_inverted_images_are_announced_and_left(small_digits, tmp_path):
    X, y = 255 - small_digits.X_train[:300], small_digits.y_train[:300]
    np.savez(tmp_path / "digits.npz", x=X, y=y)
    with pytest.warns(SuspiciousDataWarning, match="dark on a light background"):
        assert_same_images(load_mnist(tmp_path / "digits.npz"), X, y)


def letters(small_digits):
    """Return transposed images with labels from 1 to 26."""
    return transposed(small_digits.X_train[:520]), np.arange(520) % 26 + 1


@pytest.mark.parametrize("layout", ["gzip.zip", "CSV of Kaggle"])
def test_emnist_letters_count_from_1_and_have_names(small_digits, tmp_path, layout):
    X, y = letters(small_digits)
    if layout == "gzip.zip":
        names = [f"emnist-letters-{stem.replace('t10k', 'test')}" for stem in STEMS]
        for name, content in idx_members((X, y.astype(np.uint8), X[:52], y[:52].astype(np.uint8)), names).items():
            write(tmp_path / "gzip" / f"{name}.gz", gzip.compress(content))
        (tmp_path / "gzip" / "emnist-letters-mapping.txt").write_text("1 65 97 \n2 66 98 \n")
    else:
        frame_of(X, y).to_csv(tmp_path / "emnist-letters-train.csv", index=False, header=False)
        frame_of(X[:52], y[:52]).to_csv(tmp_path / "emnist-letters-test.csv", index=False, header=False)
    data = load_mnist(tmp_path)
    assert_parts(data, (transposed(X), y - 1), (transposed(X[:52]), y[:52] - 1))
    assert data.classes == 26
    assert data.class_names == tuple(string.ascii_uppercase)
    assert "labels are counted from 1; 1 was subtracted" in data.origin.notes


def test_1_is_subtracted_for_other_names_only_if_asked(small_digits, tmp_path):
    X, y = letters(small_digits)
    np.savez(tmp_path / "letters.npz", x=transposed(X), y=y)
    assert load_mnist(tmp_path / "letters.npz").classes == 27
    assert load_mnist(tmp_path / "letters.npz", labels_from=1).classes == 26
    np.savez(tmp_path / "zero.npz", x=transposed(X), y=y - 1)
    assert_refused(tmp_path / "zero.npz", "there is a label below 1", labels_from=1)


def test_subsets_of_emnist_in_one_folder_are_chosen_by_their_name(small_digits, tmp_path):
    X, y = transposed(small_digits.X_train[:200]), small_digits.y_train[:200]
    for subset in ("digits", "mnist"):
        names = [f"emnist-{subset}-{stem.replace('t10k', 'test')}" for stem in STEMS]
        for name, content in idx_members((X[:100], y[:100], X[100:], y[100:]), names).items():
            write(tmp_path / "EMNIST" / "raw" / f"{name}.gz", gzip.compress(content))
    assert_refused(tmp_path, "several data sets")
    data = load_mnist(tmp_path / "EMNIST" / "raw" / "emnist-digits")
    assert len(data.origin.files) == 4
    np.testing.assert_array_equal(data.X_test, transposed(X[100:]))


def test_medmnist_is_not_emnist(images, tmp_path):  # noqa: F811
    from nnkernels.data.emnist import subset_named

    assert subset_named(["medmnist", "pneumoniamnist.npz"]) is None
    assert subset_named(["emnist-byclass-train.csv"]) == "byclass"
    assert subset_named(["EMNIST/raw/x"]) == ""
