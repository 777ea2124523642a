"""Valid files of every format of data sets and pictures, and their readers."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from nnkernels.data import Dataset, load_mnist
from nnkernels.git import LFS_POINTER
from tests.fuzz.readers import Files, Reader
from tests.idx_bytes import idx_bytes

STEMS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@cache
def digits() -> Dataset:
    """Return made-up images of all ten classes: 60 for training, 20 for the test."""
    rng = np.random.default_rng(0)
    X = np.where(rng.random((80, 784)) < 0.1, rng.integers(1, 256, (80, 784)), 0).astype(np.uint8)
    y = (np.arange(80) % 10).astype(np.uint8)
    return Dataset(X[:60], y[:60], X[60:], y[60:])


def _idx(names: tuple[str, ...] = STEMS, pack: Callable[[bytes], bytes] = bytes) -> Files:
    data = digits()
    arrays = (data.X_train.reshape(-1, 28, 28), data.y_train, data.X_test.reshape(-1, 28, 28), data.y_test)
    return {name: pack(idx_bytes(values)) for name, values in zip(names, arrays, strict=True)}


def _qmnist() -> Files:
    folder = "QMNIST/raw"
    files = _idx(
        tuple(f"{folder}/qmnist-{part}" for part in ("train-images-idx3-ubyte", "a", "test-images-idx3-ubyte", "b"))
    )
    labels = {}
    for part, y in (("train", digits().y_train), ("test", digits().y_test)):
        values = np.zeros((len(y), 8), ">i4")
        values[:, 0] = y
        content = bytes((0, 0, 0x0C, 2)) + np.array(values.shape, ">u4").tobytes() + values.tobytes()
        labels[f"{folder}/qmnist-{part}-labels-idx2-int"] = content
    return {name: content for name, content in files.items() if name[-1] not in "ab"} | labels


def _emnist() -> Files:
    files = _idx(
        tuple(f"emnist-letters-{part}" for part in ("train-images-idx3-ubyte", "l", "test-images-idx3-ubyte", "m"))
    )
    labels = {
        f"emnist-letters-{part}-labels-idx1-ubyte": idx_bytes(y + np.uint8(1))
        for part, y in (("train", digits().y_train), ("test", digits().y_test))
    }
    return {name: content for name, content in files.items() if name[-1] not in "lm"} | labels


def _table(header: bool = True, last: bool = False, kind: type = int) -> bytes:
    data, text = digits(), io.StringIO()
    writer = csv.writer(text)
    if header:
        names = [f"pixel{pixel}" for pixel in range(784)]
        writer.writerow([*names, "class"] if last else ["label", *names])
    for label, image in zip(data.y_train, data.X_train, strict=True):
        pixels = [kind(value) for value in image]
        writer.writerow([*pixels, label] if last else [label, *pixels])
    return text.getvalue().encode()


def _csv() -> Files:
    return {"train.csv": _table(), "test.csv.gz": gzip.compress(_table(), 1, mtime=0)}


def _arff() -> Files:
    names = "".join(f"@ATTRIBUTE pixel{pixel} real\n" for pixel in range(1, 785))
    rows = _table(header=False, last=True).decode().replace("\r\n", "\n")
    text = f"% digits\n@RELATION mnist\n{names}@ATTRIBUTE class {{{','.join('0123456789')}}}\n@DATA\n{rows}"
    return {"mnist_784.arff": text.encode()}


def _libsvm(scale: float) -> bytes:
    lines = []
    for label, image in zip(digits().y_train, digits().X_train, strict=True):
        pairs = (f"{pixel + 1}:{image[pixel] / scale:.6g}" for pixel in np.flatnonzero(image))
        lines.append(f"{label} {' '.join(pairs)}\n")
    return "".join(lines).encode()


def _parquet(pictures: bool) -> Files:
    import pyarrow
    from pyarrow import parquet

    data, content = digits(), io.BytesIO()
    columns: dict[str, Any]
    if pictures:
        columns = {"image": [{"bytes": picture(image, "png"), "path": None} for image in data.X_train]}
        columns["label"] = data.y_train.astype(np.int64)
    else:
        columns = {f"pixel{pixel}": data.X_train[:, pixel] for pixel in range(784)} | {"label": data.y_train}
    parquet.write_table(pyarrow.table(columns), content, row_group_size=16)
    return {"train-00000-of-00001.parquet": content.getvalue()}


def _npz(**arrays: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    return content.getvalue()


def _npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()


def _keras_npz() -> Files:
    data = digits()
    images = {"x_train": data.X_train.reshape(-1, 28, 28), "x_test": data.X_test.reshape(-1, 28, 28)}
    return {"mnist.npz": _npz(**images, y_train=data.y_train, y_test=data.y_test)}


def _one_part_npz() -> Files:
    data = digits()
    return {
        "digits-train.npz": _npz(x=data.X_train, y=data.y_train),
        "digits-test.npz": _npz(x=data.X_test, y=data.y_test),
    }


def _array_pairs(suffix: str) -> Files:
    def pack(array: np.ndarray) -> bytes:
        return _npz(arr_0=array) if suffix == "npz" else _npy(array)

    data = digits()
    arrays = {
        "train-imgs": data.X_train.reshape(-1, 28, 28), "train-labels": data.y_train,
        "test-imgs": data.X_test.reshape(-1, 28, 28, 1), "test-labels": data.y_test,
    }  # fmt: skip
    return {f"kmnist-{name}.{suffix}": pack(array) for name, array in arrays.items()}


def _medmnist() -> Files:
    data, arrays = digits(), {}
    for part, X, y in (
        ("train", data.X_train[:40], data.y_train[:40]), ("val", data.X_train[40:], data.y_train[40:]),
        ("test", data.X_test, data.y_test),
    ):  # fmt: skip
        arrays |= {f"{part}_images": X.reshape(-1, 28, 28), f"{part}_labels": y[:, None]}
    return {"pneumoniamnist.npz": _npz(**arrays)}


def picture(pixels: np.ndarray, kind: str, mode: str = "L", side: int = 28) -> bytes:
    """Return a square picture in a format of Pillow."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(pixels.reshape(side, side)).convert(mode).save(content, kind)
    return content.getvalue()


