"""NumPy archives that contain images and labels, in the layout of Keras' ``mnist.npz`` or of a single part."""

from __future__ import annotations

from collections.abc import Sequence

from nnkernels.data.formats._archives import array_shapes, open_arrays
from nnkernels.data.formats._declaration import Content, Format, Part, ReadOptions, Role
from nnkernels.data.formats._files import File
from nnkernels.data.formats._pixels import as_labels, as_pixels
from nnkernels.data.formats._tables import read_tables
from nnkernels.errors import DataError

# Names of arrays in lower case: of both parts, and of one part.
SPLIT = (("x_train", "y_train", "x_test", "y_test"), ("train_x", "train_y", "test_x", "test_y"))
WHOLE = (("x", "y"), ("images", "labels"), ("image", "label"), ("data", "target"), ("x", "label"), ("data", "labels"))


def _recognises(file: File) -> bool:
    """Return whether the archive has the arrays of one of the layouts."""
    return bool(_layout(file)) and "val_images" not in _keys(file)


def _read(files: Sequence[File], options: ReadOptions) -> Content:
    """Read one archive of training and test images, or archives of one part each."""
    if len(files) > 1:
        return read_tables(files, options, _read_one_part)
    file = files[0]
    layout = _layout(file)
    if len(layout) == 2:
        return Content({"": _part(file, layout)}, [file.name])
    if not layout:
        found = ", ".join(array_shapes(file)) or "nothing that can be read"
        raise DataError(
            f"{file.where}: not a NumPy archive of {', '.join(SPLIT[0])}, nor of {' and '.join(WHOLE[0])}; it contains "
            f"{found}"
        )
    parts: dict[Role, Part] = {"train": _part(file, layout[:2]), "test": _part(file, layout[2:])}
    return Content(parts, [file.name])


def _read_one_part(file: File, _options: ReadOptions) -> Part:
    layout = _layout(file)
    if len(layout) != 2:
        raise DataError(f"{file.where}: contains training and test images; give this file alone")
    return _part(file, layout)


def _part(file: File, keys: tuple[str, ...]) -> Part:
    names = _keys(file)
    with open_arrays(file) as read_array:
        X = as_pixels(read_array(names[keys[0]]), f"{file.where}: {names[keys[0]]}")
        return Part(X, as_labels(read_array(names[keys[1]]), f"{file.where}: {names[keys[1]]}"))


def _keys(file: File) -> dict[str, str]:
    return {key.lower(): key for key in array_shapes(file) if key}


def _layout(file: File) -> tuple[str, ...]:
    keys = _keys(file)
    return next((layout for layout in (*SPLIT, *WHOLE) if set(layout) <= set(keys)), ())


FORMAT = Format(
    name="NumPy archive",
    used_by="Keras (`mnist.npz`), `np.savez`",
    recognised_by="arrays `x_train`, `y_train`, `x_test`, `y_test`, or one part: `x` and `y`, `images` and `labels`",
    example="mnist.npz",
    suffixes=(".npz",),
    recognises=_recognises,
    read=_read,
)
