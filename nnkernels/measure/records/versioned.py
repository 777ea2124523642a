"""Records in one JSON file each, which names the version of its form."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from nnkernels.errors import ResultsError

Record = TypeVar("Record")


def read_versioned(path: Path, version: int, build: Callable[[dict[str, Any]], Record], way_out: str) -> Record:
    """Read a record.

    Parameters
    ----------
    version : int
        The only one that is read.
    build : callable
        Makes the record of the file's content, without the version; errors that it raises for want of a key or for a
        wrong type say that the file is damaged.
    way_out : str
        What to do about a file that is missing or damaged.

    Raises
    ------
    ResultsError
        If the file is missing, damaged, or of another version.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        found = content.pop("version")
        if found != version:
            raise ResultsError(f"{path}: has version {found}; this nnkernels reads {version}: use another release")
        return build(content)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read ({error.strerror}); {way_out}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResultsError(f"{path}: damaged, {error}; {way_out}") from error
