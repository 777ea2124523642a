"""Reading of records that are stored as JSON files with a format version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from nnkernels.errors import ResultsError, one_line
from nnkernels.files import MALFORMED, read_json

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
        ``build(content) -> Record``; receives the file's content without the version. An exception among
        :data:`~nnkernels.files.MALFORMED` is reported as a damaged file.
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
        content = read_json(path)
        found = content.pop("version")
        if found != version:
            raise ResultsError(
                f"{path}: has format version {found}; this release reads version {version}: use another release"
            )
        return build(content)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    except MALFORMED as error:
        raise ResultsError(f"{path}: damaged, {one_line(error)[:300]}; {remedy}") from error
