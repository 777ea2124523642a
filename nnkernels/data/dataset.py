"""Labelled images in memory, and data sets of training and test images that are identified by their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.data.pixels import as_images
from nnkernels.errors import DataError

ByteArray = npt.NDArray[np.uint8]

PARTS = ("X_train", "y_train", "X_test", "y_test")  # the arrays of every data set
PIXELS = 784
CLASSES = 10  # of MNIST
MIN_CLASSES, MAX_CLASSES = 2, 64

# SHA-256 of the decoded training images, training labels, test images and test labels, in this order.
KNOWN_NAMES = {
    "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16": "mnist",
    "bb4f42726113c1c1db44c5a30533b9c3019726ceea0a811e3c41a7f3dededab0": "mnist-5k",
}


def digest(*arrays: npt.NDArray[Any]) -> str:
    """Return the SHA-256 of the concatenated bytes of arrays.

    Parameters
    ----------
    *arrays : ndarray
        Arrays of any shape and dtype, hashed in C order.

    Returns
    -------
    digest : str
        64 hexadecimal digits.
    """
    sha256 = hashlib.sha256()
    for array in arrays:
        sha256.update(np.ascontiguousarray(array).data)
    return sha256.hexdigest()


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images and their labels, as input for training and evaluation.

    The inputs may have any byte order, memory order and strides; they are converted to the form below. The rule of
    :func:`nnkernels.transforms.as_images` applies: integers are pixels, must lie in 0..255 and are scaled by 1/255
    later; floats and booleans are features and keep their values.

    Attributes
    ----------
    X : ndarray of uint8, float32 or float64, shape (N, D)
        Pixels, whose features are ``X / 255``, or float features. C-contiguous, in native byte order.
    y : ndarray of integers, shape (N,)
        Class indices, counted from 0. Contiguous, in native byte order.
    classes : int
        Number of classes, C. By default ten, or more if a label requires it.

    Raises
    ------
    DataError
        If a shape or dtype is wrong, an integer image has a value outside 0..255, or a label is negative or does not
        fit into int64. Compiled code does not check bounds, so such labels would read out of bounds.

    Warns
    -----
    UnscaledPixelsWarning
        If float features look like unscaled pixels, or integers look like binary features.
    """

    X: npt.NDArray[Any]
    y: npt.NDArray[np.integer[Any]]
    classes: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "X", as_images(self.X))
        if self.y.ndim != 1 or self.y.dtype.kind not in "iu":
            raise DataError(
                f"labels have dtype {self.y.dtype} and shape {self.y.shape}; expected integers of shape (N,)"
            )
        if len(self.X) != len(self.y):
            raise DataError(f"{len(self.X)} images but {len(self.y)} labels")
        object.__setattr__(self, "y", np.ascontiguousarray(self.y, self.y.dtype.newbyteorder("=")))
        invalid = (self.y < 0) | (self.y > np.iinfo(np.int64).max)
        if invalid.any():
            index = int(np.argmax(invalid))
            raise DataError(f"label {index} is {self.y[index]}; expected a class index from 0 to 2**63 - 1")
        largest = int(self.y.max(initial=0))
        if self.classes and largest >= self.classes:
            raise DataError(f"the labels reach {largest}; expected class indices from 0 to {self.classes - 1}")
        object.__setattr__(self, "classes", self.classes or max(CLASSES, largest + 1))


