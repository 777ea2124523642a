"""Where the package lies, and writing files all or nothing."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent

# A list of numbers as `json` indents it. No string has a newline in it: JSON escapes them.
_NUMBERS = re.compile(r"\[\n\s*([-+.\deE]+(?:,\n\s*[-+.\deE]+)*)\n\s*\]")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary neighbour of ``path`` to be written, which then takes its place; an error leaves nothing.

    The neighbour has the same suffix, because some writers choose their format by it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.part.{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file all or nothing: nobody ever sees half of it."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, all or nothing."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, indented, a list of numbers on one line, all or nothing; NaN and infinities are refused."""
    indented = json.dumps(value, indent=1, allow_nan=False)
    write_text(path, _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", indented) + "\n")
