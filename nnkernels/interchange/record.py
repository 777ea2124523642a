"""The format name and version that our own files carry."""

from __future__ import annotations

from nnkernels.errors import DataError
from nnkernels.interchange.preprocessing import Preprocessing

FORMAT_NAME = "nnkernels-parameters"
FORMAT_VERSION = 2


def format_of(preprocessing: Preprocessing) -> str:
    """Return the name and version of the format for a preprocessing.

    Version 1 has no preprocessing record: its weights are for pixels / 255. A reader of version 1 would ignore a
    record, so files with one have version 2, which it rejects.

    Parameters
    ----------
    preprocessing : Preprocessing
        The preprocessing of the features.

    Returns
    -------
    text : str
        For example ``nnkernels-parameters 1``.
    """
    return f"{FORMAT_NAME} {1 if preprocessing.is_default else FORMAT_VERSION}"


def check_format(text: str, where: str) -> bool:
    """Return whether a file is our own, after a check of its version.

    Parameters
    ----------
    text : str
        The name and version in the file, empty if there is none.
    where : str
        The name of the file, with which the error message begins.

    Returns
    -------
    is_ours : bool
        False for files of other programs.

    Raises
    ------
    DataError
        If the file has a later version of our format.
    """
    if not text.startswith(FORMAT_NAME):
        return False
    known = [f"{FORMAT_NAME} {version}" for version in range(1, FORMAT_VERSION + 1)]
    if text not in known:
        raise DataError(
            f"{where}: has the format {text[:80]}, but this version of nnkernels reads {' and '.join(known)}; install "
            "a newer version"
        )
    return True
