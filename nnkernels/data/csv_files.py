"""A data set as CSV in Kaggle's layout: ``label,pixel0,...,pixel783``, a row an image; test files lack the label."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nnkernels.data.dataset import CLASSES, PIXELS, ByteArray, Dataset
from nnkernels.data.splits import stratified_split
from nnkernels.errors import DataError, MissingDependencyError

LABEL = "label"
PIXEL_COLUMNS = [f"pixel{i}" for i in range(PIXELS)]
ROWS_AT_A_TIME = 4096  # 25 MB as pandas reads them, whatever the size of the file
TEST_SHARE = 1 / 7  # MNIST's own: 10,000 of 70,000
SPLIT_SEED = 0


def read_csv(path: Path) -> tuple[ByteArray, ByteArray | None]:
    """Read a CSV file of digits, in chunks.

    Returns
    -------
    X : ndarray of uint8, shape (N, 784)
    y : ndarray of uint8, shape (N,), or None
        None if the file has no column ``label``.

    Raises
    ------
    DataError
        If the file is missing, empty, or has other columns, missing values, or values out of range.
    MissingDependencyError
        If pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependencyError("reading CSV files", "pandas", "data") from error
    images: list[ByteArray] = []
    labels: list[ByteArray] = []
    labelled = False
    try:
        header = list(pd.read_csv(path, nrows=0).columns)
        labelled = LABEL in header
        _check_header(path, header)
        # As floats, so that a missing or broken value is found here and can be named, not inside pandas.
        first_row = 0
        with pd.read_csv(path, chunksize=ROWS_AT_A_TIME, dtype=np.float32) as chunks:
            for chunk in chunks:
                images.append(_bytes(path, chunk[PIXEL_COLUMNS].to_numpy(), 255, "pixel", first_row))
                if labelled:
                    labels.append(_bytes(path, chunk[LABEL].to_numpy(), CLASSES - 1, "label", first_row))
                first_row += len(chunk)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{path}: empty; expected a header line {LABEL},pixel0,...,pixel{PIXELS - 1}") from error
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{path}: not a CSV of numbers ({error})") from error
    if first_row == 0:
        raise DataError(f"{path}: a header and no images")
    return np.concatenate(images), np.concatenate(labels) if labelled else None


def read_csv_dataset(path: Path) -> Dataset:
    """Read one labelled CSV file (Kaggle's ``train.csv``) and split it, stratified and seeded, six to one.

    Raises
    ------
    DataError
        As :func:`read_csv`, and if the file has no labels.
    """
    X, y = read_csv(path)
    if y is None:
        raise DataError(f"{path}: has no column {LABEL}, so nothing can be learnt from it; Kaggle's train.csv has one")
    train, test = stratified_split(y, TEST_SHARE, SPLIT_SEED)
    try:
        return Dataset(X[train], y[train], X[test], y[test])
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _check_header(path: Path, header: list[str]) -> None:
    expected = ([LABEL] if LABEL in header else []) + PIXEL_COLUMNS
    if sorted(header) != sorted(expected):
        missing = next((name for name in expected if name not in header), None)
        surplus = next((name for name in header if name not in expected), None)
        fault = f"lacks the column {missing}" if missing else f"has an unexpected column {surplus}"
        raise DataError(f"{path}: {fault}; expected [{LABEL},]pixel0,...,pixel{PIXELS - 1}")


def _bytes(path: Path, values: np.ndarray, largest: int, what: str, first_row: int) -> ByteArray:
    wrong = ~((values >= 0) & (values <= largest) & (values == np.floor(values)))  # a NaN is none of these
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise DataError(
            f"{path}: image {first_row + where[0]} has the {what} {values[where]:g}; "
            f"expected an integer, 0 to {largest}"
        )
    return values.astype(np.uint8)
