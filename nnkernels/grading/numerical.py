"""Numerical derivatives: the judge of a backward pass, which knows no formula of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nnkernels.parameters import FloatArray

# A power of two, so that adding it to a parameter is exact but for the last bits. Rounding leaves an error of about
# 1e-13 and, extrapolated, the step one of about 1e-12.
STEP = 2.0**-10
# Two steps that differ by more than this (relative to the array) did not see a smooth function: there is a kink, noise
# or float32 on the way.
ROUGHNESS = 1e-4


def slope(function: Callable[[float], Any]) -> tuple[Any, Any]:
    """Return the derivative of a function (a number or an array) at zero, and how far two estimates differ.

    ::

        slope(h) = (f(h) - f(-h)) / 2h               error O(h^2)
        f'(0) = (4 slope(h / 2) - slope(h)) / 3      error O(h^4)

    References
    ----------
    L. F. Richardson, "The approximate arithmetical solution by finite differences", Phil. Trans. A 210, 1911.
    """
    wide = (function(STEP) - function(-STEP)) / (2 * STEP)
    narrow = (function(STEP / 2) - function(-STEP / 2)) / STEP
    return (4 * narrow - wide) / 3, abs(narrow - wide)


def differentiate(function: Callable[[], float], array: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Differentiate a function in every entry of an array that it reads.

    Parameters
    ----------
    function : callable without arguments
        Reads ``array``, returns a float.
    array : ndarray of float64
        Each entry is changed in turn and put back.

    Returns
    -------
    values, roughness : ndarray
        The derivatives, and the difference of two estimates, relative to the largest of them.
    """
    values, differences = np.empty(array.shape), np.empty(array.shape)
    for index in np.ndindex(array.shape):
        kept = float(array[index])

        def moved(by: float, index: tuple[int, ...] = index, kept: float = kept) -> float:
            array[index] = kept + by
            return function()

        values[index], differences[index] = slope(moved)
        array[index] = kept
    # A gradient that is zero throughout still has rounding to compare.
    return values, differences / max(float(np.max(np.abs(values), initial=0.0)), 1e-6)
