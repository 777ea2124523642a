"""What a trained network makes of images it never saw: answers, mistakes, confusions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nnkernels.data import LabelledImages
from nnkernels.parameters import FloatArray

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Answers:
    """A network's answers to labelled images.

    Attributes
    ----------
    images : LabelledImages
        N of them.
    probs : ndarray, shape (N, C)
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
        """The misclassified images, those first where the network was surest of its wrong answer."""
        wrong = np.flatnonzero(self.predicted != self.images.y)
        return wrong[np.argsort(-self.probs[wrong, self.predicted[wrong]], kind="stable")]

    @property
    def confusion(self) -> npt.NDArray[np.int64]:
        """How many images of each true class (row) were taken for each class (column), shape (C, C)."""
        classes = self.probs.shape[1]
        counts = np.zeros((classes, classes), np.int64)
        np.add.at(counts, (self.images.y.astype(np.int64), self.predicted), 1)
        return counts
