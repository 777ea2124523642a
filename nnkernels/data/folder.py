"""A data set as a folder of the four IDX files, as MNIST was published."""

from __future__ import annotations

from pathlib import Path

from nnkernels.data.dataset import PIXELS, ByteArray, Dataset
from nnkernels.data.idx import read_idx, write_idx
from nnkernels.errors import DataError

STEMS = {
    "X_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "X_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


def read_folder(folder: Path) -> Dataset:
    """Read the four IDX files of ``folder``, each plain or gzipped.

    Raises
    ------
    DataError
        If a file is missing or damaged, or the four do not fit together.
    """
    X_train = _read_images(_find(folder, STEMS["X_train"]))
    y_train = read_idx(_find(folder, STEMS["y_train"]), 1)
    X_test = _read_images(_find(folder, STEMS["X_test"]))
    y_test = read_idx(_find(folder, STEMS["y_test"]), 1)
    try:
        return Dataset(X_train, y_train, X_test, y_test)
    except DataError as error:
        raise DataError(f"{folder}: {error}") from error


def write_folder(folder: Path, dataset: Dataset) -> None:
    """Write a data set as four plain IDX files, which load without being unpacked."""
    folder.mkdir(parents=True, exist_ok=True)
    for field, stem in STEMS.items():
        values: ByteArray = getattr(dataset, field)
        write_idx(folder / stem, values.reshape(-1, 28, 28) if values.ndim == 2 else values)


def _find(folder: Path, stem: str) -> Path:
    # Distributions differ in the dot or dash before "idx", and in being gzipped.
    dotted = stem.replace("-idx", ".idx")
    candidates = [folder / name for name in (stem, f"{stem}.gz", dotted, f"{dotted}.gz")]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise DataError(f"{folder}: holds neither {stem} nor {stem}.gz; a data folder needs all four IDX files of MNIST")


def _read_images(path: Path) -> ByteArray:
    images = read_idx(path, 3)
    if images.shape[1:] != (28, 28):
        raise DataError(f"{path}: images of {images.shape[1]} x {images.shape[2]} pixels; expected 28 x 28")
    return images.reshape(-1, PIXELS)
