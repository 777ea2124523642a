"""Images as lists of their nonzero pixels: what the sparse kernels read in place of rows of pixels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.jit import ordered_kernel
from nnkernels.kernels import simd

MAX_INPUTS = 2**16  # pixels are numbered by uint16
# Kernels read values eight at a time, and so up to seven beyond a list; prefetching looks a little further.
PADDING = 64
SAMPLE = 1000  # images by which blocks are cut


class NonzeroImages(NamedTuple):
    """Images in compressed sparse rows, each row cut into blocks of pixels.

    The kernels go through a batch block by block: the weights of a block stay in the first-level cache meanwhile.

    Attributes
    ----------
    values : ndarray of uint8 or float32, shape (entries + PADDING,)
        The nonzero pixels of all images, image by image.
    pixels : ndarray of uint16, shape (entries + PADDING,)
        Where in its image each stands; ascending within an image.
    fours : ndarray of uint64, shape ((entries + PADDING) / 4,)
        ``pixels`` again, four at a time.
    starts : ndarray of int64, shape (N * blocks + 1,)
        Block b of image n has the entries ``starts[n * blocks + b]`` to ``starts[n * blocks + b + 1]``: a multiple of
        four, the last up to three of which are zeros at its last nonzero pixel.
    blocks : int
    """

    values: npt.NDArray[Any]
    pixels: npt.NDArray[np.uint16]
    fours: npt.NDArray[np.uint64]
    starts: npt.NDArray[np.int64]
    blocks: int

    @property
    def nbytes(self) -> int:
        """Return the memory of the arrays, in bytes."""
        return self.values.nbytes + self.pixels.nbytes + self.starts.nbytes


def pack_nonzero(X: npt.NDArray[Any], blocks: int = 1) -> NonzeroImages:
    """Return images (N, D), uint8 or float32, as lists of their nonzero pixels; D is below 65,536.

    A NaN is nonzero. Blocks are cut so that the first images have as many nonzero pixels in each.
    """
    cuts = _cuts(X, blocks)
    starts = np.zeros(len(X) * blocks + 1, np.int64)
    _count(X, cuts, starts)
    entries = int(starts[-1])
    values = np.zeros(entries + PADDING, X.dtype)
    pixels = np.zeros(entries + PADDING, np.uint16)
    _fill(X, cuts, starts, values, pixels, PLACES)
    return NonzeroImages(values, pixels, pixels.view(np.uint64), starts, blocks)


def _cuts(X: npt.NDArray[Any], blocks: int) -> npt.NDArray[np.int64]:
    cumulated = np.count_nonzero(X[:SAMPLE], axis=0).cumsum()
    wanted = np.arange(1, blocks) * (cumulated[-1] / blocks if len(cumulated) else 0)
    inner = np.searchsorted(cumulated, wanted) // simd.VECTOR * simd.VECTOR
    return np.array([0, *inner, X.shape[1]], np.int64)


# Row m holds, in ascending order, the places of the ones in the eight bits of m, and then zeros.
PLACES = np.array([sorted(range(8), key=lambda bit: not m >> bit & 1) for m in range(256)], np.uint16)
PLACES *= (np.arange(8) < np.array([m.bit_count() for m in range(256)])[:, np.newaxis]).astype(np.uint16)


@ordered_kernel
def _count(X: npt.NDArray[Any], cuts: npt.NDArray[np.int64], starts: npt.NDArray[np.int64]) -> None:
    blocks = len(cuts) - 1
    for n in range(X.shape[0]):
        for b in range(blocks):
            entries = 0
            for d in range(cuts[b], cuts[b + 1]):
                entries += X[n, d] != 0
            i = n * blocks + b
            starts[i + 1] = starts[i] + (entries + 3) // 4 * 4


@ordered_kernel
def _fill(
    X: npt.NDArray[Any],
    cuts: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    values: npt.NDArray[Any],
    pixels: npt.NDArray[np.uint16],
    places: npt.NDArray[np.uint16],
) -> None:
    blocks = len(cuts) - 1
    for n in range(X.shape[0]):
        for b in range(blocks):
            i = n * blocks + b
            end = find_nonzero(X[n], cuts[b], cuts[b + 1], pixels, starts[i], places)
            for k in range(starts[i], end):
                values[k] = X[n, pixels[k]]
            for k in range(end, starts[i + 1]):
                values[k] = 0
                pixels[k] = pixels[end - 1]


@ordered_kernel
def find_nonzero(
    image: npt.NDArray[Any],
    first: int,
    last: int,
    pixels: npt.NDArray[np.uint16],
    start: int,
    places: npt.NDArray[np.uint16],
) -> int:
    """Write the places of the nonzero among ``image[first:last]`` to ``pixels[start:]``; return where they end.

    Eight pixels at a time, without a branch: a table knows the places of the ones in each mask of eight bits. All
    eight places are written, of which only those in the mask are kept, so up to seven elements beyond the end are
    overwritten: of the images that follow, which are written later, or of the padding.
    """
    whole = first + (last - first) // 8 * 8
    k = start
    for d in range(first, whole, 8):
        mask = simd.nonzero_mask(image, d)
        simd.store_moved(pixels, k, places, mask, d)
        k += simd.bit_count(mask)
    for d in range(whole, last):
        if image[d] != 0:
            pixels[k] = d
            k += 1
    return k
