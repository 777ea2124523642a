"""Where files are: alone, in a folder, or in a ZIP archive, which is never unpacked to disk."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from nnkernels.data.formats._files import ZIP_START, Budget, File
from nnkernels.errors import DataError

MAX_FILES = 500_000
IGNORED = ("__MACOSX", ".git", ".ipynb_checkpoints")


class Source(NamedTuple):
    """The files of a source.

    Attributes
    ----------
    where : str
        The name of the source in messages.
    files : list of File
        The files by name. A single file that is no archive is alone in the list.
    alone : bool
        Whether the source is a single file.
    """

    where: str
    files: list[File]
    alone: bool


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a file, a folder or a ZIP archive, or what has a common beginning of its name in one of the latter.

    ``folder/emnist-letters`` are the files ``emnist-letters-...`` of a folder, and ``archive.zip/train.csv`` is a file
    in an archive.

    Parameters
    ----------
    path : Path
        The source.

    Yields
    ------
    source : Source
        Its files. They can be read until the end of the block.

    Raises
    ------
    FileNotFoundError
        If there is no such source.
    DataError
        If an archive is damaged or encrypted, or if there are too many files.
    """
    container, inside = _container(path)
    where = str(path)
    with ExitStack() as stack:
        if container.is_dir():
            files, alone = _folder_files(container, Budget(where)), False
        elif _is_archive(container):
            files, alone = _archive_files(container, Budget(where), stack), False
        else:
            files, alone = [File(container.name, where, _opener(container), Budget(where))], True
        if inside:
            files = [file for file in files if _begins(file.name, inside)]
            alone = [file.name for file in files] == [inside]
            if not files:
                raise DataError(f"{path}: {container} contains no file of this name")
        yield Source(where, files, alone)


def _container(path: Path) -> tuple[Path, str]:
    """Split a path into the existing file or folder, and the beginning of a name in it."""
    if path.exists():
        return path, ""
    for parent in path.parents:
        if parent.exists():
            inside = path.relative_to(parent).as_posix()
            if parent.is_file() and _is_archive(parent):
                return parent, inside
            if parent.is_dir() and parent == path.parent and any(_begins(p.name, inside) for p in parent.iterdir()):
                return parent, inside
            break
    raise FileNotFoundError(path)


def _begins(name: str, beginning: str) -> bool:
    return name == beginning or (name.startswith(beginning) and name[len(beginning)] in "/-_")


def _is_archive(path: Path) -> bool:
    """Return whether a file is a ZIP archive of files. NumPy's archives of arrays are formats of their own."""
    try:
        with open(path, "rb") as stream:
            if not stream.read(4).startswith(ZIP_START):
                return False
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError, EOFError):
        return False
    return not (path.suffix.lower() == ".npz" or (names and all(name.endswith(".npy") for name in names)))


def _folder_files(folder: Path, budget: Budget) -> list[File]:
    files: list[File] = []
    for parent, folders, names in os.walk(folder, onerror=_cannot_be_listed):
        folders[:] = sorted(name for name in folders if name not in IGNORED)
        for name in sorted(names):
            path = Path(parent, name)
            if name.startswith(".") or not path.is_file():  # neither pipes nor devices
                continue
            files.append(File(path.relative_to(folder).as_posix(), str(path), _opener(path), budget))
            if len(files) > MAX_FILES:
                raise DataError(f"{folder}: contains more than {MAX_FILES:,} files; choose a folder inside it")
    return files


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: io.BufferedReader(io.FileIO(path))


def _cannot_be_listed(error: OSError) -> None:
    raise DataError(f"{error.filename}: cannot be read ({error.strerror or error})") from error


def _archive_files(path: Path, budget: Budget, stack: ExitStack) -> list[File]:
    """Return the files of an archive. Nothing is ever written to disk, so names cannot lead anywhere."""
    archive = stack.enter_context(zipfile.ZipFile(path))
    members = sorted(archive.infolist(), key=lambda member: member.filename)
    if len(members) > MAX_FILES:
        raise DataError(f"{path}: contains more than {MAX_FILES:,} files; unpack it and choose a folder inside it")
    files = []
    for member in members:
        name = PurePosixPath(member.filename)
        if not name.parts:  # a damaged directory, about which zipfile's own methods raise an IndexError
            continue
        is_link = stat.S_ISLNK(member.external_attr >> 16)
        if member.is_dir() or is_link or name.name.startswith(".") or name.parts[0] in IGNORED:
            continue
        if member.flag_bits & 1:
            raise DataError(f"{path}: {member.filename} is encrypted; unpack the archive with its password first")
        files.append(
            File(
                str(name),
                f"{path}/{name}",
                partial(archive.open, member),
                budget,
                in_archive=True,
            )
        )
    return files
