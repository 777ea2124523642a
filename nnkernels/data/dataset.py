"""Labelled images in memory, and data sets of training and test images that are identified by their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.data.pixels import as_images
from nnkernels.errors import DataError

ByteArray = npt.NDArray[np.uint8]

PIXELS = 784
CLASSES = 10

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


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test images with their labels.

    The arrays are shared by all contenders of a process, so the attributes are read-only views. The caller's own arrays
    stay writable.

    Attributes
    ----------
    X_train, X_test : ndarray of uint8, shape (N, 784)
        Grey values from 0 (background) to 255, one image per row.
    y_train, y_test : ndarray of uint8, shape (N,)
        Labels, 0 to 9.

    Raises
    ------
    DataError
        If shapes, dtypes or labels are not as above, or if there are no training or no test images.
    """

    X_train: ByteArray
    y_train: ByteArray
    X_test: ByteArray
    y_test: ByteArray

    def __post_init__(self) -> None:
        for part, X, y in (("training", self.X_train, self.y_train), ("test", self.X_test, self.y_test)):
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
            if y.max() >= CLASSES:
                index = int(np.argmax(y >= CLASSES))
                raise DataError(f"{part} label {index} is {y[index]}; expected a class from 0 to {CLASSES - 1}")
        for field in fields(self):
            read_only = np.ascontiguousarray(getattr(self, field.name)).view()
            read_only.flags.writeable = False
            object.__setattr__(self, field.name, read_only)

    @property
    def training(self) -> LabelledImages:
        """The training images with their labels."""
        return LabelledImages(self.X_train, self.y_train)

    @property
    def test(self) -> LabelledImages:
        """The test images with their labels."""
        return LabelledImages(self.X_test, self.y_test)

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of training images, training labels, test images and test labels, in hexadecimal."""
        return digest(self.X_train, self.y_train, self.X_test, self.y_test)

    @cached_property
    def name(self) -> str:
        """``mnist``, ``mnist-5k``, or ``custom-`` and the first eight digits of :attr:`sha256`."""
        return KNOWN_NAMES.get(self.sha256, f"custom-{self.sha256[:8]}")

    def validation_split(self) -> Dataset:
        """Return a data set whose test images are the last sixth of the training images (10,000 of MNIST's 60,000).

        Use it to choose hyperparameters, so that the test images stay unseen.

        Returns
        -------
        dataset : Dataset
            The remaining training images, and the held-out ones as test images.
        """
        held_out = max(1, len(self.X_train) // 6)
        return Dataset(
            self.X_train[:-held_out], self.y_train[:-held_out], self.X_train[-held_out:], self.y_train[-held_out:]
        )
