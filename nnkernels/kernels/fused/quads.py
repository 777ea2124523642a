"""The last quads of an image: groups of four adjacent bytes, of which an image may not have a whole number."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.jit import inlined
from nnkernels.kernels.simd.byte_sums import QUAD, load_quad, nonzero_quads

QUADS_OF_MASK = 64
FEW_QUADS = 16  # quads in a register of AVX-512


@inlined
def last_nonzero_quads(images: npt.NDArray[np.uint8], image: int, quads: int) -> Any:
    """Return the last mask of an image, which is for fewer than 64 quads.

    Parameters
    ----------
    images : ndarray of uint8, shape (size,)
        All images, flattened.
    image : int
        Start of the image in ``images``.
    quads : int
        Number of quads of the image, not a multiple of 64.

    Returns
    -------
    mask : uint64
        The mask.
    """
    rest, end = quads % QUADS_OF_MASK, image + quads * QUAD
    if rest == quads:  # reading more could begin before the first image
        mask = np.uint64(0)
        for q in range(rest):
            mask |= np.uint64(load_quad(images, image + q * QUAD) != 0) << np.uint64(q)
        return mask
    # Some of the quads that are read belong to the mask before.
    if rest <= FEW_QUADS:
        return nonzero_quads(images, end - FEW_QUADS * QUAD, FEW_QUADS) >> np.uint64(FEW_QUADS - rest)
    return nonzero_quads(images, end - QUADS_OF_MASK * QUAD, QUADS_OF_MASK) >> np.uint64(QUADS_OF_MASK - rest)


@inlined
def partial_quad(images: npt.NDArray[np.uint8], index: int, count: int) -> Any:
    """Return up to three bytes as the lowest of a quad. Those behind them may be outside the array.

    Parameters
    ----------
    images : ndarray of uint8, shape (size,)
        All images, flattened.
    index : int
        Index of the first byte.
    count : int
        Number of bytes.

    Returns
    -------
    quad : uint32
        The bytes.
    """
    quad = np.uint32(0)
    for byte in range(count):
        quad |= np.uint32(images[index + byte]) << np.uint32(8 * byte)
    return quad
