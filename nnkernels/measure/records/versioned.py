"""Reading of records that are stored as JSON files with a format version."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from nnkernels.errors import ResultsError

Record = TypeVar("Record")


def read_versioned(path: Path, version: int, build: Callable[[dict[str, Any]], Record], remedy: str) -> Record:
    """Read a record.

    Parameters
    ----------
    path : Path
        The file.
    version : int
        The only accepted format version.
    build : callable
        ``build(content) -> Record``; receives the file's content without the version. A ``KeyError``, ``TypeError``,
        ``ValueError`` or ``AttributeError`` that it raises is reported as a damaged file.
    remedy : str
        What to do if the file is missing or damaged, for the message.

    Returns
    -------
    record : Record
        The result of ``build``.

    Raises
    ------
    ResultsError
        If the file is missing, damaged, or has another format version.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        found = content.pop("version")
        if found != version:
            raise ResultsError(
                f"{path}: has format version {found}; this release reads version {version}: use another release"
            )
        return build(content)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ResultsError(f"{path}: damaged, {error}; {remedy}") from error