def _pictures() -> Files:
    data, kinds = digits(), ("png", "jpeg", "bmp")
    return {
        f"{part}/{label}/{number}.{kinds[number % 3]}": picture(image, kinds[number % 3])
        for part, X, y in (("training", data.X_train, data.y_train), ("testing", data.X_test, data.y_test))
        for number, (image, label) in enumerate(zip(X[:20], y[:20], strict=True))
    }


def _zipped(files: Files) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, inner in files.items():
            archive.writestr(name, inner)
    return content.getvalue()


def _photos() -> Files:
    canvas = np.zeros((40, 40), np.uint8)
    canvas[8:32, 16:24] = 255
    kinds = ("png", "jpeg", "bmp", "gif", "webp", "tiff", "ppm", "tga", "ico", "pcx", "jpeg2000", "qoi", "avif", "dds")
    files = {}
    for kind in kinds:
        try:
            files[f"digit.{kind}"] = picture(canvas, kind, "RGB" if kind in ("ppm", "qoi") else "L", 40)
        except (KeyError, OSError):  # this build of Pillow does not write the format
            continue
    return files | {"transparent.png": picture(canvas, "png", "LA", 40), "palette.png": picture(canvas, "png", "P", 40)}


def _read_photos(folder: Path) -> object:
    """Read the pictures as ``nnkernels predict`` does: the first that cannot be read ends it."""
    from nnkernels.transforms import read_digit

    return [read_digit(path) for path in sorted(folder.iterdir())]


def _read_image_file(path: Path) -> object:
    """Read a file piece by piece, as predictions from a file do."""
    from nnkernels.data.image_file import ImageFile, read_labels

    images = ImageFile(path / "images")
    return images.read(0, min(len(images), 64)), read_labels(path / "labels")


