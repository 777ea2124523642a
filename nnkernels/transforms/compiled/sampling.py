"""Bilinear sampling of an image at affinely mapped, optionally displaced positions.

Coordinates are 32-bit fixed-point numbers with 16 fractional bits. Positions are rounded to 1/2048 of a pixel, and
results to the nearest integer (halves upwards). Outside the image there are zeros.

The four neighbours of every position are packed into one 32-bit word, so that sampling needs a single load. The loops
before and after that load run over all pixels of several rows, without branches, so that LLVM vectorises them. (Inner
loops over the 28 pixels of a row would be too short for its unrolled vectors.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.jit import inlined
from nnkernels.transforms.compiled.operations import copy_bytes

FRACTION_BITS = 16
ONE = 1 << FRACTION_BITS  # a pixel
POSITION_BITS = 11  # a pixel of 8 bits times two weights of 11 bits fits into 31 bits
UNIT = 1 << POSITION_BITS
BORDER = 2  # rows and columns of zeros on each side of an image
WORD = 8  # bytes that are compared with zero at once


class Scratch(NamedTuple):
    """Memory for one image at a time, see :func:`new_scratch`.

    Attributes
    ----------
    rows, columns : ndarray of int16, shape (height * width,)
        Row and column of each pixel of the result.
    words : ndarray of uint64
        The image with a border of zeros. Its rows have ``1 << stride_bits`` bytes, at least ``width + 4`` and ``WORD``.
    framed : ndarray of uint8
        The same memory as ``words``.
    packed : ndarray of uint32
        The four neighbours of each position. The pixels (i, j), (i, j + 1), (i + 1, j) and (i + 1, j + 1) are the bytes
        of the element ``((i + 2) << stride_bits) + j + 2``, beginning with the lowest bits.
    positions, weights : ndarray of uint32, shape (height * width,)
        For each pixel of the result, the element of ``packed``, and the two weights of its right and lower neighbours.
    """

    rows: npt.NDArray[np.int16]
    columns: npt.NDArray[np.int16]
    words: npt.NDArray[np.uint64]
    framed: npt.NDArray[np.uint8]
    packed: npt.NDArray[np.uint32]
    positions: npt.NDArray[np.uint32]
    weights: npt.NDArray[np.uint32]


class Box(NamedTuple):
    """The bounding box of the ink of an image, with inclusive bounds. ``bottom`` is less than ``top`` without ink.

    Attributes
    ----------
    top, bottom, left, right : int
        Rows and columns.
    """

    top: int
    bottom: int
    left: int
    right: int


class Map(NamedTuple):
    """An affine map from pixels of the result to positions in the image, in fixed point.

    The pixel in row i and column j is at ``x + j * x_by_column + i * x_by_row``, and likewise in y.

    Attributes
    ----------
    x, y : int32
        Position of the first pixel, plus half of the unit to which positions are rounded.
    x_by_column, x_by_row, y_by_column, y_by_row : int32
        Change of the position by one column and by one row.
    """

    x: np.int32
    y: np.int32
    x_by_column: np.int32
    x_by_row: np.int32
    y_by_column: np.int32
    y_by_row: np.int32


@inlined
def stride_bits_of(width: int) -> int:
    """Return the binary logarithm of the number of bytes of a framed row.

    Parameters
    ----------
    width : int
        The width of the image.

    Returns
    -------
    bits : int
        The smallest that suffices.
    """
    bits = 3
    while 1 << bits < width + 2 * BORDER:
        bits += 1
    return bits


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
    cells = (height + 2 * BORDER) << stride_bits_of(width)
    words = np.zeros(cells // WORD + 1, np.uint64)  # packing reads one byte more
    packed, positions, weights = np.empty(cells, np.uint32), np.empty(size, np.uint32), np.empty(size, np.uint32)
    return Scratch(rows, columns, words, words.view(np.uint8), packed, positions, weights)


@inlined
def affine_map(
    x: float, y: float, x_by_column: float, x_by_row: float, y_by_column: float, y_by_row: float
) -> Map:
    """Convert a map to fixed point.

    Parameters
    ----------
    x, y, x_by_column, x_by_row, y_by_column, y_by_row : float
        See :class:`Map`; without the half unit.

    Returns
    -------
    sampled : Map
        The map.
    """
    half = 0.5 / UNIT
    return Map(
        fixed(x + half), fixed(y + half), fixed(x_by_column), fixed(x_by_row), fixed(y_by_column), fixed(y_by_row)
    )


@inlined
def fixed(value: float) -> np.int32:
    """Round a number to fixed point.

    Parameters
    ----------
    value : float
        The number, less than 32,768 in size.

    Returns
    -------
    number : int32
        The number in units of 2^-16.
    """
    return np.int32(np.floor(value * ONE + 0.5))


@inlined
def frame(image: npt.NDArray[np.uint8], height: int, width: int, scratch: Scratch) -> Box:
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
    box : Box
        The ink. Its columns may begin and end up to seven pixels outside.
    """
    words, framed, stride_bits = scratch.words, scratch.framed, stride_bits_of(width)
    top, bottom, words_per_row = height, -1, (1 << stride_bits) // WORD
    for i in range(height):
        copy_bytes(framed, ((i + BORDER) << stride_bits) + BORDER, image, i * width, width)
        found, first = np.uint64(0), (i + BORDER) * words_per_row
        for k in range(first, first + words_per_row):
            found |= words[np.uint64(k)]
        if found:
            top, bottom = min(top, i), i
    left, right = width, -1
    for word in range(words_per_row):
        found = np.uint64(0)
        for i in range(top, bottom + 1):
            found |= words[np.uint64((i + BORDER) * words_per_row + word)]
        if found:
            left, right = min(left, word * WORD - BORDER), word * WORD + WORD - 1 - BORDER
    return Box(top, bottom, left, right)