@dataclass(frozen=True)
class Origin:
    """How a data set was read from files, as results record it.

    Attributes
    ----------
    format : str
        The name of the format.
    files : tuple of str
        The names of the files, without the folder that contains them.
    split : str
        How training, validation and test images were separated.
    notes : tuple of str
        What was changed or left out.
    """

    format: str
    files: tuple[str, ...]
    split: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test images with their labels, and validation images if the data set has its own.

    The arrays are shared by all contenders of a process, so the attributes are read-only views. The caller's own arrays
    stay writable.

    Attributes
    ----------
    X_train, X_test : ndarray of uint8, shape (N, 784)
        Grey values from 0 (background) to 255, one image per row.
    y_train, y_test : ndarray of uint8, shape (N,)
        Labels, counted from 0.
    X_validation : ndarray of uint8, shape (N, 784), or None
        Validation images, if the data set has its own.
    y_validation : ndarray of uint8, shape (N,), or None
        Their labels.
    classes : int
        Number of classes, 2 to 64. By default one more than the largest label.
    class_names : tuple of str or None
        The name of each class, if known.
    origin : Origin or None
        How the data set was read from files.

    Raises
    ------
    DataError
        If shapes, dtypes or labels are not as above, or if there are no training or no test images.
    """

    X_train: ByteArray
    y_train: ByteArray
    X_test: ByteArray
    y_test: ByteArray
    X_validation: ByteArray | None = None
    y_validation: ByteArray | None = None
    classes: int = 0
    class_names: tuple[str, ...] | None = None
    origin: Origin | None = None

    def __post_init__(self) -> None:
        for part, X, y in self._parts():
            _check_part(part, X, y)
        largest = max(int(y.max()) for _part, _X, y in self._parts())
        classes = self.classes or max(MIN_CLASSES, largest + 1)
        if not MIN_CLASSES <= classes <= MAX_CLASSES or largest >= classes:
            raise DataError(
                f"there are {classes} classes and labels up to {largest}; expected {MIN_CLASSES} to {MAX_CLASSES} "
                "classes, and labels below their number"
            )
        if self.class_names is not None and len(self.class_names) != classes:
            raise DataError(f"there are {classes} classes but {len(self.class_names)} names of classes")
        object.__setattr__(self, "classes", classes)
        for name in ("X_train", "y_train", "X_test", "y_test", "X_validation", "y_validation"):
            if (array := getattr(self, name)) is not None:
                read_only = np.ascontiguousarray(array).view()
                read_only.flags.writeable = False
                object.__setattr__(self, name, read_only)

    def _parts(self) -> list[tuple[str, ByteArray, ByteArray]]:
        parts = [("training", self.X_train, self.y_train), ("test", self.X_test, self.y_test)]
        if self.X_validation is not None and self.y_validation is not None:
            parts.append(("validation", self.X_validation, self.y_validation))
        elif self.X_validation is not None or self.y_validation is not None:
            raise DataError("the validation images or their labels are missing; expected both or neither")
        return parts

    @property
    def training(self) -> LabelledImages:
        """The training images with their labels."""
        return LabelledImages(self.X_train, self.y_train, self.classes)

    @property
    def test(self) -> LabelledImages:
        """The test images with their labels."""
        return LabelledImages(self.X_test, self.y_test, self.classes)

    @property
    def names_of_classes(self) -> tuple[str, ...]:
        """The name of each class; its number if no name is known."""
        return self.class_names or tuple(str(number) for number in range(self.classes))

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of training images, training labels, test images and test labels, in hexadecimal.

        If the data set has validation images, they and their labels follow.
        """
        return digest(*(array for _part, X, y in self._parts() for array in (X, y)))

    @cached_property
    def name(self) -> str:
        """``mnist``, ``mnist-5k``, or ``custom-`` and the first eight digits of :attr:`sha256`."""
        return KNOWN_NAMES.get(self.sha256, f"custom-{self.sha256[:8]}")

    def validation_split(self) -> Dataset:
        """Return a data set whose test images are the validation images.

        These are the data set's own ones, or otherwise the last sixth of the training images (10,000 of MNIST's
        60,000). Use them to choose hyperparameters, so that the test images stay unseen.

        Returns
        -------
        dataset : Dataset
            The remaining training images, and the validation images as test images.
        """
        if self.X_validation is not None and self.y_validation is not None:
            parts = (self.X_train, self.y_train, self.X_validation, self.y_validation)
        else:
            held_out = max(1, len(self.X_train) // 6)
            X, y = self.X_train, self.y_train
            parts = (X[:-held_out], y[:-held_out], X[-held_out:], y[-held_out:])
        return Dataset(*parts, classes=self.classes, class_names=self.class_names)


def _check_part(part: str, X: ByteArray, y: ByteArray) -> None:
    if X.ndim != 2 or X.shape[1] != PIXELS or X.dtype != np.uint8:
        raise DataError(
            f"{part} images have dtype {X.dtype} and shape {X.shape}; expected uint8 of shape (N, {PIXELS})"
        )
    if y.ndim != 1 or y.dtype != np.uint8:
        raise DataError(f"{part} labels have dtype {y.dtype} and shape {y.shape}; expected uint8 of shape (N,)")
    if len(X) != len(y):
        raise DataError(f"{len(X)} {part} images but {len(y)} {part} labels")
    if len(X) == 0:
        raise DataError(f"there are no {part} images")
    if y.max() >= MAX_CLASSES:
        index = int(np.argmax(y >= MAX_CLASSES))
        raise DataError(f"{part} label {index} is {y[index]}; expected a class from 0 to {MAX_CLASSES - 1}")
