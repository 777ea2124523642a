"""Predictions on labelled images, with the mistakes and confusions among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nnkernels.data import LabelledImages
from nnkernels.parameters import FloatArray

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Predictions:
    """A network's predictions on N labelled images.

    Attributes
    ----------
    images : LabelledImages
        The images and their labels.
    probs : ndarray of float, shape (N, C)
        The predicted probabilities.
    """

    images: LabelledImages
    probs: FloatArray

    @property
    def predicted(self) -> Indices:
        """The most probable class of each image, shape (N,)."""
        predicted: Indices = self.probs.argmax(axis=1)
        return predicted

    @property
    def wrong(self) -> Indices:
        """The indices of the misclassified images, those with the most confident wrong prediction first."""
        wrong = np.flatnonzero(self.predicted != self.images.y)
        return wrong[np.argsort(-self.probs[wrong, self.predicted[wrong]], kind="stable")]

    @property
    def confusion(self) -> npt.NDArray[np.int64]:
        """The number of images of each true class (row) that were predicted as each class (column), shape (C, C)."""
        classes = self.probs.shape[1]
        counts = np.zeros((classes, classes), np.int64)
        np.add.at(counts, (self.images.y.astype(np.int64), self.predicted), 1)
        return counts