@inlined
def pack(box: Box, width: int, scratch: Scratch) -> None:
    """Pack the neighbours of the positions around the ink of a framed image.

    Parameters
    ----------
    box : Box
        The ink.
    width : int
        The width of the image.
    scratch : Scratch
        Its ``packed`` receives the rows from two above the ink to one below.
    """
    framed, packed, stride_bits = scratch.framed, scratch.packed, stride_bits_of(width)
    stride = 1 << stride_bits
    for k in range((box.top - 2 + BORDER) << stride_bits, (box.bottom + 2 + BORDER) << stride_bits):
        above, below = np.uint32(framed[np.uint64(k)]), np.uint32(framed[np.uint64(k + stride)])
        above |= np.uint32(np.uint32(framed[np.uint64(k + 1)]) << np.uint32(8))
        below |= np.uint32(np.uint32(framed[np.uint64(k + stride + 1)]) << np.uint32(8))
        packed[np.uint64(k)] = np.uint32(above | np.uint32(below << np.uint32(16)))


@inlined
def locate(
    x: np.int32, y: np.int32, box: Box, width: int, stride_bits: int
) -> tuple[np.uint32, np.uint32]:
    """Return the element of ``packed`` and the weights for a position.

    Positions far from the ink are moved to where all neighbours are zero.

    Parameters
    ----------
    x, y : int32
        The position, in fixed point.
    box : Box
        The ink.
    width, stride_bits : int
        The width of the image, and the binary logarithm of that of its frame.

    Returns
    -------
    position, weights : uint32
        The element, and the weight of the right neighbour plus 2^16 times that of the lower one, of ``UNIT`` each.
    """
    column = min(max(np.int32(x >> np.int32(FRACTION_BITS)), np.int32(-BORDER)), np.int32(width))
    row = min(max(np.int32(y >> np.int32(FRACTION_BITS)), np.int32(box.top - 2)), np.int32(box.bottom + 1))
    start = np.int32((BORDER << stride_bits) + BORDER)
    position = np.uint32(np.int32(np.int32(row << np.int32(stride_bits)) + np.int32(column + start)))
    shift, mask = np.int32(FRACTION_BITS - POSITION_BITS), np.int32(UNIT - 1)
    right, lower = np.int32(np.int32(x >> shift) & mask), np.int32(np.int32(y >> shift) & mask)
    return position, np.uint32(right | np.int32(lower << np.int32(16)))


