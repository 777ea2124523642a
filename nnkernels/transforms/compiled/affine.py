"""Kernel of random affine maps."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.jit import exact_kernel, inlined
from nnkernels.transforms.compiled.framing import frame, new_scratch, pack
from nnkernels.transforms.compiled.random_numbers import random_block, symmetric
from nnkernels.transforms.compiled.sampling import Map, affine_map, sample

Ranges = tuple[float, float, float, float]
MARGIN = 1 / 16  # pixels, for the rounding of positions


class RandomMap(NamedTuple):
    """The affine map of an image, and where it moves rows.

    Attributes
    ----------
    sampled : Map
        From pixels of the result to positions in the image.
    y, y_by_column, y_by_row : float
        The row of the result to which the pixel (0, 0) moves, and its change by one column and by one row of the image.
    """

    sampled: Map
    y: float
    y_by_column: float
    y_by_row: float


@inlined
def random_map(
    ranges: Ranges, seed: np.uint64, epoch: np.uint64, image: np.uint64, height: int, width: int
) -> RandomMap:
    """Draw the affine map of an image: scaling, then shearing and rotation about the centre, then a shift.

    Parameters
    ----------
    ranges : tuple of float
        The greatest rotation, scale, shear and shift, as in :class:`nnkernels.augmentation.Augmentation`.
    seed, epoch, image : uint64
        What the map depends on.
    height, width : int
        The size of the image.

    Returns
    -------
    drawn : RandomMap
        The map.
    """
    rotation, scale, shear, shift = ranges
    first, second, third, fourth = random_block(seed, epoch, image, 1)
    fifth, sixth, _, _ = random_block(seed, epoch, image, 2)
    angle = rotation * symmetric(first)
    x_scale, y_scale = 1.0 + scale * symmetric(second), 1.0 + scale * symmetric(third)
    slant = shear * symmetric(fourth)
    x_centre, y_centre = float(width // 2), float(height // 2)
    x_to, y_to = x_centre + shift * symmetric(fifth), y_centre + shift * symmetric(sixth)
    cosine, sine = math.cos(angle), math.sin(angle)
    # The inverse of the matrix ((cosine, -sine), (sine, cosine)) ((1, slant), (0, 1)) ((x_scale, 0), (0, y_scale)).
    x_by_column, x_by_row = (cosine + slant * sine) / x_scale, (sine - slant * cosine) / x_scale
    y_by_column, y_by_row = -sine / y_scale, cosine / y_scale
    x = x_centre - x_by_column * x_to - x_by_row * y_to
    y = y_centre - y_by_column * x_to - y_by_row * y_to
    down_by_column, down_by_row = sine * x_scale, (sine * slant + cosine) * y_scale
    down = y_to - down_by_column * x_centre - down_by_row * y_centre
    sampled = affine_map(x, y, x_by_column, x_by_row, y_by_column, y_by_row)
    return RandomMap(sampled, down, down_by_column, down_by_row)


@exact_kernel
def distort_affinely(
    images: npt.NDArray[np.uint8],
    indices: npt.NDArray[np.uint64],
    out: npt.NDArray[np.uint8],
    shape: tuple[int, int],
    ranges: Ranges,
    seed: np.uint64,
    epoch: np.uint64,
    start: int,
    end: int,
) -> None:
    """Distort images by random affine maps.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, height * width)
        The images.
    indices : ndarray of uint64, shape (N,)
        The number of each image, on which its map depends.
    out : ndarray of uint8, shape (N, height * width)
        The result. It may be ``images``.
    shape : tuple of int
        Height and width.
    ranges : tuple of float
        The greatest rotation, scale, shear and shift.
    seed, epoch : uint64
        What the maps depend on.
    start, end : int
        The range of images that are distorted.
    """
    height, width = shape
    scratch = new_scratch(height, width)
    for n in range(start, end):
        ink, result = frame(images[n], height, width, scratch), out[n]
        if ink.bottom < ink.top:
            result[:] = 0
            continue
        pack(ink, scratch)
        drawn = random_map(ranges, seed, epoch, indices[n], height, width)
        # Only these rows can receive ink, because interpolation spreads it by less than a pixel.
        left, right = -drawn.y_by_column, drawn.y_by_column * width
        above, below = drawn.y_by_row * (ink.top - 1), drawn.y_by_row * (ink.bottom + 1)
        highest = drawn.y + min(left, right) + min(above, below) - MARGIN
        lowest = drawn.y + max(left, right) + max(above, below) + MARGIN
        first_row = int(min(max(math.floor(highest), 0.0), float(height)))
        end_row = int(min(max(math.ceil(lowest) + 1.0, float(first_row)), float(height)))
        result[: first_row * width] = 0
        sample(drawn.sampled, ink, width, scratch, result, first_row * width, end_row * width)
        result[end_row * width :] = 0
