"""Images as lists of their nonzero pixels: what the sparse kernels read in place of rows of pixels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.jit import inlined_part, ordered_kernel
from nnkernels.kernels import simd

MAX_INPUTS = 2**16  # pixels are numbered by uint16
# Kernels read values eight at a time, and so up to seven beyond a list; prefetching looks a little further.
PADDING = 64


class NonzeroImages(NamedTuple):
    """Images in compressed sparse rows.

    Attributes
    ----------
    values : ndarray of uint8 or float32, shape (entries + PADDING,)
        The nonzero pixels of all images, image by image.
    pixels : ndarray of uint16, shape (entries + PADDING,)
        Where in its image each stands; ascending within an image.
    starts : ndarray of int64, shape (N + 1,)
        Image n has the entries ``starts[n]`` to ``starts[n + 1]``.
    halves : ndarray of uint16, shape (N,)
        So many of them are of pixels before ``middle``.
    middle : int
        The first pixel of the second half, a multiple of eight: where two threads share the work.

    Each half has a multiple of four entries: it is filled up with zeros at its last nonzero pixel.
    """

    values: npt.NDArray[Any]
    pixels: npt.NDArray[np.uint16]
    starts: npt.NDArray[np.int64]
    halves: npt.NDArray[np.uint16]
    middle: int


def pack_nonzero(X: npt.NDArray[Any]) -> NonzeroImages:
    """Return images (N, D), uint8 or float32, as lists of their nonzero pixels; D is at most 65,536.

    A NaN is nonzero.
    """
    X = np.ascontiguousarray(X)  # vectors are loaded as if it were
    starts = np.zeros(len(X) + 1, np.int64)
    # Room for every pixel: memory that is never written is never taken, and a pass to count is spared.
    most = X.size + 6 * len(X) + PADDING
    values, pixels = np.empty(most, X.dtype), np.empty(most, np.uint16)
    halves = np.empty(len(X), np.uint16)
    middle = X.shape[1] // 16 * 8
    _fill(X, middle, starts, halves, values, pixels, PLACES)
    end = int(starts[-1]) + PADDING
    values[end - PADDING : end], pixels[end - PADDING : end] = 0, 0
    return NonzeroImages(values[:end], pixels[:end], starts, halves, middle)


# Row m holds, in ascending order, the places of the ones in the eight bits of m, and then zeros.
PLACES = np.array([sorted(range(8), key=lambda bit: not m >> bit & 1) for m in range(256)], np.uint16)
PLACES *= (np.arange(8) < np.array([m.bit_count() for m in range(256)])[:, np.newaxis]).astype(np.uint16)


def unpack_nonzero(images: NonzeroImages, inputs: int) -> npt.NDArray[Any]:
    """Return the images (N, D) that :func:`pack_nonzero` was given."""
    X = np.zeros((len(images.starts) - 1, inputs), images.values.dtype)
    _scatter(images.values, images.pixels, images.starts, X)
    return X


@ordered_kernel
def _scatter(
    values: npt.NDArray[Any], pixels: npt.NDArray[np.uint16], starts: npt.NDArray[np.int64], X: npt.NDArray[Any]
) -> None:
    for n in range(X.shape[0]):
        for k in range(starts[n], starts[n + 1]):
            if values[k] != 0:  # not what only fills a list up
                X[n, pixels[k]] = values[k]


@ordered_kernel
def _fill(
    X: npt.NDArray[Any],
    middle: int,
    starts: npt.NDArray[np.int64],
    halves: npt.NDArray[np.uint16],
    values: npt.NDArray[Any],
    pixels: npt.NDArray[np.uint16],
    places: npt.NDArray[np.uint16],
) -> None:
    for n in range(X.shape[0]):
        image, end = X[n], starts[n]
        for half in range(2):
            first, last = (0, middle) if half == 0 else (middle, X.shape[1])
            start, end = end, find_places(image, 0, 0, 0, 0, first, last, pixels, end, places)
            for k in range(start, end):
                values[k] = simd.at(image, np.intp(simd.at(pixels, k)))
            # Filled up to a multiple of four.
            last_pixel = pixels[end - 1]
            while (end - start) % 4:
                values[end], pixels[end] = 0, last_pixel
                end += 1
            if half == 0:
                halves[n] = end - start
        starts[n + 1] = end


@inlined_part
def find_places(
    images: npt.NDArray[Any],
    i: int,
    j: int,
    k: int,
    m: int,
    first: int,
    last: int,
    pixels: npt.NDArray[np.uint16],
    start: int,
    places: npt.NDArray[np.uint16],
) -> int:
    """List the pixels from ``first`` to ``last`` that are nonzero in any of four images; return the end of the list.

    The images, which may be the same, begin at ``images[i]`` and so on; places are written to ``pixels[start:]``. Eight
    pixels at a time, without a branch: a table knows the places of the ones in each mask of eight bits. All eight
    places are written, of which only those in the mask are kept, so up to seven elements beyond the end are
    overwritten: of lists that follow and are written later, or of the padding.
    """
    whole = first + (last - first) // simd.MASKED * simd.MASKED
    end = start
    for d in range(first, whole, simd.MASKED):
        mask = simd.nonzero_mask(images, i + d, j + d, k + d, m + d)
        low, high = mask & 255, mask >> 8
        simd.store_moved(pixels, end, places, low, d)
        end += simd.bit_count(low)
        simd.store_moved(pixels, end, places, high, d + 8)
        end += simd.bit_count(high)
    for d in range(whole, last):
        if images[i + d] != 0 or images[j + d] != 0 or images[k + d] != 0 or images[m + d] != 0:
            pixels[end] = d
            end += 1
    return end
