"""An image in a frame of zeros, with the four neighbours of every position packed into one 32-bit word.

Sampling then needs a single load for each position. The loops run over all pixels of several rows, without branches, so
that LLVM vectorises them. (Inner loops over the 28 pixels of a row would be too short for its unrolled vectors.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.jit import inlined
from nnkernels.transforms.compiled.operations import load_word, store_word

BORDER = 2  # rows and columns of zeros on each side of an image
WORD = 8  # bytes that are copied at once


class Scratch(NamedTuple):
    """Memory for one image at a time, see :func:`new_scratch`.

    Attributes
    ----------
    stride : int
        Width of the frame, ``width + 4``.
    rows, columns : ndarray of int16, shape (height * width,)
        Row and column of each pixel of the result.
    framed : ndarray of uint8
        The image with a border of two zeros on each side.
    packed : ndarray of uint32
        The four neighbours of each position. The pixels (i, j), (i, j + 1), (i + 1, j) and (i + 1, j + 1) are the bytes
        of the element ``(i + 2) * stride + j + 2``, beginning with the lowest bits.
    positions, weights : ndarray of uint32, shape (height * width,)
        For each pixel of the result, the element of ``packed``, and the two weights of its right and lower neighbours.
    """

    stride: int
    rows: npt.NDArray[np.int16]
    columns: npt.NDArray[np.int16]
    framed: npt.NDArray[np.uint8]
    packed: npt.NDArray[np.uint32]
    positions: npt.NDArray[np.uint32]
    weights: npt.NDArray[np.uint32]


class InkRows(NamedTuple):
    """The rows between which an image has ink, inclusive. ``bottom`` is less than ``top`` for an image without ink.

    Attributes
    ----------
    top, bottom : int
        The first and the last row.
    """

    top: int
    bottom: int


@inlined
def new_scratch(height: int, width: int) -> Scratch:
    """Allocate the memory for sampling images of a size.

    Parameters
    ----------
    height, width : int
        The size.

    Returns
    -------
    scratch : Scratch
        The memory.
    """
    size, rows, columns = height * width, np.empty(height * width, np.int16), np.empty(height * width, np.int16)
    for k in range(size):
        rows[k], columns[k] = k // width, k % width
    stride = width + 2 * BORDER
    cells = (height + 2 * BORDER) * stride
    framed, packed = np.zeros(cells + 1, np.uint8), np.empty(cells, np.uint32)  # packing reads one byte more
    return Scratch(stride, rows, columns, framed, packed, np.empty(size, np.uint32), np.empty(size, np.uint32))


@inlined
def frame(image: npt.NDArray[np.uint8], height: int, width: int, scratch: Scratch) -> InkRows:
    """Copy an image into its frame, and find its ink.

    Parameters
    ----------
    image : ndarray of uint8, shape (height * width,)
        The pixels.
    height, width : int
        The size of the image.
    scratch : Scratch
        Its ``framed`` is overwritten, apart from the border.

    Returns
    -------
    ink : InkRows
        The rows with ink.
    """
    framed, stride = scratch.framed, scratch.stride
    top, bottom = height, -1
    for i in range(height):
        source, target, found = i * width, (i + BORDER) * stride + BORDER, np.uint64(0)
        if width >= WORD:
            last = width - WORD
            for j in range(0, last, WORD):
                word = load_word(image, source + j)
                store_word(framed, target + j, word)
                found |= word
            word = load_word(image, source + last)  # overlaps the previous word
            store_word(framed, target + last, word)
            found |= word
        else:
            for j in range(width):
                framed[target + j] = image[source + j]
                found |= np.uint64(image[source + j])
        if found:
            top, bottom = min(top, i), i
    return InkRows(top, bottom)


@inlined
def pack(ink: InkRows, scratch: Scratch) -> None:
    """Pack the neighbours of the positions around the ink of a framed image.

    Parameters
    ----------
    ink : InkRows
        The rows with ink.
    scratch : Scratch
        Its ``packed`` receives the rows from two above the ink to one below.
    """
    framed, packed, stride = scratch.framed, scratch.packed, scratch.stride
    for k in range((ink.top - 2 + BORDER) * stride, (ink.bottom + 2 + BORDER) * stride):
        above, below = np.uint32(framed[np.uint64(k)]), np.uint32(framed[np.uint64(k + stride)])
        above |= np.uint32(np.uint32(framed[np.uint64(k + 1)]) << np.uint32(8))
        below |= np.uint32(np.uint32(framed[np.uint64(k + stride + 1)]) << np.uint32(8))
        packed[np.uint64(k)] = np.uint32(above | np.uint32(below << np.uint32(16)))
