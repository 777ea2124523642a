"""From the content of files to a data set: labels from 0, upright images, and separate test images."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nnkernels.data import emnist
from nnkernels.data.appearance import fraction_wider_than_tall, look_inverted, look_transposed, turned
from nnkernels.data.dataset import KNOWN_NAMES, Dataset, Origin, digest
from nnkernels.data.formats import Content, Part, ReadOptions, Role, read_content
from nnkernels.data.splits import stratified_split
from nnkernels.errors import DataError

TEST_FRACTION = 1 / 7  # as in MNIST: 10,000 of 70,000
SPLIT_SEED = 0
MNIST_IMAGES, MNIST_TRAINING_IMAGES = 70_000, 60_000
NAMES: dict[Role, str] = {"train": "training", "validation": "validation", "test": "test"}


class SuspiciousDataWarning(UserWarning):
    """Images look unlike MNIST's: transposed, or dark on a light background."""


def read_files(path: Path, options: ReadOptions) -> Dataset:
    """Read a data set from a file, a folder or a ZIP archive in any of the known formats.

    Parameters
    ----------
    path : Path
        The source.
    options : ReadOptions
        What the file itself leaves open.

    Returns
    -------
    dataset : Dataset
        Its ``origin`` says how it was read.

    Raises
    ------
    DataError
        If the source is missing, damaged or in no known format, or if its content is not a data set.
    MissingDependencyError
        If a package that reads this format is not installed.

    Warns
    -----
    SuspiciousDataWarning
        If the images look transposed or inverted.
    """
    found, content = read_content(path, options)
    subset = emnist.subset_named([path.name, *content.files])
    try:
        _number_from_zero(content, options, subset)
        _turn_upright(content, options, subset, path)
        split = _separate_test_images(content)
        train, test = content.parts["train"], content.parts["test"]
        validation = content.parts.get("validation")
        classes = max(int(part.y.max(initial=0)) for part in content.parts.values()) + 1
        named = content.class_names or emnist.class_names(subset, classes)
        X_validation, y_validation = _bytes(validation, "validation") if validation else (None, None)
        dataset = Dataset(
            *_bytes(train, "training"),
            *_bytes(test, "test"),
            X_validation=X_validation,
            y_validation=y_validation,
            classes=len(content.class_names) if content.class_names else max(2, classes),
            class_names=None if named == tuple(map(str, range(len(named or "")))) else named,
            origin=Origin(found.name, tuple(content.files), split, tuple(content.notes)),
        )
    except DataError as error:
        raise DataError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
    if look_inverted(dataset.X_train):
        _warn(f"{path}: the images are dark on a light background, the inverse of MNIST's, and were left as they are")
    return dataset


def _bytes(part: Part, name: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    if part.y.size and not 0 <= part.y.min() <= part.y.max() <= 255:  # a cast would turn them into valid labels
        raise DataError(f"the {name} labels range from {part.y.min()} to {part.y.max()}; expected classes from 0")
    return part.X, part.y.astype(np.uint8)


def _number_from_zero(content: Content, options: ReadOptions, subset: str | None) -> None:
    first = options.labels_from
    if first is None:
        first = 1 if subset == "letters" and min(_labels(content)) == 1 else 0
    if not first:
        return
    if min(_labels(content)) < first:
        raise DataError(f"there is a label below {first}, but labels are counted from {first} (--labels-from {first})")
    content.parts = {role: Part(part.X, part.y - first) for role, part in content.parts.items()}
    content.notes.append(f"labels are counted from {first}; {first} was subtracted")


def _labels(content: Content) -> list[int]:
    return [int(part.y.min()) for part in content.parts.values() if part.y.size] or [0]


def _turn_upright(content: Content, options: ReadOptions, subset: str | None, path: Path) -> None:
    turn = options.transposed
    images = next(iter(content.parts.values())).X
    if turn is None:
        turn = subset is not None and fraction_wider_than_tall(images) > 0.5
        if not turn and look_transposed(images):
            _warn(
                f"{path}: the images look transposed (rows and columns exchanged), and were left as they are; look at "
                "them with `nnkernels data`, and turn them with --transposed"
            )
    if turn:
        content.parts = {role: Part(turned(part.X), part.y) for role, part in content.parts.items()}
        content.notes.append("images are transposed; they were turned upright")


def _separate_test_images(content: Content) -> str:
    """Make sure that there are training and test images, and describe how they were separated."""
    parts = content.parts
    if "test" in parts and "train" in parts:
        given = (role for role in NAMES if role in parts)
        return ", ".join(f"{len(parts[role].y):,} {NAMES[role]} images" for role in given) + ", as given"
    role: Role = next(role for role in ("", "train", "test", "validation") if role in parts)
    whole = parts.pop(role)
    if not len(whole.y):
        raise DataError("there are no images")
    if len(whole.X) != len(whole.y):
        raise DataError(f"{len(whole.X)} {NAMES.get(role, '')} images but {len(whole.y)} labels".replace("  ", " "))
    if _is_mnist(whole):
        cut = MNIST_TRAINING_IMAGES
        parts["train"], parts["test"] = Part(whole.X[:cut], whole.y[:cut]), Part(whole.X[cut:], whole.y[cut:])
        return f"MNIST's own: the first {cut:,} images are for training, the last {MNIST_IMAGES - cut:,} for testing"
    train, test = stratified_split(whole.y, TEST_FRACTION, SPLIT_SEED)
    if not len(test):
        raise DataError(f"has only {len(whole.y)} images, too few for a seventh of each class to be test images")
    parts["train"], parts["test"] = _rows(whole, train), _rows(whole, test)
    split = (
        f"no test images are given: a seventh of each class, {len(test):,} of {len(whole.y):,} images, was split off"
    )
    content.notes.append(split)
    return f"{split} (seed {SPLIT_SEED})"


def _is_mnist(part: Part) -> bool:
    if len(part.y) != MNIST_IMAGES or int(part.y.max()) > 9:
        return False
    cut, y = MNIST_TRAINING_IMAGES, part.y.astype(np.uint8)
    return KNOWN_NAMES.get(digest(part.X[:cut], y[:cut], part.X[cut:], y[cut:])) == "mnist"


def _rows(part: Part, rows: Sequence[int] | npt.NDArray[np.int64]) -> Part:
    return Part(part.X[rows], part.y[rows])


def _warn(message: str) -> None:
    warnings.warn(message, SuspiciousDataWarning, stacklevel=4)
