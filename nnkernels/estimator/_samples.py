"""From what a caller calls samples and labels to features and classes, without a change of meaning on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import assert_all_finite

from nnkernels.data.pixels import as_features
from nnkernels.errors import DataError
from nnkernels.parameters import FloatArray

NAMED_LABELS = 5  # of those unknown, in a message


class SampleError(DataError, ValueError):
    """Samples or labels that cannot be learnt from; a ValueError too, which scikit-learn's own classifiers raise."""


def features_of(X: npt.NDArray[Any]) -> FloatArray:
    """Return samples (N, D), which scikit-learn has checked, as float32 features; integers are pixels.

    Raises
    ------
    SampleError
        If an integer lies outside of 0..255.
    ValueError
        If a number is too large for float32.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # scikit-learn refuses what float32 cannot hold
        try:
            features = as_features(X)
        except DataError as error:
            raise SampleError(f"X cannot be learnt from: {error}") from error
        assert_all_finite(features, input_name="X")
    return features


def encoded(labels: npt.NDArray[Any], classes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return which of the classes each label (N,) is.

    They are compared as Python compares them, before any cast: in the dtype of the classes, "10" may become "1", and
    256 may become 0.

    Raises
    ------
    SampleError
        If a label is none of the classes.
    """
    places = {label: place for place, label in enumerate(classes.tolist())}
    given = labels.tolist()
    unknown = list(dict.fromkeys(label for label in given if label not in places))
    if unknown:
        named = ", ".join(map(repr, unknown[:NAMED_LABELS])) + (", ..." if len(unknown) > NAMED_LABELS else "")
        raise SampleError(f"y holds labels that are not among the classes: {named}; the classes are {classes}")
    return np.array([places[label] for label in given], np.int64)
