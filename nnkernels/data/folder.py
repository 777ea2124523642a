"""Data sets as a folder of four IDX files, the form in which MNIST was published."""

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
    """Read the four IDX files of a folder, each plain or gzipped.

    Parameters
    ----------
    folder : Path
        Contains ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
        ``t10k-labels-idx1-ubyte``. A dot may replace the dash before ``idx``, and ``.gz`` may follow.

    Returns
    -------
    dataset : Dataset
        Training and test images.

    Raises
    ------
    DataError
        If a file is missing or damaged, or if numbers of images and labels differ.
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
    """Write a data set as four uncompressed IDX files.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.
    dataset : Dataset
        The data set to write.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for field, stem in STEMS.items():
        values: ByteArray = getattr(dataset, field)
        write_idx(folder / stem, values.reshape(-1, 28, 28) if values.ndim == 2 else values)


def _find(folder: Path, stem: str) -> Path:
    # Distributions differ in the dot or dash before "idx" and in whether files are gzipped.
    dotted = stem.replace("-idx", ".idx")
    candidates = [folder / name for name in (stem, f"{stem}.gz", dotted, f"{dotted}.gz")]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise DataError(f"{folder}: contains neither {stem} nor {stem}.gz; expected all four IDX files of MNIST")


def _read_images(path: Path) -> ByteArray:
    images = read_idx(path, 3)
    if images.shape[1:] != (28, 28):
        raise DataError(f"{path}: has images of {images.shape[1]} x {images.shape[2]} pixels; expected 28 x 28")
    return images.reshape(-1, PIXELS)
