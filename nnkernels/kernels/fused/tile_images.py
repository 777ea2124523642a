"""Images as records of their inked blocks of 4 x 4 pixels, which the tile kernels read instead of rows of pixels."""

from __future__ import annotations

from functools import lru_cache
from math import isqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.jit import ordered_kernel
from nnkernels.kernels import simd
from nnkernels.kernels.fused.buffers import BLOCK_PIXELS

BLOCK_SIDE = 4
RECORD_UNIT = 16  # bytes: the size of a block, and of the head of a record
GRID_BYTES = 32  # bytes of a row of pixels that are read at once, for up to eight blocks
PADDING = 1024  # bytes after the last record, which prefetching may address


class TileImages(NamedTuple):
    """Images of uint8 pixels as records, one after another.

    A record starts with a head of 16 bytes, whose first eight are the mask of the inked blocks: bit t is set if any
    pixel of block t is nonzero. The 16 pixels of each inked block follow, row by row, in the order of the blocks.

    Attributes
    ----------
    records : ndarray of uint8, shape (n_bytes + PADDING,)
        All records, aligned to 16 bytes.
    starts : ndarray of uint32, shape (N,)
        Start of each image's record, in units of 16 bytes.
    inputs : int
        Number of pixels per image, D.
    """

    records: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.uint32]
    inputs: int


class Grid(NamedTuple):
    """How the pixels of an image are arranged in blocks.

    Attributes
    ----------
    height, width : int
        Rows and columns of pixels. Images that are not square are seen as rows of four pixels.
    block_rows, block_columns : int
        Rows and columns of blocks. Those at the end may be incomplete.
    """

    height: int
    width: int
    block_rows: int
    block_columns: int

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return self.block_rows * self.block_columns


def grid_of(inputs: int) -> Grid:
    """Return the arrangement of the pixels of an image in blocks.

    Parameters
    ----------
    inputs : int
        Number of pixels per image.

    Returns
    -------
    grid : Grid
        Blocks of 4 x 4 pixels of a square image, or of 16 consecutive pixels if ``inputs`` is not a square.
    """
    side = isqrt(inputs)
    width = side if side * side == inputs and side <= GRID_BYTES else BLOCK_SIDE
    height = -(-inputs // width)
    return Grid(height, width, -(-height // BLOCK_SIDE), -(-width // BLOCK_SIDE))


@lru_cache
def pixels_of_blocks(inputs: int) -> npt.NDArray[np.intp]:
    """Return which pixel is where in the blocks of an image.

    Parameters
    ----------
    inputs : int
        Number of pixels per image, D.

    Returns
    -------
    pixels : ndarray of intp, shape (n_blocks, 16)
        Index of each pixel in the image; D where an incomplete block has none. Do not change it.
    """
    grid = grid_of(inputs)
    rows, columns = grid.block_rows * BLOCK_SIDE, grid.block_columns * BLOCK_SIDE
    pixels = np.full((rows, columns), inputs, np.intp)
    row, column = np.indices((grid.height, grid.width))
    index = row * grid.width + column
    pixels[: grid.height, : grid.width] = np.minimum(index, inputs)
    blocks = pixels.reshape(grid.block_rows, BLOCK_SIDE, grid.block_columns, BLOCK_SIDE).swapaxes(1, 2)
    return np.ascontiguousarray(blocks.reshape(-1, BLOCK_PIXELS))


def pack_tiles(X: npt.NDArray[np.uint8]) -> TileImages:
    """Convert images to records of their inked blocks.

    Parameters
    ----------
    X : ndarray of uint8, shape (N, D)
        Images of at most 64 blocks each (see :func:`grid_of`).

    Returns
    -------
    images : TileImages
        The records.
    """
    X = np.ascontiguousarray(X)
    N, inputs = X.shape
    grid = grid_of(inputs)
    # Sized as if all blocks were inked, which avoids a pass that counts them. Untouched memory is never allocated.
    capacity = N * RECORD_UNIT * (grid.blocks + 1) + PADDING
    memory = np.empty(capacity + RECORD_UNIT, np.uint8)
    records = memory[-memory.__array_interface__["data"][0] % RECORD_UNIT :][:capacity]
    starts = np.empty(N, np.uint32)
    columns = np.where(np.arange(GRID_BYTES) < grid.width, 255, 0).astype(np.uint8)
    # Rows are read 32 bytes at a time, which must not reach beyond the last image, nor into the next one from an
    # incomplete block. Where they could, images are copied, with zeros behind each.
    whole = grid.block_rows * BLOCK_SIDE * grid.width
    direct = max(0, N - GRID_BYTES // inputs - 1) if whole == inputs else 0
    padded = np.zeros((N - direct, whole + GRID_BYTES), np.uint8)
    padded[:, :inputs] = X[direct:]
    end = 0
    for images, first, stride in ((X[:direct], 0, inputs), (padded, direct, whole + GRID_BYTES)):
        pixels = images.reshape(-1).view()
        pixels.flags.writeable = False  # so that Numba compiles only once
        end = int(_fill(pixels, stride, grid, columns, records, starts[first : first + len(images)], end))
    records[end : end + PADDING] = 0
    return TileImages(records[: end + PADDING], starts, inputs)


def unpack_tiles(images: TileImages) -> npt.NDArray[np.uint8]:
    """Convert records back to images: the inverse of :func:`pack_tiles`.

    Parameters
    ----------
    images : TileImages
        The records.

    Returns
    -------
    X : ndarray of uint8, shape (N, D)
        The images.
    """
    X = np.zeros((len(images.starts), images.inputs + 1), np.uint8)  # with a place for pixels that do not exist
    _scatter(images.records, images.starts, pixels_of_blocks(images.inputs), X)
    return np.ascontiguousarray(X[:, : images.inputs])


@ordered_kernel
def _fill(
    pixels: npt.NDArray[np.uint8],
    stride: int,
    grid: Grid,
    columns: npt.NDArray[np.uint8],
    records: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.uint32],
    end: int,
) -> int:
    for n in range(len(starts)):
        head, mask = end, np.uint64(0)
        starts[n] = head // RECORD_UNIT
        end += RECORD_UNIT
        for row in range(grid.block_rows):
            start = n * stride + row * BLOCK_SIDE * grid.width
            inked = simd.store_inked_blocks(records, end, pixels, start, grid.width, columns)
            end += RECORD_UNIT * simd.bit_count(inked)
            mask |= np.uint64(inked) << np.uint64(row * grid.block_columns)
        simd.store_mask(records, head, mask)
    return end


@ordered_kernel
def _scatter(
    records: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.uint32],
    pixels: npt.NDArray[np.intp],
    X: npt.NDArray[np.uint8],
) -> None:
    for n in range(X.shape[0]):
        position = np.intp(starts[n]) * RECORD_UNIT
        mask = simd.mask_at(records, position)
        for block in range(pixels.shape[0]):
            if mask >> np.uint64(block) & np.uint64(1):
                position += RECORD_UNIT
                for i in range(BLOCK_PIXELS):
                    X[n, pixels[block, i]] = records[position + i]
