"""Kernel that removes the slant of digits, centres them and normalises their size, by the moments of their ink."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from nnkernels.jit import exact_kernel, inlined
from nnkernels.transforms.compiled.framing import BORDER, InkRows, Scratch, frame, new_scratch, pack
from nnkernels.transforms.compiled.sampling import Map, affine_map, sample

# Pixels per row. The most slanted digit of MNIST has 1.9. Without a limit, a flat stroke would be torn apart.
STEEPEST = 2.0
# Standard deviations of the rows and columns of the ink after normalisation of size, as shares of height and width.
HEIGHT, WIDTH = 0.2, 0.15
# Pixels of the image per pixel of the result. A thin stroke, such as a one, would otherwise fill the image.
# With steps of more than two, bilinear interpolation would skip pixels.
SMALLEST_STEP, LARGEST_STEP = 0.4, 2.0


@inlined
def _column_variance(ink: InkRows, width: int, scratch: Scratch, mass: int, x_mean: float) -> float:
    """Return the variance of the columns of the ink of a framed image."""
    framed, stride, total = scratch.framed, scratch.stride, 0
    for j in range(width):
        column_mass = np.int32(0)
        for i in range(ink.top, ink.bottom + 1):
            column_mass = np.int32(column_mass + np.int32(framed[np.uint64((i + BORDER) * stride + BORDER + j)]))
        total += j * j * int(column_mass)
    return total / mass - x_mean * x_mean


@inlined
def _step(variance: float, deviation: float) -> float:
    """Return how many pixels of the image a pixel of the result covers for a standard deviation, within the limits."""
    return min(max(math.sqrt(max(variance, 0.0)) / deviation, SMALLEST_STEP), LARGEST_STEP)


@inlined
def upright_map(ink: InkRows, height: int, width: int, normalize_size: bool, scratch: Scratch) -> Map:
    """Return the map that removes the slant of a framed image and centres it, and may normalise its size.

    Parameters
    ----------
    ink : InkRows
        The rows with ink, at least one.
    height, width : int
        The size of the image.
    normalize_size : bool
        Whether rows and columns of the ink get the standard deviations ``HEIGHT`` and ``WIDTH``.
    scratch : Scratch
        The framed image.

    Returns
    -------
    sampled : Map
        The map.
    """
    framed, stride = scratch.framed, scratch.stride
    # Sums of integers are exact. Rows are counted from the first one with ink, because their variance is a difference.
    mass, x_sum, y_sum, xy_sum, yy_sum = 0, 0, 0, 0, 0
    for i in range(ink.top, ink.bottom + 1):
        row_mass, row_sum, first = np.int32(0), np.int32(0), (i + BORDER) * stride + BORDER
        for j in range(width):
            pixel = np.int32(framed[np.uint64(first + j)])
            row_mass = np.int32(row_mass + pixel)
            row_sum = np.int32(row_sum + np.int32(pixel * np.int32(j)))
        row = i - ink.top
        mass += int(row_mass)
        x_sum += int(row_sum)
        y_sum += row * int(row_mass)
        xy_sum += row * int(row_sum)
        yy_sum += row * row * int(row_mass)
    x_mean, y_mean = x_sum / mass, y_sum / mass
    variance, covariance = yy_sum / mass - y_mean * y_mean, xy_sum / mass - x_mean * y_mean
    slant = 0.0
    if ink.bottom > ink.top:
        slant = min(max(covariance / variance, -STEEPEST), STEEPEST)
    x_step, y_step = 1.0, 1.0
    if normalize_size:
        y_step = _step(variance, HEIGHT * height)
        # Without its slant, the digit has this variance of the columns.
        x_variance = _column_variance(ink, width, scratch, mass, x_mean)
        x_step = _step(x_variance - slant * (2.0 * covariance - slant * variance), WIDTH * width)
    x_centre, y_centre, shear = float(width // 2), float(height // 2), slant * y_step
    x, y = x_mean - x_step * x_centre - shear * y_centre, y_mean + ink.top - y_step * y_centre
    return affine_map(x, y, x_step, shear, 0.0, y_step)


@exact_kernel
def make_upright(
    images: npt.NDArray[np.uint8],
    out: npt.NDArray[np.uint8],
    shape: tuple[int, int],
    normalize_size: bool,
    start: int,
    end: int,
) -> None:
    """Remove the slant of images, centre them, and normalise their size if asked.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, height * width)
        The images.
    out : ndarray of uint8, shape (N, height * width)
        The result. It may be ``images``.
    shape : tuple of int
        Height and width.
    normalize_size : bool
        Whether their ink gets the same standard deviations in each image.
    start, end : int
        The range of images.
    """
    height, width = shape
    scratch = new_scratch(height, width)
    for n in range(start, end):
        ink, result = frame(images[n], height, width, scratch), out[n]
        if ink.bottom < ink.top:
            result[:] = 0
            continue
        pack(ink, scratch)
        upright = upright_map(ink, height, width, normalize_size, scratch)
        sample(upright, ink, width, scratch, result, 0, height * width)
