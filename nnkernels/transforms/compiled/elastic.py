"""Kernel of random affine maps with random smooth displacements.

The displacements are random bytes, smoothed by a Gaussian filter in both directions. The filter is a matrix product
with a circulant matrix: it wraps around at the edges, so that displacements are equally strong everywhere.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.jit import exact_kernel, inlined
from nnkernels.transforms.compiled.affine import Ranges, random_map
from nnkernels.transforms.compiled.framing import frame, new_scratch, pack
from nnkernels.transforms.compiled.operations import LANES, ROWS, sum_rows
from nnkernels.transforms.compiled.random_numbers import fill_random
from nnkernels.transforms.compiled.sampling import ONE, sample_displaced

FIRST_BLOCK = 3  # the blocks before it determine the affine map
BLOCK_BYTES = 32

FloatArray = npt.NDArray[np.float32]


class Filter(NamedTuple):
    """The weights of a Gaussian filter, see :func:`gaussian_filter`.

    Attributes
    ----------
    stride : int
        Width rounded up to a multiple of ``LANES``.
    rows : ndarray of float32, shape (padded_height * height,)
        The matrix with which columns are multiplied. It has rows of zeros up to a multiple of ``ROWS``.
    columns : ndarray of float32, shape (width * stride,)
        The matrix with which rows are multiplied. Its rows are padded with zeros.
    """

    stride: int
    rows: FloatArray
    columns: FloatArray


class Fields(NamedTuple):
    """Memory for the displacements of one image.

    Attributes
    ----------
    state : ndarray of uint64, shape (4, n_blocks)
        Random numbers while they are drawn.
    random : ndarray of uint64, shape at least (2 * height * width / 8,)
        Random numbers.
    bytes : ndarray of uint8, shape at least (2 * height * width,)
        The same memory.
    noise : ndarray of float32, shape at least (2 * height * width + stride,)
        The noise of x, followed by that of y.
    smoothed, total : ndarray of float32, shape (ROWS * stride,)
        Rows of the noise after smoothing its columns, and after smoothing these rows as well.
    x, y : ndarray of int32, shape (height * width + stride,)
        The displacements, in fixed point. Their last ``stride`` elements are not used.
    """

    state: npt.NDArray[np.uint64]
    random: npt.NDArray[np.uint64]
    bytes: npt.NDArray[np.uint8]
    noise: FloatArray
    smoothed: FloatArray
    total: FloatArray
    x: npt.NDArray[np.int32]
    y: npt.NDArray[np.int32]


def gaussian_filter(height: int, width: int, sigma: float) -> Filter:
    """Return the weights of a Gaussian filter that wraps around.

    Parameters
    ----------
    height, width : int
        The size of the fields.
    sigma : float
        Standard deviation in pixels. The filter ends at four standard deviations, as in SciPy.

    Returns
    -------
    weights : Filter
        The weights.
    """
    stride = -(-width // LANES) * LANES
    columns = np.zeros((width, stride), np.float32)
    columns[:, :width] = _circulant(width, sigma)
    rows = np.zeros((-(-height // ROWS) * ROWS, height), np.float32)
    rows[:height] = _circulant(height, sigma)
    return Filter(stride, rows.ravel(), columns.ravel())


def _circulant(length: int, sigma: float) -> FloatArray:
    reach = int(4 * sigma + 0.5)
    distances = np.arange(-reach, reach + 1)
    values = np.exp(-0.5 * (distances / sigma) ** 2)
    wrapped = np.bincount(distances % length, values / values.sum(), minlength=length)
    numbers = np.arange(length)
    weights: FloatArray = wrapped[(numbers - numbers[:, np.newaxis]) % length].astype(np.float32)
    return weights


@inlined
def new_fields(height: int, width: int, weights: Filter) -> Fields:
    """Allocate the memory for the displacements of images of a size.

    Parameters
    ----------
    height, width : int
        The size.
    weights : Filter
        The filter.

    Returns
    -------
    fields : Fields
        The memory.
    """
    count, stride, size = _blocks(height, width) * BLOCK_BYTES, weights.stride, height * width
    random, noise = np.zeros(count // 8, np.uint64), np.zeros(count + stride, np.float32)
    smoothed, total = np.zeros(ROWS * stride, np.float32), np.zeros(ROWS * stride, np.float32)
    x, y = np.zeros(size + stride, np.int32), np.zeros(size + stride, np.int32)
    state = np.zeros((4, _blocks(height, width)), np.uint64)
    return Fields(state, random, random.view(np.uint8), noise, smoothed, total, x, y)


@inlined
def _blocks(height: int, width: int) -> int:
    return (2 * height * width + BLOCK_BYTES - 1) // BLOCK_BYTES


@inlined
def draw_fields(
    fields: Fields,
    weights: Filter,
    alpha: float,
    seed: np.uint64,
    epoch: np.uint64,
    image: np.uint64,
    height: int,
    width: int,
) -> None:
    """Draw the displacements of an image.

    The noise is (2 b - 255) / 256 for random bytes b: first those of x, row by row, then those of y.

    Parameters
    ----------
    fields : Fields
        Its ``x`` and ``y`` receive the displacements.
    weights : Filter
        The filter.
    alpha : float
        Factor of the smoothed noise.
    seed, epoch, image : uint64
        What the displacements depend on.
    height, width : int
        The size of the image.
    """
    random, numbers, noise = fields.random, fields.bytes, fields.noise
    fill_random(random, fields.state, seed, epoch, image, FIRST_BLOCK)
    for k in range(len(numbers)):
        noise[np.uint64(k)] = np.float32(np.int32(2 * np.int32(numbers[np.uint64(k)])) - np.int32(255))
    factor = np.float32(alpha * ONE / 256)
    for i in range(0, height, ROWS):
        _smooth_rows(fields, weights, height, width, i, 0, factor, fields.x)
        _smooth_rows(fields, weights, height, width, i, height * width, factor, fields.y)


@inlined
def _smooth_rows(
    fields: Fields,
    weights: Filter,
    height: int,
    width: int,
    i: int,
    first: int,
    factor: np.float32,
    out: npt.NDArray[np.int32],
) -> None:
    """Compute the rows of displacements from ``i`` on, at most ``ROWS``, from the noise that begins at ``first``."""
    smoothed, total, stride = fields.smoothed, fields.total, weights.stride
    for j in range(0, stride, LANES):  # columns after the last one are not used
        sum_rows(smoothed, j, stride, weights.rows, i * height, height, fields.noise, first + j, width, height)
    for j in range(0, stride, LANES):
        sum_rows(total, j, stride, smoothed, 0, stride, weights.columns, j, stride, width)
    for row in range(min(ROWS, height - i)):
        # Up to LANES - 1 elements after the row are overwritten. The next row follows them.
        source, target = row * stride, (i + row) * width
        for k in range(stride):
            out[np.uint64(target + k)] = np.int32(total[np.uint64(source + k)] * factor)


@exact_kernel
def distort_elastically(
    images: npt.NDArray[np.uint8],
    indices: npt.NDArray[np.uint64],
    out: npt.NDArray[np.uint8],
    shape: tuple[int, int],
    ranges: Ranges,
    seed: np.uint64,
    epoch: np.uint64,
    alpha: float,
    weights: Filter,
    start: int,
    end: int,
) -> None:
    """Distort images by random affine maps and random displacements.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, height * width)
        The images.
    indices : ndarray of uint64, shape (N,)
        The number of each image, on which its distortion depends.
    out : ndarray of uint8, shape (N, height * width)
        The result. It may be ``images``.
    shape : tuple of int
        Height and width.
    ranges : tuple of float
        The greatest rotation, scale, shear and shift.
    seed, epoch : uint64
        What the distortions depend on.
    alpha : float
        Factor of the displacements.
    weights : Filter
        The filter that smooths them.
    start, end : int
        The range of images that are distorted.
    """
    height, width = shape
    scratch, fields = new_scratch(height, width), new_fields(height, width, weights)
    for n in range(start, end):
        ink, result = frame(images[n], height, width, scratch), out[n]
        if ink.bottom < ink.top:
            result[:] = 0
            continue
        pack(ink, scratch)
        drawn = random_map(ranges, seed, epoch, indices[n], height, width)
        draw_fields(fields, weights, alpha, seed, epoch, indices[n], height, width)
        sample_displaced(drawn.sampled, ink, width, fields.x, fields.y, scratch, result)
