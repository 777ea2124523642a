"""Labels that a network has no class for, refused before any cast: cut to 32 bits, one would be another's."""

from __future__ import annotations

from nnkernels.data import LabelledImages
from nnkernels.errors import DataError


def check_labels(data: LabelledImages, classes: int) -> None:
    """Check that each label is a class of a network.

    Raises
    ------
    DataError
        If a label is as large as the number of classes: compiled code would read beside the arrays.
    """
    if len(data.y) and data.y.max() >= classes:
        raise DataError(f"a label is {data.y.max()}; the network has {classes} classes")
