"""EMNIST's peculiarities: its images are transposed, and its letters are counted from 1."""

from __future__ import annotations

import string
from collections.abc import Iterable

BALANCED = string.digits + string.ascii_uppercase + "abdefghnqrt"
CLASS_NAMES = {
    "letters": string.ascii_uppercase,
    "byclass": string.digits + string.ascii_uppercase + string.ascii_lowercase,
    "bymerge": BALANCED,
    "balanced": BALANCED,
    "digits": string.digits,
    "mnist": string.digits,
}


def subset_named(names: Iterable[str]) -> str | None:
    """Return which subset of EMNIST the names of files or folders name.

    Parameters
    ----------
    names : iterable of str
        Names of the files and of the source.

    Returns
    -------
    subset : str or None
        ``letters``, ``byclass`` or another key of ``CLASS_NAMES``; empty if they only say EMNIST; None if they do not.
    """
    text = " ".join(names).lower()
    if "emnist" not in text.replace("medmnist", ""):
        return None
    rest = text.replace("emnist", "")
    return next((subset for subset in CLASS_NAMES if subset in rest), "")


def class_names(subset: str | None, classes: int) -> tuple[str, ...] | None:
    """Return the names of the classes of a subset.

    Parameters
    ----------
    subset : str or None
        As :func:`subset_named` returns it.
    classes : int
        The number of classes of the data.

    Returns
    -------
    names : tuple of str or None
        None if the subset is unknown or has another number of classes.
    """
    names = CLASS_NAMES.get(subset or "", "")
    return tuple(names) if len(names) == classes else None
