"""Tables of comma-separated values, one image per line, with or without a header."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence

from nnkernels.data.dataset import PIXELS
from nnkernels.data.formats._columns import columns_of_header, columns_without_header, is_default_header
from nnkernels.data.formats._declaration import Content, Format, Part, ReadOptions
from nnkernels.data.formats._files import HEAD_BYTES, File
from nnkernels.data.formats._rows import SEPARATORS, read_rows
from nnkernels.data.formats._tables import part_of, read_tables
from nnkernels.errors import DataError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LOST_IMAGE = "the first image became a header when pandas saved the file, and was left out"
_NUMBERS = re.compile(rb"[\d\s.,;\"'eE+-]*")


def _recognises(file: File) -> bool:
    """Return whether the first line has the columns of 28 x 28 pixels."""
    line = _first_line(file)
    return b"\0" not in line and len(_fields(line)) in range(PIXELS, PIXELS + 4)


def _read_table(file: File, options: ReadOptions) -> Part | None:
    """Read a table in chunks. Return None if it has no labels."""
    line = _first_line(file)
    if not line.strip():
        raise DataError(f"{file.where}: empty; expected a header line label,pixel0,...,pixel{PIXELS - 1}")
    fields = _fields(line)
    is_image = _is_image_renamed_by_pandas(fields)
    has_header = not _NUMBERS.fullmatch(line) or is_default_header(fields) or is_image
    if has_header and not is_image:
        columns = columns_of_header(fields, file.where, options.label)
    else:
        columns = columns_without_header(len(fields), file.where, options.label)
    with file.open() as stream:
        if has_header:
            stream.readline(HEAD_BYTES)
        elif stream.peek(3).startswith(BYTE_ORDER_MARK):
            stream.read(len(BYTE_ORDER_MARK))
        rows = read_rows(stream, file.where, columns.names, _separator(line), columns.ignored)
    if not len(rows):
        raise DataError(f"{file.where}: has a header line but no images")
    part = part_of(rows, columns, file.where)
    if part is not None and is_image:
        part = part._replace(note="; ".join(filter(None, (_LOST_IMAGE, part.note))))
    return part


def _is_image_renamed_by_pandas(fields: Sequence[str]) -> bool:
    """Return whether a line is an image that pandas made a header such as ``0,0.1,0.2``, because names must differ."""
    seen: Counter[str] = Counter()
    for field in fields:
        number, _point, count = field.strip("\"' ").partition(".")
        if not number.isdecimal() or count != (str(seen[number]) if seen[number] else ""):
            return False
        seen[number] += 1
    return len(seen) < len(fields)


def _read(files: Sequence[File], options: ReadOptions) -> Content:
    """Read the tables of a data set."""
    return read_tables(files, options, _read_table)


def _first_line(file: File) -> bytes:
    return file.head.removeprefix(BYTE_ORDER_MARK).partition(b"\n")[0].rstrip(b"\r")


def _separator(line: bytes) -> bytes:
    return max((bytes([character]) for character in SEPARATORS), key=line.count)


def _fields(line: bytes) -> list[str]:
    text = line.decode("utf-8", "replace")
    try:
        return next(csv.reader(io.StringIO(text), delimiter=_separator(line).decode()), [])
    except csv.Error:
        return []


FORMAT = Format(
    name="CSV",
    used_by="Kaggle (digit recognizer, Fashion-MNIST, MNIST in CSV, EMNIST), OpenML, Google Colab",
    recognised_by=(
        "a first line of 785 columns: `label,pixel0..783`, `pixel1..784,class`, `label,1x1..28x28`, or numbers alone, "
        "of which one column has the values of a label"
    ),
    example="train.csv",
    suffixes=(".csv", ".tsv", ".txt"),
    recognises=_recognises,
    read=_read,
)
