"""Labelled images in memory, and the data set of a training and a test part, named by its content."""

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

# sha256 of the decoded training images, training labels, test images and test labels, in this order.
KNOWN_NAMES = {
    "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16": "mnist",
    "bb4f42726113c1c1db44c5a30533b9c3019726ceea0a811e3c41a7f3dededab0": "mnist-5k",
}


def digest(*arrays: npt.NDArray[Any]) -> str:
    """Return the sha256 of the arrays' bytes, one after another."""
    sha256 = hashlib.sha256()
    for array in arrays:
        sha256.update(np.ascontiguousarray(array).data)
    return sha256.hexdigest()


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images with their labels, in any form that a network trains from.

    Given are images and labels in any byte order, memory order and strides; what is kept is as below. One rule says
    what images are (:func:`nnkernels.transforms.as_images`): integers are pixels, must lie in 0..255 and are scaled by
    1/255; floats and booleans are features and are taken as they are.

    Attributes
    ----------
    X : ndarray of uint8, float32 or float64, shape (N, D)
        Pixels, whose features are ``X / 255``, or float features. C-contiguous, in the byte order of the machine.
    y : ndarray of integers, shape (N,)
        Classes, counted from 0. Contiguous, in the byte order of the machine.

    Raises
    ------
    DataError
        If shapes or dtypes are not as above, an integer image has a value outside of 0..255, or a label is negative or
        does not fit into int64: compiled code would read beside the arrays.

    Warns
    -----
    UnscaledPixelsWarning
        If float features look like pixels that are not scaled, or integers like features.
    """

    X: npt.NDArray[Any]
    y: npt.NDArray[np.integer[Any]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "X", as_images(self.X))
        if self.y.ndim != 1 or self.y.dtype.kind not in "iu":
            raise DataError(f"labels are {self.y.dtype} of shape {self.y.shape}; expected integers (N,)")
        if len(self.X) != len(self.y):
            raise DataError(f"{len(self.X)} images but {len(self.y)} labels")
        object.__setattr__(self, "y", np.ascontiguousarray(self.y, self.y.dtype.newbyteorder("=")))
        wrong = (self.y < 0) | (self.y > np.iinfo(np.int64).max)
        if wrong.any():
            where = int(np.argmax(wrong))
            raise DataError(f"label {where} is {self.y[where]}; expected classes counted from 0")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test images with their labels.

    Attributes
    ----------
    X_train, X_test : ndarray of uint8, shape (N, 784)
        Grey values, 0 (background) to 255, a row an image.
    y_train, y_test : ndarray of uint8, shape (N,)
        Labels, 0 to 9.

    Raises
    ------
    DataError
        If shapes, dtypes or labels are not as above, or a part is empty.
    """

    X_train: ByteArray
    y_train: ByteArray
    X_test: ByteArray
    y_test: ByteArray

    def __post_init__(self) -> None:
        for part, X, y in (("training", self.X_train, self.y_train), ("test", self.X_test, self.y_test)):
            if X.ndim != 2 or X.shape[1] != PIXELS or X.dtype != np.uint8:
                raise DataError(f"{part} images are {X.dtype} of shape {X.shape}; expected uint8 (N, {PIXELS})")
            if y.ndim != 1 or y.dtype != np.uint8:
                raise DataError(f"{part} labels are {y.dtype} of shape {y.shape}; expected uint8 (N,)")
            if len(X) != len(y):
                raise DataError(f"{len(X)} {part} images but {len(y)} {part} labels")
            if len(X) == 0:
                raise DataError(f"there are no {part} images")
            if y.max() >= CLASSES:
                where = int(np.argmax(y >= CLASSES))
                raise DataError(f"{part} label {where} is {y[where]}; expected 0 to {CLASSES - 1}")
        # Shared by many contenders in one process: nobody may change them. The caller's own arrays stay as they are.
        for field in fields(self):
            shared = np.ascontiguousarray(getattr(self, field.name)).view()
            shared.flags.writeable = False
            object.__setattr__(self, field.name, shared)

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
        """The sha256 of training images, training labels, test images and test labels, in hexadecimal."""
        return digest(self.X_train, self.y_train, self.X_test, self.y_test)

    @cached_property
    def name(self) -> str:
        """``mnist``, ``mnist-5k``, or ``custom-`` with the head of the hash: the content decides, not the path."""
        return KNOWN_NAMES.get(self.sha256, f"custom-{self.sha256[:8]}")

    def validation_split(self) -> Dataset:
        """Return the data with the last sixth of the training images (10,000 of MNIST's) in place of the test set."""
        held_out = max(1, len(self.X_train) // 6)
        return Dataset(
            self.X_train[:-held_out], self.y_train[:-held_out], self.X_train[-held_out:], self.y_train[-held_out:]
        )
