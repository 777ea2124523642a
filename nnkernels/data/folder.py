"""Writing of data sets as a folder of IDX files, the form in which MNIST was published."""

from __future__ import annotations

from pathlib import Path

from nnkernels.data.dataset import ByteArray, Dataset
from nnkernels.data.idx import write_idx

STEMS = {
    "X_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "X_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
    "X_validation": "validation-images-idx3-ubyte",
    "y_validation": "validation-labels-idx1-ubyte",
}


def write_folder(folder: Path, dataset: Dataset) -> None:
    """Write a data set as four uncompressed IDX files, or six if it has validation images.

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
        values: ByteArray | None = getattr(dataset, field)
        if values is not None:
            write_idx(folder / stem, values.reshape(-1, 28, 28) if values.ndim == 2 else values)
