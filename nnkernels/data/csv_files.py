"""Data sets in Kaggle's CSV layout ``label,pixel0,...,pixel783``, one image per row. Test files have no label."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nnkernels.data.dataset import CLASSES, PIXELS, ByteArray, Dataset
from nnkernels.data.splits import stratified_split
from nnkernels.errors import DataError, MissingDependencyError

LABEL = "label"
PIXEL_COLUMNS = [f"pixel{i}" for i in range(PIXELS)]
CHUNK_ROWS = 4096  # 25 MB in pandas, regardless of the size of the file
TEST_FRACTION = 1 / 7  # as in MNIST: 10,000 of 70,000
SPLIT_SEED = 0


def read_csv(path: Path) -> tuple[ByteArray, ByteArray | None]:
    """Read a CSV file of digits in chunks.

    Parameters
    ----------
    path : Path
        The file. Its first line has the column names.

    Returns
    -------
    X : ndarray of uint8, shape (N, 784)
        Pixels, one image per row.
    y : ndarray of uint8, shape (N,), or None
        Labels, or None if the file has no column ``label``.

    Raises
    ------
    DataError
        If the file is missing or empty, or has other columns, missing values, or values out of range.
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
        # Read as floats, so that a missing or invalid value is reported with its position below, not inside pandas.
        first_row = 0
        with pd.read_csv(path, chunksize=CHUNK_ROWS, dtype=np.float32) as chunks:
            for chunk in chunks:
                images.append(_to_uint8(path, chunk[PIXEL_COLUMNS].to_numpy(), 255, "pixel", first_row))
                if labelled:
                    labels.append(_to_uint8(path, chunk[LABEL].to_numpy(), CLASSES - 1, "label", first_row))
                first_row += len(chunk)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{path}: empty; expected a header line {LABEL},pixel0,...,pixel{PIXELS - 1}") from error
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{path}: not a CSV of numbers ({error})") from error
    if first_row == 0:
        raise DataError(f"{path}: has a header line but no images")
    return np.concatenate(images), np.concatenate(labels) if labelled else None


def read_csv_dataset(path: Path) -> Dataset:
    """Read one labelled CSV file, such as Kaggle's ``train.csv``, and split it into training and test images.

    The split is stratified and seeded. One image in seven is a test image, as in MNIST.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dataset : Dataset
        Training and test images.

    Raises
    ------
    DataError
        If :func:`read_csv` rejects the file, or if the file has no labels.
    MissingDependencyError
        If pandas is not installed.
    """
    X, y = read_csv(path)
    if y is None:
        raise DataError(
            f"{path}: has no column {LABEL}, which training needs; use a labelled file such as Kaggle's train.csv"
        )
    train, test = stratified_split(y, TEST_FRACTION, SPLIT_SEED)
    try:
        return Dataset(X[train], y[train], X[test], y[test])
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _check_header(path: Path, header: list[str]) -> None:
    expected = ([LABEL] if LABEL in header else []) + PIXEL_COLUMNS
    if sorted(header) != sorted(expected):
        missing = next((name for name in expected if name not in header), None)
        unexpected = next((name for name in header if name not in expected), None)
        fault = f"the column {missing} is missing" if missing else f"the column {unexpected} is unexpected"
        raise DataError(f"{path}: {fault}; expected [{LABEL},]pixel0,...,pixel{PIXELS - 1}")


def _to_uint8(path: Path, values: np.ndarray, largest: int, what: str, first_row: int) -> ByteArray:
    invalid = ~((values >= 0) & (values <= largest) & (values == np.floor(values)))  # NaN fails all three comparisons
    if invalid.any():
        index = tuple(int(i) for i in np.argwhere(invalid)[0])
        raise DataError(
            f"{path}: image {first_row + index[0]} has the {what} {values[index]:g}; "
            f"expected an integer from 0 to {largest}"
        )
    return values.astype(np.uint8)
