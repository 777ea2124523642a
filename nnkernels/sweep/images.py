"""A data set in a temporary file, for the worker processes on this machine.

Unlike ``nnkernels.data.npz``, which writes the four arrays of Keras' layout, it keeps validation images and classes.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from nnkernels.data import Dataset


def write_images(dataset: Dataset, path: Path) -> None:
    """Write a data set to a file.

    Parameters
    ----------
    dataset : Dataset
        The data set. Its origin is left out.
    path : Path
        The file, an ``.npz`` archive that is not compressed.
    """
    values = {field.name: getattr(dataset, field.name) for field in fields(Dataset) if field.name != "origin"}
    np.savez(path, allow_pickle=False, **{name: value for name, value in values.items() if value is not None})


def read_images(path: Path) -> Dataset:
    """Read what :func:`write_images` has written.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dataset : Dataset
        The same data set: its :attr:`~nnkernels.data.Dataset.sha256`, classes and their names are equal.
    """
    with np.load(path, allow_pickle=False) as archive:
        values: dict[str, Any] = dict(archive)
    values["classes"] = int(values["classes"])
    if "class_names" in values:
        values["class_names"] = tuple(values["class_names"].tolist())
    return Dataset(**values)
