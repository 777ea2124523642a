"""Random distortion of images for training, the same for every contender."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.augmentation import Augmentation
from nnkernels.errors import ConfigurationError, DataError
from nnkernels.transforms.batches import batch_of, run_on_threads


def augment(
    images: npt.NDArray[Any],
    augmentation: Augmentation,
    *,
    seed: int,
    epoch: int,
    indices: npt.NDArray[np.integer[Any]] | None = None,
    out: npt.NDArray[np.uint8] | None = None,
) -> npt.NDArray[np.uint8]:
    """Distort images randomly.

    The distortion of an image depends on ``seed``, ``epoch`` and its number alone, not on the other images, their order
    or the number of threads. Results are the same on every CPU. (Only the last bits of sines and cosines may differ.
    They change a rounded coordinate once in many millions of images.)

    An image is scaled, sheared and rotated about the pixel ``(H // 2, W // 2)``, in this order, and then shifted. With
    ``elastic_alpha``, the positions from which the pixels of the result are taken are displaced further, by
    ``elastic_alpha`` times uniform noise in [-1, 1] that a Gaussian filter of standard deviation ``elastic_sigma`` has
    smoothed in both directions. The filter wraps around at the edges.

    Interpolation is bilinear; outside the image there are zeros. Pixels are computed in integers and rounded to the
    nearest, halves upwards; they differ by at most 1 from exact interpolation for images of up to 100 x 100 pixels.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W) or (N, D)
        Pixels on a black background. D is a square number.
    augmentation : Augmentation
        The ranges of the distortions.
    seed : int
        Seed of the training, from 0 to 2**64 - 1.
    epoch : int
        The epoch, counted from 0.
    indices : ndarray of integers, shape (N,), optional
        The number of each image in the data set; by default 0, 1, 2, ... A part of a data set, such as ``X[a:b]``,
        needs its numbers, such as ``np.arange(a, b)``.
    out : ndarray of uint8, optional
        Where the result is written: C-contiguous, of the shape of ``images``. It may be ``images`` itself.

    Returns
    -------
    augmented : ndarray of uint8, shape (N, H, W) or (N, D)
        The distorted images, or ``out``.

    Raises
    ------
    DataError
        If the images or their numbers have another dtype or shape, or if ``out`` does not fit.
    ConfigurationError
        If seed or epoch is not an integer in its range.

    References
    ----------
    P. Y. Simard, D. Steinkraus, J. C. Platt, "Best Practices for Convolutional Neural Networks Applied to Visual
    Document Analysis", ICDAR 2003, section 2.
    """
    batch = batch_of(images, out)
    count = len(batch.images)
    keys = _key("seed", seed), _key("epoch", epoch)
    numbers = np.arange(count, dtype=np.uint64) if indices is None else _numbers(indices, count)
    if augmentation.is_identity:
        batch.out[:] = batch.images
        return batch.result
    shape = (batch.height, batch.width)
    ranges = (augmentation.rotation_radians, augmentation.scale, augmentation.shear, augmentation.shift_pixels)
    arguments = (batch.images, numbers, batch.out, shape, ranges, *keys)
    if augmentation.elastic_alpha:
        from nnkernels.transforms.compiled.elastic import distort_elastically, gaussian_filter

        weights = gaussian_filter(*shape, augmentation.elastic_sigma)
        run_on_threads(distort_elastically, count, *arguments, augmentation.elastic_alpha, weights)
    else:
        from nnkernels.transforms.compiled.affine import distort_affinely

        run_on_threads(distort_affinely, count, *arguments)
    return batch.result


def _key(name: str, value: int) -> np.uint64:
    try:
        return np.uint64(operator.index(value))
    except (TypeError, OverflowError):
        raise ConfigurationError(f"{name} is {value!r}; expected an integer from 0 to 2**64 - 1") from None


def _numbers(indices: npt.NDArray[Any], count: int) -> npt.NDArray[np.uint64]:
    numbers = np.asarray(indices)
    if numbers.dtype.kind not in "iu" or numbers.shape != (count,):
        raise DataError(
            f"indices have dtype {numbers.dtype} and shape {numbers.shape}; expected {count} integers, one an image"
        )
    if count and numbers.min() < 0:
        raise DataError(f"indices has {numbers.min()}; expected numbers of images from 0")
    return np.ascontiguousarray(numbers, np.uint64)
