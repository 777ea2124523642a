"""Recovery of pixels from float features that are exactly scaled pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.data.pixels import MAX_PIXEL, PIXEL_SCALE
from nnkernels.transforms.batches import run_on_threads

SAMPLE_ROWS = 4  # rows that are checked first, to recognise most other features without compiled code

# How users scale pixels: by a division or by a product, in one dtype or the other. So a feature of the pixel k is
# ``real(k) / divisor * factor``.
Rule = tuple[Any, Any, Any]
RULES: list[Rule] = [
    (real, divisor, factor)
    for real in (np.float64, np.float32)
    for divisor, factor in ((real(MAX_PIXEL), real(1)), (real(1), real(PIXEL_SCALE)))
]


def recover_pixels(X: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the pixels of which features are exactly the quotients by 255, or the products with 1/255.

    Quotients and products in float32 and in float64 are recognised, if all features are of the same kind. So they can
    be computed from the pixels again, bit for bit. (Only -0.0 becomes 0.0.)

    Parameters
    ----------
    X : ndarray, shape (N, D)
        Images in any form.

    Returns
    -------
    images : ndarray, shape (N, D)
        uint8 pixels, C-contiguous. ``X`` itself if its dtype is neither float32 nor float64 in native byte order, if a
        value is not exactly a scaled pixel, or if Numba's compiler is disabled.
    """
    if X.dtype not in (np.float32, np.float64) or not X.dtype.isnative or X.ndim != 2 or X.size == 0:
        return X
    if not (rules := _rules_of_sample(X)):
        return X
    from nnkernels.jit import JIT_ENABLED
    from nnkernels.transforms.compiled.scaled_pixels import pixel_finder

    if not JIT_ENABLED:
        return X
    # The order of the values does not matter, so a transposed array needs no copy.
    rows = X.T if X.flags.f_contiguous else np.ascontiguousarray(X)
    features = rows.reshape(-1).view()
    features.flags.writeable = False  # so that Numba compiles only once
    for real, divisor, factor in rules:
        pixels, failed = np.empty(rows.shape, np.uint8), np.zeros(1, np.bool_)
        run_on_threads(
            pixel_finder(real), len(rows), features, pixels.reshape(-1), rows.shape[1], divisor, factor, failed
        )
        if not failed[0]:
            return np.ascontiguousarray(pixels.T if X.flags.f_contiguous else pixels)
    return X


def _rules_of_sample(X: npt.NDArray[Any]) -> list[Rule]:
    sample = X[:: len(X) // SAMPLE_ROWS + 1]
    if not (sample.min() >= 0 and sample.max() <= 1):  # false for NaN
        return []
    pixels = np.rint(sample * X.dtype.type(MAX_PIXEL))
    return [
        (real, divisor, factor)
        for real, divisor, factor in RULES
        if np.dtype(real).itemsize <= X.itemsize and np.array_equal(pixels.astype(real) / divisor * factor, sample)
    ]
