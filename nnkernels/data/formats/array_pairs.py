"""NumPy files of one array each: images and labels beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from nnkernels.data.formats._archives import array_shapes, open_arrays
from nnkernels.data.formats._declaration import Content, Format, ReadOptions
from nnkernels.data.formats._files import File
from nnkernels.data.formats._pairs import read_pairs
from nnkernels.data.formats._pixels import as_labels, as_pixels, is_image_shape
from nnkernels.errors import DataError


def _recognises(file: File) -> bool:
    """Return whether the file is one array, or an archive of one array."""
    return len(array_shapes(file)) == 1


def _read(files: Sequence[File], _options: ReadOptions) -> Content:
    """Read the arrays of a folder."""
    if not array_shapes(files[0]):
        raise DataError(f"{files[0].where}: not a NumPy array that can be read; save it again with np.save")
    return read_pairs(
        files,
        lambda file: is_image_shape(next(iter(array_shapes(file).values()))),
        lambda file: as_pixels(_array(file), file.where),
        lambda file: as_labels(_array(file), file.where),
        "one file of images and one of labels, such as train-imgs.npz and train-labels.npz",
    )


def _array(file: File) -> npt.NDArray[Any]:
    with open_arrays(file) as read_array:
        return read_array(next(iter(array_shapes(file))))


FORMAT = Format(
    name="NumPy arrays",
    used_by="Kuzushiji-MNIST (`arr_0`), `np.save`",
    recognised_by="files of one array each: images of shape (N, 28, 28), (N, 28, 28, 1) or (N, 784), and labels",
    example="kmnist-train-imgs.npz, kmnist-train-labels.npz",
    suffixes=(".npy",),
    recognises=_recognises,
    read=_read,
)
