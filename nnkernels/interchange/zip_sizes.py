"""A check of the size of a ZIP archive before anything is unpacked."""

from __future__ import annotations

import zipfile

from nnkernels.errors import DataError
from nnkernels.interchange.checks import MAX_BYTES


def check_sizes(archive: zipfile.ZipFile, where: str) -> None:
    """Reject an archive that unpacks to far more than parameters need.

    A few kilobytes can unpack to gigabytes of zeros.

    Parameters
    ----------
    archive : zipfile.ZipFile
        The archive. A member cannot unpack to more than the size that it declares.
    where : str
        The name of the file, with which the error message begins.

    Raises
    ------
    DataError
        If the members declare more than 1 GiB in total.
    """
    declared = sum(member.file_size for member in archive.infolist())
    if declared > MAX_BYTES:
        raise DataError(f"{where}: unpacks to {declared} bytes; a parameter file has at most {MAX_BYTES}")
