"""The location of the package, and atomic writing of files."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent

# A list of numbers as `json` indents it. It cannot match inside a string, because JSON escapes newlines.
_NUMBERS = re.compile(r"\[\n\s*([-+.\deE]+(?:,\n\s*[-+.\deE]+)*)\n\s*\]")

# What code that builds a record raises if the content of a file is damaged.
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to ``path``; when the block ends, the temporary file replaces ``path`` atomically.

    If the block raises an exception, ``path`` stays unchanged and the temporary file is deleted. The temporary name has
    the same suffix, because some writers choose their format by it.

    Parameters
    ----------
    path : Path
        The file to replace. Missing folders are created.

    Yields
    ------
    temporary : Path
        The path to write to.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.part.{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: readers see either the old content or the new one.

    Parameters
    ----------
    path : Path
        The file. Missing folders are created.
    content : bytes
        The new content.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, atomically.

    Parameters
    ----------
    path : Path
        The file. Missing folders are created.
    text : str
        The new content. Newlines are written as they are.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    write_bytes(path, text.encode())


def read_json(path: Path) -> Any:
    """Read a JSON file of finite numbers.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    value : object
        Its content.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is not such a file.
    """
    return parse_json(path.read_text("utf-8"))


def parse_json(text: str) -> Any:
    """Return the value of a JSON text of finite numbers.

    Parameters
    ----------
    text : str
        The text.

    Returns
    -------
    value : object
        Its value.

    Raises
    ------
    ValueError
        If it is not such a text.
    """
    try:
        return json.loads(text, parse_constant=_finite, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"it contains {text[:40]}, which is not a finite number")
    return value


def write_json(path: Path, value: Any) -> None:
    """Write an indented JSON file, atomically, with each list of numbers on one line.

    Parameters
    ----------
    path : Path
        The file. Missing folders are created.
    value : object
        Anything that the module ``json`` can serialise.

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If ``value`` contains NaN or an infinity.
    """
    indented = json.dumps(value, indent=1, allow_nan=False)
    write_text(path, _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", indented) + "\n")
