"""Images as lists of their nonzero pixels, which the last steps read instead of rows of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.jit import kernel


def pack_images(X: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Return images (N, D) as lists of nonzero pixels.

    Returns
    -------
    values : ndarray of uint8, shape (entries,)
        The nonzero pixels of all images, image by image.
    pixels : ndarray of uint16, shape (entries,)
        The index of each of them in its image, ascending within an image.
    starts : ndarray of int64, shape (N + 1,)
        Image n has the entries ``starts[n]`` to ``starts[n + 1]``, an even number of them: a list of odd length ends
        with an entry of value 0.
    """
    starts = np.zeros(len(X) + 1, np.int64)
    counts = np.count_nonzero(X, axis=1)
    np.cumsum(counts + counts % 2, out=starts[1:])
    values, pixels = np.zeros(starts[-1], np.uint8), np.zeros(starts[-1], np.uint16)
    _fill(X, starts, values, pixels)
    return values, pixels, starts


@kernel
def _fill(X: Any, starts: Any, values: Any, pixels: Any) -> None:
    for n in range(X.shape[0]):
        k = starts[n]
        for d in range(X.shape[1]):
            if X[n, d] != 0:
                values[k], pixels[k] = X[n, d], d
                k += 1
        if k < starts[n + 1]:
            pixels[k] = pixels[k - 1]  # the added entry has the value 0; this index keeps the order
