"""Pointers of Git LFS, which stand for files that were not fetched, and are refused with what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from nnkernels.data.formats._declaration import Format, ReadOptions
from nnkernels.data.formats._files import File
from nnkernels.errors import DataError
from nnkernels.git import LFS_POINTER, LFS_REFUSAL


def _recognises(file: File) -> bool:
    return file.head.startswith(LFS_POINTER)


def _refuse(files: Sequence[File], _options: ReadOptions) -> NoReturn:
    raise DataError(f"{files[0].where}: {LFS_REFUSAL}")


FORMAT = Format(
    name="Git LFS (not read)",
    used_by="clones of Hugging Face's and GitHub's repositories without Git LFS",
    recognised_by="`version https://git-lfs` at the beginning; refused, with what to do instead",
    example="train-00000-of-00001.parquet",
    suffixes=(),
    recognises=_recognises,
    read=_refuse,
    is_read=False,
)
