"""Kernel that removes the slant of digits and centres them, by the moments of their ink."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nnkernels.jit import exact_kernel, inlined
from nnkernels.transforms.compiled.framing import BORDER, InkRows, Scratch, frame, new_scratch, pack
from nnkernels.transforms.compiled.sampling import Map, affine_map, sample

# Pixels per row. The most slanted digit of MNIST has 1.9. Without a limit, a flat stroke would be torn apart.
STEEPEST = 2.0


@inlined
def upright_map(ink: InkRows, height: int, width: int, scratch: Scratch) -> Map:
    """Return the map that removes the slant of a framed image and centres it.

    Parameters
    ----------
    ink : InkRows
        The rows with ink, at least one.
    height, width : int
        The size of the image.
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
    x_centre, y_centre = float(width // 2), float(height // 2)
    x, y = x_mean - x_centre - slant * y_centre, y_mean + ink.top - y_centre
    return affine_map(x, y, 1.0, slant, 0.0, 1.0)


@exact_kernel
def make_upright(
    images: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8], shape: tuple[int, int], start: int, end: int
) -> None:
    """Remove the slant of images, and centre them.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, height * width)
        The images.
    out : ndarray of uint8, shape (N, height * width)
        The result. It may be ``images``.
    shape : tuple of int
        Height and width.
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
        sample(upright_map(ink, height, width, scratch), ink, width, scratch, result, 0, height * width)
