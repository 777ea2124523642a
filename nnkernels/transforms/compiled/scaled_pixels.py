"""The search for the pixels of which float features are exact multiples."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.jit import exact_kernel

BLOCK_SIZE = 4096  # values between two checks whether the search can stop


@cache
def pixel_finder(real: Any) -> Callable[..., None]:
    """Return the kernel that converts features to pixels, as long as every feature is exactly a scaled pixel.

    Parameters
    ----------
    real : type
        The dtype in which pixels were scaled, np.float32 or np.float64.

    Returns
    -------
    kernel : callable
        ``kernel(features, pixels, width, divisor, factor, failed, start, end)`` writes the pixels k of the rows
        ``start`` to ``end - 1`` for which ``k / divisor * factor`` equals the feature. If there is none for a feature,
        ``failed[0]`` is set to True, and the rest is not converted. ``features`` and ``pixels`` are flat, with rows of
        ``width`` values; ``divisor`` and ``factor`` are of type ``real``.
    """
    zero, half, highest = real(0), real(0.5), real(255)

    @exact_kernel
    def find(
        features: npt.NDArray[Any],
        pixels: npt.NDArray[np.uint8],
        width: int,
        divisor: Any,
        factor: Any,
        failed: npt.NDArray[np.bool_],
        start: int,
        end: int,
    ) -> None:
        for begin in range(start * width, end * width, BLOCK_SIZE):
            # LLVM vectorises loops over slices, in which no index can be negative.
            stop = min(begin + BLOCK_SIZE, end * width)
            block, found, wrong = features[begin:stop], pixels[begin:stop], np.int32(0)
            for i in range(len(block)):
                feature = block[i]
                # The conversion of numbers outside of the range, or of NaN, to an integer is undefined.
                inside = real(feature) if 0 <= feature <= 1 else zero
                pixel = np.int32(inside * highest + half)
                found[i] = np.uint8(pixel)
                wrong += np.int32(real(pixel) / divisor * factor != feature)
            if wrong or failed[0]:
                failed[0] = True
                return

    return find
