"""ARFF files, as OpenML and Weka write them: attributes, then one image per line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import IO

from nnkernels.data.formats._columns import columns_of_header
from nnkernels.data.formats._declaration import Content, Format, Part, ReadOptions
from nnkernels.data.formats._files import File
from nnkernels.data.formats._rows import MAX_LINE, read_rows
from nnkernels.data.formats._tables import part_of, read_tables
from nnkernels.errors import DataError

MAX_HEADER_LINES = 20_000
_START = re.compile(rb"(?:\s*(?:%[^\n]*)?\n)*\s*@relation\b", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"@attribute\s+('(?:[^'\\]|\\.)*'|\"[^\"]*\"|\S+)\s", re.IGNORECASE)


def _recognises(file: File) -> bool:
    return bool(_START.match(file.head.removeprefix(b"\xef\xbb\xbf")))


def _read_table(file: File, options: ReadOptions) -> Part | None:
    with file.open() as stream:
        names = _attributes(stream, file.where)
        columns = columns_of_header(names, file.where, options.label)
        if stream.peek(64).lstrip().startswith(b"{"):
            raise DataError(f"{file.where}: is sparse ARFF; save it as dense ARFF or as CSV")
        rows = read_rows(stream, file.where, names, b",", columns.ignored)
    if not len(rows):
        raise DataError(f"{file.where}: has no images after @data")
    return part_of(rows, columns, file.where)


def _attributes(stream: IO[bytes], where: str) -> list[str]:
    """Read the header, and return the names of the attributes."""
    names: list[str] = []
    for _ in range(MAX_HEADER_LINES):
        line = stream.readline(MAX_LINE).decode("utf-8", "replace")
        if not line:
            break
        text = line.strip()
        if text.lower().startswith("@data"):
            return names
        if match := _ATTRIBUTE.match(text):
            names.append(match[1].strip("'\""))
    raise DataError(f"{where}: has no line @data; it is truncated, so download it again")


def _read(files: Sequence[File], options: ReadOptions) -> Content:
    return read_tables(files, options, _read_table)


FORMAT = Format(
    name="ARFF",
    used_by="OpenML (`mnist_784`, `Fashion-MNIST`), Weka",
    recognised_by="`@relation`, then 784 attributes of pixels and one of labels, as in CSV files",
    example="mnist_784.arff",
    suffixes=(".arff",),
    recognises=_recognises,
    read=_read,
)
