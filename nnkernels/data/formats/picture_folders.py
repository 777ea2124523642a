"""Folders of pictures, one folder per class, as torchvision's ``ImageFolder`` reads them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from nnkernels.data.dataset import MAX_CLASSES, PIXELS, ByteArray
from nnkernels.data.formats._declaration import Content, Format, Part, ReadOptions, Role
from nnkernels.data.formats._files import File
from nnkernels.data.formats._pictures import MAX_FILE, STARTS, decoded
from nnkernels.data.formats._roles import role_and_group
from nnkernels.data.formats._tables import merged_roles
from nnkernels.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")


def _recognises(file: File) -> bool:
    # There may be 70,000 of them, so those of a usual name are only opened to be read.
    return file.name.lower().endswith(SUFFIXES) or file.head.startswith(STARTS)


def _read(files: Sequence[File], _options: ReadOptions) -> Content:
    roles = _by_role_and_class(files)
    content = Content({}, [])
    labelled = {role: classes for role, classes in roles.items() if not _is_unlabelled(role, classes)}
    names = _class_names(set().union(*labelled.values())) if labelled else []
    if len(names) < 2:
        raise DataError(
            f"{_where(files)}: contains {len(files):,} pictures, but not in folders of two or more classes; "
            "expected folders such as 0/, 1/, ..., 9/, also below training/ and testing/"
        )
    if len(names) > MAX_CLASSES:
        raise DataError(f"{_where(files)}: contains {len(names)} folders of pictures; at most {MAX_CLASSES} classes")
    for role, classes in labelled.items():
        members = [(names.index(name), file) for name, found in sorted(classes.items()) for file in found]
        X = np.empty((len(members), PIXELS), np.uint8)
        for row, (_label, file) in enumerate(members):
            X[row] = _pixels(file)
        content.parts[role] = Part(X, np.array([label for label, _file in members], np.int64))
        content.files += [f"{len(members):,} pictures in {len(classes)} folders"]
    content.notes += [
        f"{sum(map(len, classes.values())):,} pictures have no class and were left out"
        for role, classes in roles.items()
        if role not in labelled
    ]
    content.class_names = None if names == [str(number) for number in range(len(names))] else tuple(names)
    return merged_roles(content)


def _by_role_and_class(files: Sequence[File]) -> dict[Role, dict[str, list[File]]]:
    roles: dict[Role, dict[str, list[File]]] = defaultdict(lambda: defaultdict(list))
    parents: dict[Role, set[str]] = defaultdict(set)
    for file in files:
        path = PurePosixPath(file.name)
        role, _group = role_and_group(f"{path.parent}/")
        roles[role][path.parent.name].append(file)
        parents[role].add(str(path.parent.parent))
    for folders in parents.values():
        if len(folders) > 1:
            listed = ", ".join(sorted(folders)[:4])
            raise DataError(f"{_where(files)}: contains several sets of pictures ({listed}); give one of these folders")
    return roles


def _is_unlabelled(role: Role, classes: dict[str, list[File]]) -> bool:
    """Return whether the pictures lie directly in a folder that names their role, not a class."""
    return len(classes) == 1 and bool(role) and role_and_group(f"{next(iter(classes))}/")[0] == role


def _class_names(names: set[str]) -> list[str]:
    """Return class names in the order of their labels: by number if all are numbers."""
    return sorted(names, key=int) if all(name.isdecimal() for name in names) else sorted(names)


def _pixels(file: File) -> ByteArray:
    with file.open() as stream:
        content = stream.read(MAX_FILE + 1)
    if len(content) > MAX_FILE:
        raise DataError(f"{file.where}: is larger than {MAX_FILE:,} bytes; expected a picture of 28 x 28 pixels")
    return decoded(content, file.where)


def _where(files: Sequence[File]) -> str:
    if len(files) == 1:
        return files[0].where
    return files[0].where.removesuffix(files[0].name).rstrip("/\\") or files[0].where


FORMAT = Format(
    name="Pictures",
    used_by="Kaggle (MNIST as .jpg), `mnist_png`, torchvision's `ImageFolder`",
    recognised_by="PNG, JPEG or BMP files of 28 x 28 grey pixels in a folder per class, also below `train` and `test`",
    example="training/0/1.png, testing/0/2.png, ...",
    suffixes=SUFFIXES,
    recognises=_recognises,
    read=_read,
)
