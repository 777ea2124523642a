"""Rows of integers from 0 to 255 as text, parsed with array operations: about as fast as a CSV parser in C."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from nnkernels.errors import DataError, MissingDependencyError

CHUNK_BYTES = 2**18  # with its intermediate arrays, a chunk stays in the cache
MAX_BYTES = 2**31  # of the parsed table, one byte a number
MAX_LINE = 2**16
NEWLINE, ZERO = ord("\n"), ord("0")
SEPARATORS = b",;\t"


def read_rows(
    stream: IO[bytes], where: str, names: Sequence[str], separator: bytes, ignored: Sequence[int] = ()
) -> npt.NDArray[np.uint8]:
    """Read all remaining lines of a table of integers from 0 to 255.

    Lines of unsigned integers are parsed here. pandas reads the others: floats such as ``0.0``, quotes, spaces.

    Parameters
    ----------
    stream : binary file object
        Positioned at the first row.
    where : str
        The name of the file, for messages.
    names : sequence of str
        The name of each column.
    separator : bytes
        The character between two columns.
    ignored : sequence of int, optional
        Columns of row numbers, which may have any value and are read as 0.

    Returns
    -------
    rows : ndarray of uint8, shape (N, len(names))
        The table.

    Raises
    ------
    DataError
        If a row has another number of columns, or a value that is not an integer from 0 to 255.
    MissingDependencyError
        If pandas is needed and not installed.
    """
    table = bytearray()
    columns = len(names)
    for lines in chunks_of_lines(stream, where):
        rows = _parsed(lines, columns, separator[0])
        if rows is None:
            rows = _read_by_pandas(lines, where, names, separator, ignored, len(table) // columns)
        table += np.ascontiguousarray(rows).data
        if len(table) > MAX_BYTES:
            raise DataError(f"{where}: has more than {MAX_BYTES:,} numbers; give a smaller file")
    return np.frombuffer(table, np.uint8).reshape(-1, columns)


def chunks_of_lines(stream: IO[bytes], where: str) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(CHUNK_BYTES):
        chunk = rest + chunk
        end = chunk.rfind(b"\n") + 1
        if len(chunk) - end > MAX_LINE:
            raise DataError(f"{where}: has a line of more than {MAX_LINE} bytes; expected one image per line")
        rest = chunk[end:]
        if end:
            yield chunk[:end].replace(b"\r\n", b"\n")
    if rest.strip():
        yield rest.rstrip(b"\r") + b"\n"


def _parsed(lines: bytes, columns: int, separator: int) -> npt.NDArray[np.uint8] | None:
    """Parse lines of unsigned integers from 0 to 255. Return None if there is anything else."""
    values, after = unsigned_numbers(lines)
    if len(values) % columns or not len(values) or values.max() > 255:
        return None
    between = after.reshape(-1, columns)
    if not ((between[:, :-1] == separator).all() and (between[:, -1] == NEWLINE).all()):
        return None
    return values.astype(np.uint8).reshape(-1, columns)


def unsigned_numbers(text: bytes) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
    """Parse numbers of one to three digits, each followed by one other character.

    Parameters
    ----------
    text : bytes
        ASCII text.

    Returns
    -------
    values : ndarray of int16, shape (N,)
        The numbers. Empty if one has no digit or more than three.
    after : ndarray of uint8, shape (N,)
        The character after each number.
    """
    characters = np.frombuffer(text, np.uint8)
    digits = characters - np.uint8(ZERO)  # anything but a digit wraps around to a number above 9
    ends = np.flatnonzero(digits > 9)
    lengths = np.diff(ends, prepend=-1)
    if not len(ends) or lengths.min() < 2 or lengths.max() > 4 or ends[-1] != len(characters) - 1:
        return np.zeros(0, np.int16), np.zeros(0, np.uint8)
    # Before the first number, the indices are negative; its missing digits are set to zero like all others.
    ones, tens, hundreds = (digits[ends - place] for place in (1, 2, 3))
    tens[lengths < 3] = 0
    hundreds[lengths < 4] = 0
    values = hundreds.astype(np.int16)
    values *= 100
    values += ones + np.uint8(10) * tens  # at most 99
    return values, characters[ends]


def _read_by_pandas(
    lines: bytes, where: str, names: Sequence[str], separator: bytes, ignored: Sequence[int], first_row: int
) -> npt.NDArray[np.uint8]:
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependencyError(
            f"reading {where}, which contains more than unsigned integers,", "pandas", "data"
        ) from error
    try:
        # Read as floats, so that a missing or invalid value is reported with its position below, not inside pandas.
        frame = pd.read_csv(
            io.BytesIO(lines),
            header=None,
            sep=separator.decode(),
            quotechar="'" if b"'" in lines else '"',
            skipinitialspace=True,
            dtype=np.float32,
        )
    except pd.errors.EmptyDataError:
        return np.zeros((0, len(names)), np.uint8)
    except (ValueError, pd.errors.ParserError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{where}: not a table of numbers from row {first_row + 1} on ({reason})") from error
    if frame.shape[1] != len(names):
        raise DataError(
            f"{where}: row {first_row + 1} has {frame.shape[1]} columns; expected {len(names)} as in the first line"
        )
    values = frame.to_numpy(copy=True)
    values[:, list(ignored)] = 0
    return _as_bytes(values, where, names, first_row)


def _as_bytes(values: npt.NDArray[Any], where: str, names: Sequence[str], first_row: int) -> npt.NDArray[np.uint8]:
    invalid = ~((values >= 0) & (values <= 255) & (values == np.floor(values)))  # NaN fails all three comparisons
    if invalid.any():
        row, column = (int(index) for index in np.argwhere(invalid)[0])
        raise DataError(
            f"{where}: image {first_row + row} has the value {values[row, column]:g} in {names[column]}; "
            "expected an integer from 0 to 255"
        )
    return values.astype(np.uint8)
