"""Reading of tables that contain images and labels: one file a part, or several files of the same part."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from nnkernels.data.dataset import PIXELS
from nnkernels.data.formats._columns import Columns, with_label_by_values
from nnkernels.data.formats._declaration import Content, Part, ReadOptions, Role, concatenated
from nnkernels.data.formats._files import File
from nnkernels.data.formats._roles import by_group, only_group
from nnkernels.errors import DataError

# Returns None if the table has no labels.
ReadTable = Callable[[File, ReadOptions], Part | None]


def read_tables(files: Sequence[File], options: ReadOptions, read: ReadTable) -> Content:
    """Read the tables of one data set, each of which has the role that its name says.

    A table without labels, such as Kaggle's ``test.csv``, is left out if there is another one.

    Parameters
    ----------
    files : sequence of File
        The tables.
    options : ReadOptions
        Passed on to ``read``.
    read : callable
        ``read(file, options) -> Part or None``: None if the table has no labels.

    Returns
    -------
    content : Content
        The labelled images by their role.

    Raises
    ------
    DataError
        If no table has labels, or if there are several data sets.
    """
    groups = by_group(files)
    examples = {group: next(iter(roles.values()))[0].name for group, roles in groups.items()}
    roles = groups[only_group(groups, _folder(files), examples)]
    content = Content({}, [])
    unlabelled: list[File] = []
    for role, members in roles.items():
        labelled = [(file, read(file, options)) for file in members]
        unlabelled += [file for file, part in labelled if part is None]
        parts = [part for _file, part in labelled if part is not None]
        if parts:
            content.parts[role] = concatenated(parts)
            content.files += [file.name for file, part in labelled if part is not None]
            content.notes += [part.note for part in parts if part.note and part.note not in content.notes]
    if not content.parts:
        raise DataError(
            f"{unlabelled[0].where}: has no column label, which training needs; use a labelled file such as Kaggle's "
            "train.csv"
        )
    content.notes += [f"{file.name} has no labels and was left out" for file in unlabelled]
    return merged_roles(content)


def part_of(rows: npt.NDArray[np.uint8], columns: Columns, where: str) -> Part | None:
    """Return the images and labels of the rows of a table, or None if it has no labels.

    Parameters
    ----------
    rows : ndarray of uint8, shape (N, count)
        The table.
    columns : Columns
        What its columns contain.
    where : str
        The name of the file, for error messages.

    Returns
    -------
    part : Part or None
        The pixels and the labels. Its note says if the values told which column is the label.

    Raises
    ------
    DataError
        If neither the names nor the values of the columns tell which is the label.
    """
    note = ""
    if columns.candidates:
        columns = with_label_by_values(columns, rows, where)
        note = f"the label is in column {(columns.label or 0) + 1} of {columns.count}, as its values tell"
    if columns.label is None:
        return None
    first = columns.pixels[0]
    together = columns.pixels == tuple(range(first, first + PIXELS))
    X = rows[:, first : first + PIXELS] if together else rows[:, list(columns.pixels)]
    return Part(X, rows[:, columns.label].astype(np.int64), note)


def merged_roles(content: Content) -> Content:
    """Return the content with the file of no stated role as training images, if other files have a role.

    Parameters
    ----------
    content : Content
        The content.

    Returns
    -------
    content : Content
        The same object.

    Raises
    ------
    DataError
        If there are training images as well.
    """
    if "" in content.parts and len(content.parts) > 1:
        if "train" in content.parts:
            raise DataError(
                f"{', '.join(content.files)}: it is unclear which file contains the training images; give one of them"
            )
        parts: dict[Role, Part] = dict(content.parts)
        parts["train"] = parts.pop("")
        content.parts = parts
    return content


def _folder(files: Sequence[File]) -> str:
    where = files[0].where
    return where.removesuffix(files[0].name).rstrip("/\\") or where
