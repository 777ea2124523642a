"""Which column of a table is the label, and which are the pixels in which order, as a header or the values say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nnkernels.data.dataset import MAX_CLASSES, PIXELS
from nnkernels.data.formats._pixels import SIDE
from nnkernels.errors import ConfigurationError, DataError

LABELS = ("label", "labels", "class", "target", "digit", "y")
IGNORED = ("", "unnamed: 0", "id", "index", "imageid")  # a column of row numbers
_NUMBERED = re.compile(r"(.*?)(\d+)")
_GRID = re.compile(r"(\d+)x(\d+)")
MAX_LISTED = 5  # columns that a message lists
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
        The column of the label. None if there is none, or if only the values tell.
    names : tuple of str
        The name of each column, for messages.
    candidates : tuple of int
        The 785 columns of pixels and the label, if only the values tell which is the label.
    ignored : tuple of int
        Columns of row numbers, which may have any value.
    """

    count: int
    pixels: tuple[int, ...]
    label: int | None
    names: tuple[str, ...]
    candidates: tuple[int, ...] = ()
    ignored: tuple[int, ...] = ()


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
    ignored = tuple(place for place, name in enumerate(lower) if name in IGNORED)
    if _are_all_alike([name for name in lower if name not in IGNORED]):
        candidates = tuple(place for place in range(len(lower)) if place not in ignored)
        return _with_choice(Columns(len(lower), (), None, tuple(names), candidates, ignored), label)
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
    return Columns(len(lower), tuple(ordered), chosen, tuple(names), ignored=ignored)


def columns_without_header(count: int, where: str, label: str | None) -> Columns:
    """Return the columns of a table of 784 or 785 columns without names.

    Parameters
    ----------
    count : int
        The number of columns.
    where : str
        The name of the file, for error messages.
    label : {"first", "last"} or None
        The column of the labels, if the user has chosen it.

    Returns
    -------
    columns : Columns
        The columns. With 785 of them and without a choice, :func:`with_label_by_values` finds the label.

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
    names = tuple(f"column {place + 1}" for place in range(count))
    if count == PIXELS:
        return Columns(count, tuple(range(count)), None, names)
    return _with_choice(Columns(count, (), None, names, tuple(range(count))), label)


def is_default_header(names: Sequence[str]) -> bool:
    """Return whether a line of numbers is a header that counts its columns, as pandas writes by default.

    Parameters
    ----------
    names : sequence of str
        The fields of the line.

    Returns
    -------
    is_header : bool
        Whether they are the integers from 0 or 1 on, also behind an empty name.
    """
    counted = [name.strip() for name in names[1:] if name] if names and not names[0] else list(names)
    return any(counted == [str(number + base) for number in range(len(counted))] for base in (0, 1))


def with_label_by_values(columns: Columns, rows: npt.NDArray[np.uint8], where: str) -> Columns:
    """Return the columns of a table whose names do not tell the label, with the label that its values tell.

    The label contains integers below 64, at least two different ones. It is the first or the last column, if only one
    of these does. Of the columns between them, which in all published files are pixels, only one that contains every
    integer up to its largest is taken for the label: in MNIST, more than twenty pixels never reach 64.

    Parameters
    ----------
    columns : Columns
        The columns with their candidates.
    rows : ndarray of uint8, shape (N, count)
        The whole table.
    where : str
        The name of the file, for error messages.

    Returns
    -------
    columns : Columns
        The columns with the label.

    Raises
    ------
    DataError
        If several columns may be the label, or none.
    """
    found = _columns_of_classes(rows)
    ends = [place for place in (columns.candidates[0], columns.candidates[-1]) if place in found]
    if len(ends) > 1:
        what = "both the first and the last column"
    elif ends:
        return _with_label(columns, ends[0])
    else:
        inner = [place for place in columns.candidates if place in found and _has_all_classes(rows[:, place])]
        if len(inner) == 1:
            return _with_label(columns, inner[0])
        what = "neither the first nor the last column"
        if inner:
            listed = ", ".join(columns.names[place] for place in inner[:MAX_LISTED])
            what = f"{len(inner)} columns ({listed}{', ...' if len(inner) > MAX_LISTED else ''})"
    raise DataError(
        f"{where}: no header names the label, and {what} could be the label (integers below {MAX_CLASSES}, at least "
        "two different ones); choose with --label first or --label last, or add a header with a column label"
    )


def _columns_of_classes(rows: npt.NDArray[np.uint8]) -> set[int]:
    """Return the columns that have at least two values, all of which are possible classes."""
    highest, lowest = rows.max(axis=0, initial=0), rows.min(axis=0, initial=255)
    return set(np.flatnonzero((highest < MAX_CLASSES) & (lowest < highest)).tolist())


def _has_all_classes(values: npt.NDArray[np.uint8]) -> bool:
    present = np.flatnonzero(np.bincount(values))
    return bool(present[0] <= 1 and len(present) == present[-1] - present[0] + 1)


def _with_choice(columns: Columns, label: str | None) -> Columns:
    return columns if label is None else _with_label(columns, columns.candidates[0 if label == "first" else -1])


def _with_label(columns: Columns, label: int) -> Columns:
    pixels = tuple(place for place in columns.candidates if place != label)
    return replace(columns, pixels=pixels, label=label, candidates=())


def _are_all_alike(names: list[str]) -> bool:
    """Return whether names only count 785 columns, such as ``V1`` to ``V785``, so that none names the label."""
    found = [_NUMBERED.fullmatch(name) for name in names]
    numbers = [int(match[2]) for match in found if match]
    return (
        len(numbers) == len(names) == PIXELS + 1
        and len({match[1] for match in found if match}) == 1
        and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    )


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
