"""Weights as integers of three signed bytes, so that their products with uint8 pixels have exact sums.

Each hidden unit h has its own scale s_h = max_i |w_ih| / LARGEST, so that a weight is an integer times s_h, rounded::

    w_ih = s_h (2^16 d2 + 2^8 d1 + d0)        with digits from -128 to 127

The error of a weight is at most s_h / 2, which is u max_i |w_ih| with u = 2^-24 (LARGEST is almost 2^23). So the error
of ``Z1 = X W1`` is at most u max_i |w_ih| S, where S is the sum of an image's features. A float32 sum of n products has
the bound (n + 1) u sum_i x_i |w_ih| (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), which is
(n + 1) u S times the mean |w_ih| over the image's pixels, weighted with them. Integers are at least as good if the
largest weight is at most n + 1 times that mean.

Neither n nor the mean is known before the images are. :func:`fixed_point` assumes that an eighth of the pixels are
nonzero, and that the mean is not below the lower quartile of the weights (without those that are 0, which have no
error). MNIST's digits have 150 of 784 nonzero pixels, and in networks trained on them the largest weight of a unit is
20 to 33 times its lower quartile, far below the limit of 106.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.parameters import FloatArray

DIGITS = 3
LARGEST = 127 * (2**16 + 2**8 + 1)  # largest integer whose three digits are at most 127
MAX_INPUTS = (2**31 - 1) // (255 * 128)  # a larger sum of products of bytes may not fit into 32 bits
ASSUMED_DENSITY = 1 / 8
OTHER_ROUNDINGS = 8  # of a float32 result: features, bias, output layer; they matter for networks with few inputs
REGULAR_SHARE = 3 / 4  # of the nonzero weights of a unit


class FixedPoint(NamedTuple):
    """Weights in fixed point.

    Attributes
    ----------
    integers : ndarray of int32, shape (D, H)
        The integers, between ``-LARGEST`` and ``LARGEST``.
    scales : ndarray of float64, shape (H,)
        The scale s_h of each hidden unit; 0 if all its weights are 0.
    """

    integers: npt.NDArray[np.int32]
    scales: npt.NDArray[np.float64]


def fixed_point(W1: FloatArray) -> FixedPoint | None:
    """Convert the weights of a layer to fixed point, if that is as accurate as float32.

    Parameters
    ----------
    W1 : ndarray of float, shape (D, H)
        The weights, finite.

    Returns
    -------
    weights : FixedPoint or None
        The weights in fixed point. None if the magnitudes of the weights of a hidden unit differ too much, or if there
        are more inputs than 32-bit sums allow.
    """
    inputs = len(W1)
    magnitudes = np.abs(np.ascontiguousarray(W1.T))  # NumPy's reductions are slower over columns
    largest = magnitudes.max(axis=1).astype(np.float64)
    limit = ASSUMED_DENSITY * inputs + OTHER_ROUNDINGS
    regular = np.count_nonzero(magnitudes >= (largest / limit)[:, np.newaxis], axis=1)
    # In a column of zeros, all weights are as large as the largest.
    if inputs > MAX_INPUTS or np.any(regular < REGULAR_SHARE * np.count_nonzero(magnitudes, axis=1)):
        return None
    scales = largest / LARGEST
    return FixedPoint(np.rint(W1 / np.where(scales > 0, scales, 1)).astype(np.int32), scales)


def digits(integers: npt.NDArray[np.int32]) -> list[npt.NDArray[np.int8]]:
    """Return the digits of integers.

    Parameters
    ----------
    integers : ndarray of int32
        Integers between ``-LARGEST`` and ``LARGEST``.

    Returns
    -------
    digits : list of ndarray of int8
        The digits d2, d1 and d0, each of the shape of the integers.
    """
    # The bytes of a number plus 0x808080 are its digits plus 128. Toggling the highest bit of a byte subtracts 128.
    as_bytes = (integers + 0x808080) ^ 0x808080
    return [(as_bytes >> shift).astype(np.int8) for shift in (16, 8, 0)]
