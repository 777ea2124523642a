"""A check of labels before they are cast, because a cast to 32 bits could turn a label into another one."""

from __future__ import annotations

from nnkernels.data import LabelledImages
from nnkernels.errors import DataError


def check_labels(data: LabelledImages, classes: int) -> None:
    """Check that each label is a class of the network.

    Parameters
    ----------
    data : LabelledImages
        Images with labels, which are not negative.
    classes : int
        The number of classes.

    Raises
    ------
    DataError
        If a label is not below ``classes``. Compiled code does not check bounds and would read out of bounds.
    """
    if len(data.y) and data.y.max() >= classes:
        raise DataError(f"a label is {data.y.max()}; the network has {classes} classes")
