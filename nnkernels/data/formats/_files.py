"""A file on disk or in an archive, as a stream of decompressed bytes of bounded length."""

from __future__ import annotations

import bz2
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import IO, Any

from nnkernels.errors import DataError, one_line

try:
    import lzma
except ImportError:  # Python can be built without it
    lzma = None  # type: ignore[assignment]

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
