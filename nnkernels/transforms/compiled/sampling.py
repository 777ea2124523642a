"""Bilinear sampling of an image at affinely mapped, optionally displaced positions.

Coordinates are 32-bit fixed-point numbers with 16 fractional bits. Positions are rounded to 1/2048 of a pixel, and
results to the nearest integer (halves upwards). Outside the image there are zeros.

All four neighbours of a position are loaded at once, see ``framing.py``. LLVM vectorises the loops before and after
that load.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.jit import inlined
from nnkernels.transforms.compiled.framing import BORDER, InkRows, Scratch

FRACTION_BITS = 16
ONE = 1 << FRACTION_BITS  # a pixel
POSITION_BITS = 11  # a pixel of 8 bits times two weights of 11 bits fits into 31 bits
UNIT = 1 << POSITION_BITS


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
def affine_map(x: float, y: float, x_by_column: float, x_by_row: float, y_by_column: float, y_by_row: float) -> Map:
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
def locate(x: np.int32, y: np.int32, ink: InkRows, width: int, stride: int) -> tuple[np.uint32, np.uint32]:
    """Return the element of ``packed`` and the weights for a position.

    Positions far from the ink are moved to where all neighbours are zero.

    Parameters
    ----------
    x, y : int32
        The position, in fixed point.
    ink : InkRows
        The rows with ink.
    width, stride : int
        The width of the image, and that of its frame.

    Returns
    -------
    position, weights : uint32
        The element, and the weight of the right neighbour plus 2^16 times that of the lower one, of ``UNIT`` each.
    """
    column = min(max(np.int32(x >> np.int32(FRACTION_BITS)), np.int32(-BORDER)), np.int32(width))
    row = min(max(np.int32(y >> np.int32(FRACTION_BITS)), np.int32(ink.top - 2)), np.int32(ink.bottom + 1))
    first = np.int32(BORDER * stride + BORDER)
    position = np.uint32(np.int32(np.int32(row * np.int32(stride)) + np.int32(column + first)))
    shift, mask = np.int32(FRACTION_BITS - POSITION_BITS), np.int32(UNIT - 1)
    right, lower = np.int32(np.int32(x >> shift) & mask), np.int32(np.int32(y >> shift) & mask)
    return position, np.uint32(right | np.int32(lower << np.int32(16)))


@inlined
def _mapped(sampled: Map, i: np.int32, j: np.int32) -> tuple[np.int32, np.int32]:
    """Return the position, in fixed point, from which the pixel in row ``i`` and column ``j`` is taken."""
    x = np.int32(np.int32(sampled.x + np.int32(j * sampled.x_by_column)) + np.int32(i * sampled.x_by_row))
    y = np.int32(np.int32(sampled.y + np.int32(j * sampled.y_by_column)) + np.int32(i * sampled.y_by_row))
    return x, y


@inlined
def sample(
    sampled: Map, ink: InkRows, width: int, scratch: Scratch, out: npt.NDArray[np.uint8], start: int, end: int
) -> None:
    """Compute rows of the result from a packed image.

    Parameters
    ----------
    sampled : Map
        The positions of the pixels.
    ink : InkRows
        The rows with ink.
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
    stride = scratch.stride
    for k in range(start, end):
        x, y = _mapped(sampled, np.int32(rows[np.uint64(k)]), np.int32(columns[np.uint64(k)]))
        positions[np.uint64(k)], weights[np.uint64(k)] = locate(x, y, ink, width, stride)
    _interpolate(scratch, out, start, end)


@inlined
def sample_displaced(
    sampled: Map,
    ink: InkRows,
    width: int,
    x_field: npt.NDArray[np.int32],
    y_field: npt.NDArray[np.int32],
    scratch: Scratch,
    out: npt.NDArray[np.uint8],
) -> None:
    """Compute a result from a packed image, at positions that a field displaces.

    Parameters
    ----------
    sampled : Map
        The positions of the pixels.
    ink : InkRows
        The rows with ink.
    width : int
        The width of the image.
    x_field, y_field : ndarray of int32, shape (height * width,)
        For each pixel of the result, what is added to its position, in fixed point.
    scratch : Scratch
        The packed image.
    out : ndarray of uint8, shape (height * width,)
        The result.
    """
    rows, columns, positions, weights = scratch.rows, scratch.columns, scratch.positions, scratch.weights
    stride = scratch.stride
    for k in range(len(rows)):
        x, y = _mapped(sampled, np.int32(rows[np.uint64(k)]), np.int32(columns[np.uint64(k)]))
        x, y = np.int32(x + x_field[np.uint64(k)]), np.int32(y + y_field[np.uint64(k)])
        positions[np.uint64(k)], weights[np.uint64(k)] = locate(x, y, ink, width, stride)
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
