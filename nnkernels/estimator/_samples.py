"""Conversion of samples and labels to float32 features and class indices."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import assert_all_finite

from nnkernels.data.pixels import UINT8, as_features, as_images
from nnkernels.errors import DataError
from nnkernels.estimator._hyper_parameters import validate_preprocessing
from nnkernels.interchange import Preprocessing
from nnkernels.parameters import FloatArray
from nnkernels.transforms import recover_pixels
from nnkernels.transforms.batches import batch_of

MAX_LISTED_LABELS = 5  # unknown labels that a message lists


NEEDS_PIXELS = "X has dtype {}, but only pixels can be {}; pass integers from 0 to 255"


class SampleError(DataError, ValueError):
    """Samples or labels are invalid. Also a ValueError, which scikit-learn's own classifiers raise."""


def to_features(X: npt.NDArray[Any], preprocessing: Preprocessing) -> FloatArray:
    """Convert samples to float32 features. Integers are pixels, to which the preprocessing is applied.

    Parameters
    ----------
    X : ndarray of integers, floats or booleans, shape (N, D)
        Samples that scikit-learn has validated.
    preprocessing : Preprocessing
        How pixels become features.

    Returns
    -------
    features : ndarray of float32, shape (N, D)
        C-contiguous and finite.

    Raises
    ------
    SampleError
        If an integer is outside 0..255, or if images cannot be deskewed.
    HyperParameterError
        If the preprocessing has another number of features.
    ValueError
        If a value is too large for float32.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # scikit-learn rejects infinities below
        try:
            images = X if preprocessing.is_default else as_images(X)
            if preprocessing.deskew and images.dtype != UINT8:
                raise DataError(NEEDS_PIXELS.format(X.dtype, "deskewed"))
            if images.dtype == UINT8 and not preprocessing.is_default:
                validate_preprocessing(preprocessing, images.shape[1])
                images = preprocessing.features(images)
            features = as_features(images)
        except DataError as error:
            raise SampleError(f"invalid X: {error}") from error
        if X.dtype != features.dtype:  # otherwise scikit-learn has validated the same numbers
            assert_all_finite(features, input_name="X")
    return features


def to_pixels(X: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Convert samples to pixels, for a recipe that deskews or distorts them.

    Parameters
    ----------
    X : ndarray of integers, shape (N, D)
        Samples that scikit-learn has validated.

    Returns
    -------
    pixels : ndarray of uint8, shape (N, D)
        C-contiguous.

    Raises
    ------
    SampleError
        If X has another dtype, an integer is outside 0..255, or D is not a square number.
    """
    try:
        images = as_images(X)
        if images.dtype != UINT8:
            raise DataError(NEEDS_PIXELS.format(X.dtype, "deskewed or distorted"))
        return batch_of(images, None).images
    except DataError as error:
        raise SampleError(f"invalid X: {error}") from error


def to_images(X: npt.NDArray[Any], preprocessing: Preprocessing) -> npt.NDArray[Any]:
    """Convert samples to pixels if they are pixels, or exactly pixels / 255; to features otherwise.

    Parameters
    ----------
    X : ndarray of integers, floats or booleans, shape (N, D)
        Samples that scikit-learn has validated.
    preprocessing : Preprocessing
        How pixels become features. Unless it is the default, it is applied here.

    Returns
    -------
    images : ndarray of uint8 or float32, shape (N, D)
        C-contiguous and finite.

    Raises
    ------
    SampleError, HyperParameterError, ValueError
        As :func:`to_features`.
    """
    if not preprocessing.is_default:
        return to_features(X, preprocessing)
    images = recover_pixels(X)
    if images.dtype.kind not in "iu":
        return to_features(images, preprocessing)
    try:
        return as_images(images)
    except DataError as error:
        raise SampleError(f"invalid X: {error}") from error


def encode_labels(labels: npt.NDArray[Any], classes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the class index of each label.

    Labels and classes of different dtypes are compared as Python objects, without a cast. In the dtype of the classes,
    "10" could become "1", and 256 could become 0.

    Parameters
    ----------
    labels : ndarray, shape (N,)
        Labels of any type.
    classes : ndarray, shape (C,)
        All classes, each once, sorted.

    Returns
    -------
    y : ndarray of int64, shape (N,)
        Indices into ``classes``.

    Raises
    ------
    SampleError
        If a label is not among the classes.
    """
    if labels.dtype == classes.dtype and labels.dtype.kind in "iu":
        y = np.searchsorted(classes, labels).astype(np.int64)
        if np.array_equal(classes[np.minimum(y, len(classes) - 1)], labels):
            return y
    index_of_class = {label: index for index, label in enumerate(classes.tolist())}
    values = labels.tolist()
    unknown = list(dict.fromkeys(label for label in values if label not in index_of_class))
    if unknown:
        listed = ", ".join(map(repr, unknown[:MAX_LISTED_LABELS])) + (
            ", ..." if len(unknown) > MAX_LISTED_LABELS else ""
        )
        raise SampleError(f"y contains labels that are not among the classes: {listed}; the classes are {classes}")
    return np.array([index_of_class[label] for label in values], np.int64)
