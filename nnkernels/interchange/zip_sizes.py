"""The size of a ZIP archive's members, looked at before any of them is unpacked."""

from __future__ import annotations

import zipfile

from nnkernels.errors import DataError
from nnkernels.interchange.checks import MAX_BYTES


def check_sizes(archive: zipfile.ZipFile, where: str) -> None:
    """Refuse an archive that unpacks to far more than parameters need: a few kilobytes can hold gigabytes of zeros.

    Raises
    ------
    DataError
        If the members announce more than 1 GiB in all. A member cannot unpack to more than it announces.
    """
    announced = sum(member.file_size for member in archive.infolist())
    if announced > MAX_BYTES:
        raise DataError(f"{where}: unpacks to {announced} bytes; a file of parameters has at most {MAX_BYTES}")
