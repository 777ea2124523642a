"""What a format declares about itself, and what its reader returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.data.dataset import ByteArray
from nnkernels.data.formats._files import File

Role = Literal["", "train", "validation", "test"]  # "": a file that does not say which part it is


@dataclass(frozen=True)
class ReadOptions:
    """How to read what a file itself leaves open. None means: as the file says, or refuse if it does not say.

    Attributes
    ----------
    label : {"first", "last"} or None
        The column of the labels in a table.
    index_base : {0, 1} or None
        The index of the first pixel in LIBSVM text. By default 1.
    transposed : bool or None
        Whether to turn images whose rows and columns are exchanged. By default, only EMNIST's are turned.
    labels_from : {0, 1} or None
        The label of the first class. By default 0, and 1 for EMNIST letters.
    """

    label: str | None = None
    index_base: int | None = None
    transposed: bool | None = None
    labels_from: int | None = None


class Part(NamedTuple):
    """Images with their labels.

    Attributes
    ----------
    X : ndarray of uint8, shape (N, 784)
        Pixels.
    y : ndarray of integers, shape (N,)
        Labels, as the file numbers them.
    note : str
        What the user should know about how they were found.
    """

    X: ByteArray
    y: npt.NDArray[Any]
    note: str = ""


@dataclass
class Content:
    """What was read from one or several files of a format.

    Attributes
    ----------
    parts : dict of Role to Part
        The labelled images by their role.
    files : list of str
        The names of the files that were read, without the folder.
    class_names : tuple of str or None
        The names of the classes, if the files contain them.
    notes : list of str
        What the user should know, such as a file that was left out.
    """

    parts: dict[Role, Part]
    files: list[str]
    class_names: tuple[str, ...] | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Format:
    """A format of data files: its description, how it is recognised, and its reader.

    Attributes
    ----------
    name : str
        The name in messages and in the table of formats.
    used_by : str
        Who publishes or writes such files.
    recognised_by : str
        The content by which a file is recognised.
    example : str
        A file or folder of this format.
    suffixes : tuple of str
        Usual suffixes in lower case. They never decide that a file has this format; the reader only explains what is
        wrong with a file of such a name that no format recognises.
    recognises : callable
        ``recognises(file) -> bool``; looks at the beginning of the file.
    read : callable
        ``read(files, options) -> Content``; ``files`` are all recognised files of one data set.
    is_read : bool
        False for a format that is recognised only to be refused, with what to do instead.
    """

    name: str
    used_by: str
    recognised_by: str
    example: str
    suffixes: tuple[str, ...]
    recognises: Callable[[File], bool]
    read: Callable[[Sequence[File], ReadOptions], Content]
    is_read: bool = True


def concatenated(parts: Sequence[Part]) -> Part:
    """Return the images of several files as one part.

    Parameters
    ----------
    parts : sequence of Part
        At least one.

    Returns
    -------
    part : Part
        All images in the same order.
    """
    if len(parts) == 1:
        return parts[0]
    return Part(np.concatenate([part.X for part in parts]), np.concatenate([part.y for part in parts]))
