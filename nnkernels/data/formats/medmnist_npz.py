"""MedMNIST's NumPy archives: training, validation and test images with one label each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from nnkernels.data.formats._archives import array_shapes, open_arrays
from nnkernels.data.formats._declaration import Content, Format, Part, ReadOptions, Role
from nnkernels.data.formats._files import File
from nnkernels.data.formats._pixels import SIDE, as_labels, as_pixels
from nnkernels.errors import DataError

ROLES: dict[Role, str] = {"train": "train", "validation": "val", "test": "test"}


def _recognises(file: File) -> bool:
    """Return whether the archive has MedMNIST's keys."""
    return {"train_images", "train_labels", "test_images", "test_labels"} <= set(array_shapes(file))


def _read(files: Sequence[File], _options: ReadOptions) -> Content:
    """Read one archive."""
    if len(files) > 1:
        raise DataError(f"{files[0].where}: is beside {files[1].name}; give one of the files")
    file = files[0]
    shapes = array_shapes(file)
    _check(file, shapes["train_images"], shapes["train_labels"])
    with open_arrays(file) as read_array:
        parts = {
            role: Part(
                as_pixels(read_array(f"{name}_images"), f"{file.where}: {name}_images"),
                as_labels(read_array(f"{name}_labels"), f"{file.where}: {name}_labels"),
            )
            for role, name in ROLES.items()
            if f"{name}_images" in shapes and f"{name}_labels" in shapes
        }
    return Content(parts, [file.name])


def _check(file: File, images: tuple[int, ...], labels: tuple[int, ...]) -> None:
    name = PurePosixPath(file.name).stem
    wanted = "use one of 28 x 28 grey pixels and one label per image, such as organamnist or pneumoniamnist"
    if len(images) == 4 and images[-1] == 3:
        raise DataError(f"{file.where}: {name} has RGB images ({images[1]} x {images[2]} x 3); {wanted}")
    if images[1:] != (SIDE, SIDE):
        size = " x ".join(map(str, images[1:]))
        raise DataError(f"{file.where}: {name} has images of {size} pixels; {wanted}")
    if len(labels) == 2 and labels[1] > 1:
        raise DataError(f"{file.where}: {name} has {labels[1]} labels per image (multi-label); {wanted}")


FORMAT = Format(
    name="MedMNIST",
    used_by="MedMNIST (grey, one label, 28 x 28)",
    recognised_by="arrays `train_images`, `train_labels` and so on; `val_images` become the validation images",
    example="pneumoniamnist.npz",
    suffixes=(),
    recognises=_recognises,
    read=_read,
)
