"""IDX files, the format in which MNIST was published: images in one file, labels in another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.data.dataset import PIXELS, ByteArray
from nnkernels.data.formats._declaration import Content, Format, ReadOptions
from nnkernels.data.formats._files import File
from nnkernels.data.formats._pairs import read_pairs
from nnkernels.data.formats._pixels import SIDE
from nnkernels.data.idx import read_extended_labels, read_values
from nnkernels.errors import DataError

IMAGES, LABELS, EXTENDED_LABELS = b"\0\0\x08\x03", b"\0\0\x08\x01", b"\0\0\x0c\x02"


def _recognises(file: File) -> bool:
    """Return whether the file starts like an IDX file of images or labels."""
    return file.head.startswith((IMAGES, LABELS, EXTENDED_LABELS))


def _read(files: Sequence[File], _options: ReadOptions) -> Content:
    """Read the files of one data set."""
    return read_pairs(
        files,
        lambda file: file.head.startswith(IMAGES),
        _images,
        _labels,
        "pairs such as train-images-idx3-ubyte and train-labels-idx1-ubyte",
    )


def _images(file: File) -> ByteArray:
    with file.open() as stream:
        images = read_values(stream, file.where, 3)
    if images.shape[1:] != (SIDE, SIDE):
        raise DataError(
            f"{file.where}: has images of {images.shape[1]} x {images.shape[2]} pixels; expected {SIDE} x {SIDE}"
        )
    return images.reshape(-1, PIXELS)


def _labels(file: File) -> npt.NDArray[Any]:
    with file.open() as stream:
        if file.head.startswith(EXTENDED_LABELS):
            return read_extended_labels(stream, file.where)[:, 0].astype(np.int64)
        return read_values(stream, file.where, 1).astype(np.int64)


FORMAT = Format(
    name="IDX",
    used_by="MNIST, Fashion-MNIST, Kuzushiji-MNIST, EMNIST, QMNIST, torchvision",
    recognised_by=(
        "files that start with 00000803 (images) and 00000801 (labels), or 00000c02 (QMNIST's labels), plain or "
        "compressed; dots or dashes in names, also in torchvision's folders or in folders of their own names"
    ),
    example="train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, ...",
    suffixes=("ubyte", ".idx"),
    recognises=_recognises,
    read=_read,
)