@inlined
def sample(sampled: Map, box: Box, width: int, scratch: Scratch, out: npt.NDArray[np.uint8], start: int, end: int) -> None:
    """Compute rows of the result from a packed image.

    Parameters
    ----------
    sampled : Map
        The positions of the pixels.
    box : Box
        The ink.
    width : int
        The width of the image.
    scratch : Scratch
        The packed image.
    out : ndarray of uint8, shape (height * width,)
        The result.
    start, end : int
        The range of its pixels that are computed.
    """
    rows, columns, positions, weights = scratch.rows, scratch.columns, scratch.positions, scratch.weights
    stride_bits = stride_bits_of(width)
    for k in range(start, end):
        i, j = np.int32(rows[np.uint64(k)]), np.int32(columns[np.uint64(k)])
        x = np.int32(np.int32(sampled.x + np.int32(j * sampled.x_by_column)) + np.int32(i * sampled.x_by_row))
        y = np.int32(np.int32(sampled.y + np.int32(j * sampled.y_by_column)) + np.int32(i * sampled.y_by_row))
        positions[np.uint64(k)], weights[np.uint64(k)] = locate(x, y, box, width, stride_bits)
    _interpolate(scratch, out, start, end)


@inlined
def sample_displaced(
    sampled: Map,
    box: Box,
    width: int,
    x_field: npt.NDArray[np.int32],
    y_field: npt.NDArray[np.int32],
    scratch: Scratch,
    out: npt.NDArray[np.uint8],
) -> None:
    """Compute a result from a packed image, at positions that a field displaces.

    Parameters
    ----------
    sampled, box, width, scratch
        As for :func:`sample`.
    x_field, y_field : ndarray of int32, shape (height * width,)
        For each pixel of the result, what is added to its position, in fixed point.
    out : ndarray of uint8, shape (height * width,)
        The result.
    """
    rows, columns, positions, weights = scratch.rows, scratch.columns, scratch.positions, scratch.weights
    stride_bits = stride_bits_of(width)
    for k in range(len(rows)):
        i, j = np.int32(rows[np.uint64(k)]), np.int32(columns[np.uint64(k)])
        x = np.int32(np.int32(sampled.x + np.int32(j * sampled.x_by_column)) + np.int32(i * sampled.x_by_row))
        y = np.int32(np.int32(sampled.y + np.int32(j * sampled.y_by_column)) + np.int32(i * sampled.y_by_row))
        x, y = np.int32(x + x_field[np.uint64(k)]), np.int32(y + y_field[np.uint64(k)])
        positions[np.uint64(k)], weights[np.uint64(k)] = locate(x, y, box, width, stride_bits)
    _interpolate(scratch, out, 0, len(rows))


@inlined
def _interpolate(scratch: Scratch, out: npt.NDArray[np.uint8], start: int, end: int) -> None:
    packed, positions, weights = scratch.packed, scratch.positions, scratch.weights
    for k in range(start, end):  # by itself, because gathering is all that LLVM does not vectorise
        positions[np.uint64(k)] = packed[np.uint64(positions[np.uint64(k)])]
    unit, byte = np.int32(UNIT), np.uint32(255)
    half, bits = np.int32(1 << (2 * POSITION_BITS - 1)), np.int32(2 * POSITION_BITS)
    for k in range(start, end):
        four, weight = positions[np.uint64(k)], weights[np.uint64(k)]
        u, v = np.int32(weight & np.uint32(0xFFFF)), np.int32(np.uint32(weight >> np.uint32(16)))
        a, b = np.int32(four & byte), np.int32(np.uint32(four >> np.uint32(8)) & byte)
        c, d = np.int32(np.uint32(four >> np.uint32(16)) & byte), np.int32(np.uint32(four >> np.uint32(24)))
        above = np.int32(np.int32(a * unit) + np.int32(np.int32(b - a) * u))
        below = np.int32(np.int32(c * unit) + np.int32(np.int32(d - c) * u))
        value = np.int32(np.int32(above * unit) + np.int32(np.int32(below - above) * v))
        out[np.uint64(k)] = np.uint8(np.int32(np.int32(value + half) >> bits))
