"""Images in one file and labels in another: which belong together, and reading them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy.typing as npt

from nnkernels.data.dataset import ByteArray
from nnkernels.data.formats._declaration import Content, Part, Role
from nnkernels.data.formats._files import File
from nnkernels.data.formats._roles import only_group, role_and_group
from nnkernels.data.formats._tables import merged_roles
from nnkernels.errors import DataError

# What names of images and of labels differ in, in `train-images-idx3-ubyte`, `kmnist-train-imgs`, `X_train`, `labels`.
_KIND = re.compile(r"(?<![a-z])(images?|imgs?|labels?|targets?|x|y|data|idx\d|ubyte|int)(?![a-z])")
_PUNCTUATION = re.compile(r"[-_.]+")
# What the name of a file of images has where that of its labels has the second word.
COUNTERPARTS = (("images", "labels"), ("imgs", "labels"), ("idx3", "idx1"), ("x_", "y_"), ("X_", "y_"))

Group = dict[tuple[Role, bool], list[File]]


def read_pairs(
    files: Sequence[File],
    has_images: Callable[[File], bool],
    read_images: Callable[[File], ByteArray],
    read_labels: Callable[[File], npt.NDArray[Any]],
    expected: str,
) -> Content:
    """Read the files of images and labels of one data set.

    Parameters
    ----------
    files : sequence of File
        The files of one or several data sets, which may include copies.
    has_images : callable
        ``has_images(file) -> bool``: whether a file contains images, not labels.
    read_images : callable
        ``read_images(file) -> ndarray of uint8, shape (N, 784)``.
    read_labels : callable
        ``read_labels(file) -> ndarray of integers, shape (N,)``.
    expected : str
        Example of a pair, for error messages.

    Returns
    -------
    content : Content
        The labelled images by their role.

    Raises
    ------
    DataError
        If a file has no counterpart, if files contradict each other, or if there are several data sets.
    """
    groups: dict[str, Group] = {}
    for file in files:
        role, name = _role_and_name(file)
        groups.setdefault(name, {}).setdefault((role, has_images(file)), []).append(file)
    examples = {name: next(iter(group.values()))[0].name for name, group in groups.items()}
    where = _common_folder(files)
    group = groups[only_group(groups, where, examples)]
    content = Content({}, [])
    for role in dict.fromkeys(role for role, _images in group):
        chosen = []
        for images in (True, False):
            candidates = group.get((role, images), [])
            if not candidates:
                _explain_missing(group, role, images, where, expected)
            chosen.append(_one_of(candidates))
        content.parts[role] = Part(read_images(chosen[0]), read_labels(chosen[1]))
        content.files += [file.name for file in chosen]
    return merged_roles(content)


def _role_and_name(file: File) -> tuple[Role, str]:
    path = PurePosixPath(file.stem_with_case)
    # Some archives put each file into a folder of its own name.
    if _plain(path.parent.name) == _plain(path.name) or _plain(path.parent.name).startswith(_plain(path.name)):
        path = path.parent.parent / path.name
    role, name = role_and_group(str(path))
    return role, _PUNCTUATION.sub("-", _KIND.sub("", name)).strip("-")


def _plain(name: str) -> str:
    return _PUNCTUATION.sub("-", name.lower())


def _one_of(candidates: list[File]) -> File:
    """Return one of several files of the same role: the same file compressed or not, or copies of each other."""
    stems = {_plain(file.stem): file for file in candidates}
    first = min(candidates, key=lambda file: (file.stem != file.name.lower(), len(file.name), file.name))
    if len(stems) > 1 and len({_sha256(file) for file in stems.values()}) > 1:
        names = ", ".join(file.name for file in stems.values())
        raise DataError(f"{first.where}: {names} differ, but have the same role; remove all but one")
    return first


def _sha256(file: File) -> str:
    sha256 = hashlib.sha256()
    with file.open() as stream:
        while chunk := stream.read(2**20):
            sha256.update(chunk)
    return sha256.hexdigest()


def _explain_missing(group: Group, role: Role, images: bool, where: str, expected: str) -> None:
    found = group[role, not images][0]
    wanted = found.name
    for images_word, labels_word in COUNTERPARTS:
        wanted = wanted.replace(*((labels_word, images_word) if images else (images_word, labels_word)))
    what, other = ("images", "labels") if images else ("labels", "images")
    missing = wanted if wanted != found.name else f"file of {what}"
    raise DataError(
        f"{where}: contains the {other} {found.name}, but no {missing}; expected {expected}. A file that is given is "
        "read alone, so give the folder that contains both"
    )


def _common_folder(files: Sequence[File]) -> str:
    where = files[0].where
    return where if len(files) == 1 else where.removesuffix(files[0].name).rstrip("/\\") or where
