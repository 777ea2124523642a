"""Images as lists of their nonzero pixels, which the sparse kernels read instead of rows of pixels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.jit import inlined, ordered_kernel
from nnkernels.kernels import simd

MAX_INPUTS = 2**16  # pixel indices are uint16
# Indices are written eight at a time, so up to seven elements after a list are overwritten. Prefetching reads further.
PADDING = 64


class NonzeroImages(NamedTuple):
    """Images in compressed sparse row (CSR) format, with padding.

    Each image is split at the pixel ``middle``, so that two threads can divide its update without a search. The number
    of entries of each half is padded to a multiple of four, with zeros at the index of its last nonzero pixel.

    Attributes
    ----------
    values : ndarray of uint8 or float32, shape (n_entries + PADDING,)
        Nonzero pixels of all images, image by image.
    pixels : ndarray of uint16, shape (n_entries + PADDING,)
        Index of each entry's pixel in its image; ascending within an image.
    starts : ndarray of int64, shape (N + 1,)
        Image n has the entries ``starts[n]`` to ``starts[n + 1] - 1``.
    counts_below_middle : ndarray of uint16, shape (N,)
        Number of entries of each image with a pixel index below ``middle``.
    middle : int
        First pixel of the second half, a multiple of eight.
    """

    values: npt.NDArray[Any]
    pixels: npt.NDArray[np.uint16]
    starts: npt.NDArray[np.int64]
    counts_below_middle: npt.NDArray[np.uint16]
    middle: int


def pack_nonzero(X: npt.NDArray[Any]) -> NonzeroImages:
    """Convert images to lists of their nonzero pixels.

    Parameters
    ----------
    X : ndarray of uint8 or float32, shape (N, D)
        Images with at most 65,536 pixels each. NaN counts as nonzero.

    Returns
    -------
    images : NonzeroImages
        The lists.
    """
    X = np.ascontiguousarray(X)  # the kernel loads vectors without checking strides
    starts = np.zeros(len(X) + 1, np.int64)
    # Sized as if all pixels were nonzero, which avoids a pass that counts them. Untouched memory is never allocated.
    capacity = X.size + 6 * len(X) + PADDING
    values, pixels = np.empty(capacity, X.dtype), np.empty(capacity, np.uint16)
    counts_below_middle = np.empty(len(X), np.uint16)
    middle = X.shape[1] // 16 * 8
    _fill(X, middle, starts, counts_below_middle, values, pixels, BIT_POSITIONS)
    end = int(starts[-1]) + PADDING
    values[end - PADDING : end], pixels[end - PADDING : end] = 0, 0
    return NonzeroImages(values[:end], pixels[:end], starts, counts_below_middle, middle)


# Row m contains the positions of the set bits of m in ascending order, followed by zeros.
BIT_POSITIONS = np.array([sorted(range(8), key=lambda bit: not m >> bit & 1) for m in range(256)], np.uint16)
BIT_POSITIONS *= (np.arange(8) < np.array([m.bit_count() for m in range(256)])[:, np.newaxis]).astype(np.uint16)


def unpack_nonzero(images: NonzeroImages, inputs: int) -> npt.NDArray[Any]:
    """Convert lists of nonzero pixels back to images: the inverse of :func:`pack_nonzero`.

    Parameters
    ----------
    images : NonzeroImages
        The lists.
    inputs : int
        Number of pixels per image, D.

    Returns
    -------
    X : ndarray of uint8 or float32, shape (N, D)
        The images.
    """
    X = np.zeros((len(images.starts) - 1, inputs), images.values.dtype)
    _scatter(images.values, images.pixels, images.starts, X)
    return X


@ordered_kernel
def _scatter(
    values: npt.NDArray[Any], pixels: npt.NDArray[np.uint16], starts: npt.NDArray[np.int64], X: npt.NDArray[Any]
) -> None:
    for n in range(X.shape[0]):
        for k in range(starts[n], starts[n + 1]):
            if values[k] != 0:  # padding entries are zero
                X[n, pixels[k]] = values[k]


@ordered_kernel
def _fill(
    X: npt.NDArray[Any],
    middle: int,
    starts: npt.NDArray[np.int64],
    counts_below_middle: npt.NDArray[np.uint16],
    values: npt.NDArray[Any],
    pixels: npt.NDArray[np.uint16],
    bit_positions: npt.NDArray[np.uint16],
) -> None:
    for n in range(X.shape[0]):
        image, end = X[n], starts[n]
        for half in range(2):
            first, last = (0, middle) if half == 0 else (middle, X.shape[1])
            start, end = end, list_nonzero(image, 0, 0, 0, 0, first, last, pixels, end, bit_positions)
            for k in range(start, end):
                values[k] = simd.at(image, np.intp(simd.at(pixels, k)))
            # Pad to a multiple of four entries.
            last_pixel = pixels[end - 1]
            while (end - start) % 4:
                values[end], pixels[end] = 0, last_pixel
                end += 1
            if half == 0:
                counts_below_middle[n] = end - start
        starts[n + 1] = end


@inlined
def list_nonzero(
    images: npt.NDArray[Any],
    i: int,
    j: int,
    k: int,
    m: int,
    first: int,
    last: int,
    pixels: npt.NDArray[np.uint16],
    start: int,
    bit_positions: npt.NDArray[np.uint16],
) -> int:
    """List the pixels that are nonzero in any of four images.

    Eight pixels are processed at a time, without a branch: a table contains the positions of the set bits of every
    8-bit mask. Eight indices are always written, and the end advances by the number of nonzero pixels. So up to seven
    elements after the end of the list are overwritten. They belong to lists that are written later, or to the padding.

    Parameters
    ----------
    images : ndarray of uint8 or float32, shape (size,)
        All images, flattened.
    i, j, k, m : int
        Start of each of the four images in ``images``. They may be equal.
    first, last : int
        The range of pixels.
    pixels : ndarray of uint16, shape (size,)
        The indices are written to ``pixels[start:]``.
    start : int
        Start of the list.
    bit_positions : ndarray of uint16, shape (256, 8)
        The table, ``BIT_POSITIONS``.

    Returns
    -------
    end : int
        End of the list.
    """
    whole = first + (last - first) // simd.MASK_BITS * simd.MASK_BITS
    end = start
    for d in range(first, whole, simd.MASK_BITS):
        mask = simd.nonzero_mask(images, i + d, j + d, k + d, m + d)
        low, high = mask & 255, mask >> 8
        simd.store_shifted(pixels, end, bit_positions, low, d)
        end += simd.bit_count(low)
        simd.store_shifted(pixels, end, bit_positions, high, d + 8)
        end += simd.bit_count(high)
    for d in range(whole, last):
        if images[i + d] != 0 or images[j + d] != 0 or images[k + d] != 0 or images[m + d] != 0:
            pixels[end] = d
            end += 1
    return end
