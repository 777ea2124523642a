"""Pickled data sets, which are recognised and refused, because unpickling executes code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from nnkernels.data.formats._declaration import Format, ReadOptions
from nnkernels.data.formats._files import File
from nnkernels.errors import DataError

# Protocols 2 to 5 start with their number.
_STARTS = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))


def _recognises(file: File) -> bool:
    return file.head.startswith(_STARTS)


def _refuse(files: Sequence[File], _options: ReadOptions) -> NoReturn:
    raise DataError(
        f"{files[0].where}: is a pickled file, which can execute code when it is read, so nnkernels never does. If you "
        "trust it, load it in a program of your own, and save its arrays with numpy.savez(path, x_train=..., "
        "y_train=..., x_test=..., y_test=...)"
    )


FORMAT = Format(
    name="Pickle (never read)",
    used_by="courses and books (`mnist.pkl.gz`), PyTorch (`training.pt`)",
    recognised_by="its protocol number at the beginning; refused, because unpickling executes code",
    example="mnist.pkl.gz",
    suffixes=(".pkl", ".pickle"),
    recognises=_recognises,
    read=_refuse,
    is_read=False,
)
