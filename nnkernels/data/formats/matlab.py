"""MATLAB files, which are recognised and refused: their data sets are also published in other formats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from nnkernels.data.formats._declaration import Format, ReadOptions
from nnkernels.data.formats._files import File
from nnkernels.errors import DataError


def _recognises(file: File) -> bool:
    return file.head.startswith(b"MATLAB ")


def _refuse(files: Sequence[File], _options: ReadOptions) -> NoReturn:
    raise DataError(
        f"{files[0].where}: is a MATLAB file, which is not read. EMNIST is also published as IDX files (gzip.zip), "
        "which are; load others with scipy.io.loadmat, and save images and labels with numpy.savez(path, x=..., y=...)"
    )


FORMAT = Format(
    name="MATLAB (not read)",
    used_by="EMNIST (`emnist-letters.mat`), which is also published as IDX files",
    recognised_by="the text `MATLAB` at the beginning; refused, with what to do instead",
    example="emnist-letters.mat",
    suffixes=(".mat",),
    recognises=_recognises,
    read=_refuse,
    is_read=False,
)
