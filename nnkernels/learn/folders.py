"""The folder that a learner's work goes into."""

from __future__ import annotations

from pathlib import Path

from nnkernels.errors import ConfigurationError, one_line


def make_folder(folder: Path) -> None:
    """Make a folder before the work whose results it will hold, not after.

    Raises
    ------
    ConfigurationError
        If there can be no such folder: a file is in its place, say.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be a folder ({one_line(error)}); choose another one (--out)"
        ) from error
