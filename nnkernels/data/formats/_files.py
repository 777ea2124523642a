"""The files of a folder, of a ZIP archive, or a single one, as streams of decompressed bytes of bounded length."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from nnkernels.errors import DataError, one_line

try:
    import lzma
except ImportError:  # Python can be built without it
    lzma = None  # type: ignore[assignment]

MAX_FILES = 500_000
MAX_PRODUCED = 2**32  # bytes that may be decompressed or read from one source
MAX_IN_MEMORY = 2**30  # bytes of a compressed file that its reader needs as a whole
HEAD_BYTES = 2**15  # longer than a header line of 785 columns
# The suffix and the function that opens a stream of decompressed bytes, by the first bytes of a file.
COMPRESSED: dict[bytes, tuple[str, Callable[[IO[bytes]], Any]]] = {
    b"\x1f\x8b": (".gz", gzip.open),
    b"BZh": (".bz2", bz2.open),
}
if lzma:
    COMPRESSED[b"\xfd7zXZ\0"] = (".xz", lzma.open)
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) + ((lzma.LZMAError,) if lzma else ())
ZIP_START = (b"PK\x03\x04", b"PK\x05\x06")
IGNORED = ("__MACOSX", ".git", ".ipynb_checkpoints")


@dataclass
class Budget:
    """The number of bytes that a source may still produce."""

    where: str
    left: int = MAX_PRODUCED

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise DataError(
                f"{self.where}: unpacks to more than {MAX_PRODUCED:,} bytes, far above any data set of 28 x 28 images; "
                "unpack it yourself and give the file that contains the images"
            )


class _Counted(io.RawIOBase):
    """A stream whose bytes are counted against a budget."""

    def __init__(self, stream: IO[bytes], budget: Budget) -> None:
        self._stream, self._budget = stream, budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        chunk = self._stream.read(len(buffer))
        self._budget.take(len(chunk))
        buffer[: len(chunk)] = chunk
        return len(chunk)


@dataclass(eq=False)
class File:
    """A file, whether on disk or in an archive.

    Attributes
    ----------
    name : str
        Its path below the source, with slashes.
    where : str
        Its name in messages.
    """

    name: str
    where: str
    _open_raw: Callable[[], IO[bytes]]
    _budget: Budget
    in_archive: bool = False

    @cached_property
    def head(self) -> bytes:
        """The first bytes after decompression. Empty if the file cannot be decompressed."""
        try:
            with self.open() as stream:
                return stream.read(HEAD_BYTES)
        except DataError:
            if self._budget.left < 0:
                raise
            return b""

    @property
    def stem(self) -> str:
        """The lower-case name without the suffix of a compression."""
        return self.stem_with_case.lower()

    @property
    def stem_with_case(self) -> str:
        """The name without the suffix of a compression."""
        ends = [end for end, _ in COMPRESSED.values() if self.name.lower().endswith(end)]
        return self.name[: -len(ends[0])] if ends else self.name

    @contextmanager
    def open(self) -> Iterator[io.BufferedReader]:
        """Open the file for reading its decompressed bytes from the beginning to the end."""
        with self._reported(), ExitStack() as stack:
            stream = stack.enter_context(self._open_raw())
            start = stream.read(6)
            stream.seek(0)
            for magic, (_suffix, decompress) in COMPRESSED.items():
                if start.startswith(magic):
                    stream = stack.enter_context(decompress(stream))
            yield stack.enter_context(io.BufferedReader(_Counted(stream, self._budget), 2**16))

    @contextmanager
    def open_seekable(self) -> Iterator[IO[bytes]]:
        """Open the file for reading in any order. A compressed one is decompressed in memory first."""
        with self._reported(), ExitStack() as stack:
            stream = stack.enter_context(self._open_raw())
            start = stream.read(6)
            stream.seek(0)
            if self.in_archive or any(start.startswith(magic) for magic in COMPRESSED):
                with self.open() as unpacked:
                    content = unpacked.read(MAX_IN_MEMORY + 1)
                if len(content) > MAX_IN_MEMORY:
                    raise DataError(f"{self.where}: unpacks to more than {MAX_IN_MEMORY:,} bytes; unpack it first")
                stream = io.BytesIO(content)
            yield stream

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except DAMAGED as error:
            raise DataError(f"{self.where}: damaged compressed file ({one_line(error)}); download it again") from error
        except (NotImplementedError, RuntimeError) as error:  # unknown compression or a password
            raise DataError(f"{self.where}: cannot be unpacked ({one_line(error)}); unpack it yourself") from error
        except OSError as error:
            raise DataError(f"{self.where}: cannot be read ({error.strerror or error})") from error


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
