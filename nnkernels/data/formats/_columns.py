"""Which column of a table is the label, and which are the pixels in which order, as a header or the values say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nnkernels.data.dataset import MAX_CLASSES, PIXELS
from nnkernels.data.formats._pixels import SIDE
from nnkernels.errors import ConfigurationError, DataError

LABELS = ("label", "labels", "class", "target", "digit", "y")
IGNORED = ("", "unnamed: 0", "id", "index", "imageid")  # a column of row numbers
_NUMBERED = re.compile(r"(.*?)(\d+)")
_GRID = re.compile(r"(\d+)x(\d+)")
KINDS = ("label,pixel0,...,pixel783", "pixel1,...,pixel784,class", "label,1x1,...,28x28")


@dataclass(frozen=True)
class Columns:
    """The columns of a table.

    Attributes
    ----------
    count : int
        The number of columns.
    pixels : tuple of int
        The columns of the 784 pixels, row by row of the image.
    label : int or None
        The column of the label. None if there is none.
    names : tuple of str
        The name of each column, for messages.
    """

    count: int
    pixels: tuple[int, ...]
    label: int | None
    names: tuple[str, ...]


def columns_of_header(names: Sequence[str], where: str, label: str | None) -> Columns:
    """Return the columns that a header names.

    Parameters
    ----------
    names : sequence of str
        The header.
    where : str
        The name of the file, for error messages.
    label : {"first", "last"} or None
        The column of the labels, if the user has chosen it.

    Returns
    -------
    columns : Columns
        The columns. Those of row numbers are neither pixels nor the label.

    Raises
    ------
    DataError
        If a column of pixels is missing, another one is unexpected, or two may be the label.
    ConfigurationError
        If the chosen column contains pixels.
    """
    lower = [name.strip().strip("'\"").lower() for name in names]
    places = _pixel_places(lower)
    others = [place for place in range(len(lower)) if place not in places]
    if label is not None:
        place = 0 if label == "first" else len(lower) - 1
        chosen: int | None = place
        if place in places:
            raise ConfigurationError(f"{where}: --label {label} names the column {names[place]}, which is a pixel")
    else:
        found = [place for place in others if lower[place] in LABELS]
        if len(found) > 1:
            listed = " and ".join(names[place] for place in found)
            raise DataError(f"{where}: {listed} may both be the label; choose with --label first or --label last")
        chosen = found[0] if found else None
    unknown = [place for place in others if place != chosen and lower[place] not in IGNORED]
    ordered = sorted(places, key=lambda place: places[place])
    missing = _missing(lower, places)
    if missing or unknown or len(ordered) != PIXELS:
        fault = f"it has {len(ordered)} columns of pixels, not {PIXELS}"
        if missing:
            fault = f"the column {missing} is missing"
        elif unknown:
            fault = f"the column {names[unknown[0]]} is unexpected"
        raise DataError(f"{where}: {fault}; expected {' or '.join(KINDS)}")
    return Columns(len(lower), tuple(ordered), chosen, tuple(names))


def columns_without_header(count: int, where: str) -> Columns:
    """Return the columns of a table of 784 or 785 columns without names. The label is found later, by its values.

    Parameters
    ----------
    count : int
        The number of columns.
    where : str
        The name of the file, for error messages.

    Returns
    -------
    columns : Columns
        The columns, without a label.

    Raises
    ------
    DataError
        If there is another number of columns.
    """
    if count not in (PIXELS, PIXELS + 1):
        raise DataError(
            f"{where}: has {count} columns; expected a label and {PIXELS} pixels, with a header such as "
            f"{' or '.join(KINDS)}, or without one"
        )
    return Columns(count, tuple(range(count))[:PIXELS], None, tuple(f"column {place + 1}" for place in range(count)))


def with_label_by_values(columns: Columns, rows: npt.NDArray[np.uint8], where: str, label: str | None) -> Columns:
    """Return the columns of a table without a header, whose label is the first or the last column.

    A column may be the label if all of its values are possible classes and at least two of them differ.

    Parameters
    ----------
    columns : Columns
        The columns, without a label.
    rows : ndarray of uint8, shape (N, count)
        The whole table.
    where : str
        The name of the file, for error messages.
    label : {"first", "last"} or None
        The column of the labels, if the user has chosen it.

    Returns
    -------
    columns : Columns
        The columns with the label, unless there are only 784.

    Raises
    ------
    DataError
        If both columns may be the label, or none, and the user has not chosen one.
    """
    if columns.count == PIXELS:
        return columns
    places = {"first": 0, "last": columns.count - 1}
    if label is None:
        found = [side for side, place in places.items() if _may_be_label(rows[:, place])]
        if len(found) != 1:
            what = "both the first and the last column" if found else "neither the first nor the last column"
            raise DataError(
                f"{where}: has no header, and {what} could be the label (integers below {MAX_CLASSES}, at least two "
                "different ones); choose with --label first or --label last"
            )
        label = found[0]
    place = places[label]
    pixels = tuple(column for column in range(columns.count) if column != place)
    return Columns(columns.count, pixels, place, columns.names)


def _may_be_label(values: npt.NDArray[np.uint8]) -> bool:
    return bool(values.size and values.max() < MAX_CLASSES and values.min() != values.max())


def _pixel_places(names: list[str]) -> dict[int, int]:
    """Return the columns of pixels with their places in the image, which begin at 0."""
    grid = {place: match for place, name in enumerate(names) if (match := _GRID.fullmatch(name))}
    if len(grid) > PIXELS // 2:
        base = min(int(match[1]) for match in grid.values())
        return {place: (int(match[1]) - base) * SIDE + int(match[2]) - base for place, match in grid.items()}
    numbered = {place: match for place, name in enumerate(names) if (match := _NUMBERED.fullmatch(name))}
    prefixes = [match[1] for match in numbered.values()]
    prefix = max(set(prefixes), key=prefixes.count, default="")
    numbers = {place: int(match[2]) for place, match in numbered.items() if match[1] == prefix}
    base = 0 if 0 in numbers.values() or PIXELS not in numbers.values() else 1
    return {place: number - base for place, number in numbers.items()}


def _missing(names: list[str], places: dict[int, int]) -> str:
    absent = sorted(set(range(PIXELS)) - set(places.values()))
    if not absent or len(absent) > PIXELS // 2:
        return ""
    example = names[next(iter(places))]
    if _GRID.fullmatch(example):
        return f"{absent[0] // SIDE + 1}x{absent[0] % SIDE + 1}"
    base = int(_NUMBERED.fullmatch(example)[2]) - places[next(iter(places))]  # type: ignore[index]
    return f"{_NUMBERED.fullmatch(example)[1]}{absent[0] + base}"  # type: ignore[index]