def data_readers() -> list[Reader]:
    """Return the readers of data sets and pictures."""

    def load(path: Path) -> object:
        return load_mnist(path)

    idx, archives = ("data.formats.idx_files",), "data.formats._archives"
    data = digits()
    return [
        Reader("IDX", idx, load, _idx),
        Reader("IDX, gzip", idx, load, lambda: _idx(tuple(f"{stem}.gz" for stem in STEMS), gzip.compress)),
        Reader("IDX, torchvision", idx, load, lambda: _idx(tuple(f"MNIST/raw/{stem}" for stem in STEMS))),
        Reader("IDX, QMNIST", idx, load, _qmnist),
        Reader("IDX, EMNIST", idx, load, _emnist),
        Reader(
            "IDX in ZIP", ("data.formats._sources",), load,
            lambda: {"archive.zip": _zipped(_idx())}, "archive.zip",
        ),
        Reader(
            "IDX, piece by piece", ("data.image_file",), _read_image_file,
            lambda: {"images": idx_bytes(data.X_train.reshape(-1, 28, 28)), "labels": idx_bytes(data.y_train)},
        ),
        Reader(
            "npy, piece by piece", ("data.image_file",), _read_image_file,
            lambda: {"images": _npy(data.X_train.astype(np.int16)), "labels": _npy(data.y_train)},
        ),
        # Floats first: a package that only they need is then imported before a process is forked.
        Reader(
            "CSV of floats, xz", ("data.formats.csv_table",), load,
            lambda: {"train.csv.xz": lzma.compress(_table(header=False, kind=float), preset=1)}, "train.csv.xz",
        ),
        Reader("CSV", ("data.formats.csv_table",), load, _csv),
        Reader("ARFF", ("data.formats.arff",), load, _arff, "mnist_784.arff"),
        Reader("LIBSVM, scaled", ("data.formats.libsvm",), load, lambda: {"mnist.scale": _libsvm(255)}, "mnist.scale"),
        Reader(
            "LIBSVM, bz2", ("data.formats.libsvm",), load,
            lambda: {"mnist.bz2": bz2.compress(_libsvm(1)), "mnist.t.bz2": bz2.compress(_libsvm(1))},
        ),
        Reader("Parquet of pixels", ("data.formats.parquet",), load, lambda: _parquet(False)),
        Reader("Parquet of pictures", ("data.formats.parquet",), load, lambda: _parquet(True)),
        Reader("npz of one array each", ("data.formats.array_pairs", archives), load, lambda: _array_pairs("npz")),
        Reader("npy", ("data.formats.array_pairs", archives), load, lambda: _array_pairs("npy")),
        Reader("npz, Keras", ("data.formats.keras_npz", archives), load, _keras_npz, "mnist.npz"),
        Reader("npz, a part each", ("data.formats.keras_npz", archives), load, _one_part_npz),
        Reader("npz, cached", ("data.npz",), _read_cached_npz, _keras_npz, "mnist.npz"),
        Reader("npz, MedMNIST", ("data.formats.medmnist_npz", archives), load, _medmnist),
        Reader("pictures of a data set", ("data.formats.picture_folders", "data.formats._pictures"), load, _pictures),
        Reader(
            "data set of MATLAB", ("data.formats.matlab",), load,
            lambda: {"emnist-letters.mat": b"MATLAB 5.0 MAT-file" + bytes(128)}, "emnist-letters.mat", refuses=True,
        ),
        Reader(
            "data set, pickled", ("data.formats.pickled",), load,
            lambda: {"mnist.pkl.gz": gzip.compress(b"\x80\x04N.", 1, mtime=0)}, "mnist.pkl.gz", refuses=True,
        ),
        Reader(
            "pointer of Git LFS", ("data.formats.git_lfs",), load,
            lambda: {"train.parquet": LFS_POINTER + b"v1\noid sha256:00\nsize 9\n"}, "train.parquet", refuses=True,
        ),
        Reader("photos", ("transforms.image_files",), _read_photos, _photos),
    ]  # fmt: skip


def _read_cached_npz(path: Path) -> object:
    from nnkernels.data.npz import read_npz

    return read_npz(path)
