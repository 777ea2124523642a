"""Conversion of a picture of a digit to MNIST's form.

MNIST's digits are light on a black background. Their longer side is 20 pixels, and the centre of mass of the ink is at
the centre of 28 x 28 pixels. A picture that already has this form hardly changes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.errors import DataError
from nnkernels.transforms.image_files import read_grayscale
from nnkernels.transforms.ink import Box, FloatImage, Ink, find_ink

IMAGE_SIZE = 28  # pixels; the side of MNIST's images
DIGIT_SIZE = 20  # pixels; the longer side of the digit in them
MAX_WORKING_SIZE = 320  # pixels; 16 times the size of the digit in the result
# In pixels of the result. Thinner strokes are thickened to this width, because hardly any MNIST digit has thinner ones.
MIN_STROKE_WIDTH = 2.2

ByteImage = npt.NDArray[np.uint8]


class Digit(NamedTuple):
    """A digit in MNIST's form, and where it was found in the picture.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (784,)
        The digit in MNIST's form.
    inverted : bool
        Whether the picture was dark on light.
    box : Box
        The bounding box of the ink in the picture.
    picture : ndarray of uint8, shape (height, width)
        The grayscale picture.
    """

    pixels: ByteImage
    inverted: bool
    box: Box
    picture: ByteImage


def read_digit(path: Path) -> Digit:
    """Read a picture of one digit from a file.

    Parameters
    ----------
    path : Path
        A PNG, JPEG or any other file that Pillow reads.

    Returns
    -------
    digit : Digit
        The digit in MNIST's form.

    Raises
    ------
    DataError
        If the file does not exist, is not an image, is damaged or too large, or if no digit stands out from the
        background.
    MissingDependencyError
        If Pillow is not installed.
    """
    picture = read_grayscale(path)
    try:
        return digit_from_pixels(picture)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def digit_from_pixels(picture: npt.NDArray[Any]) -> Digit:
    """Convert a grayscale picture of one digit to MNIST's form.

    Parameters
    ----------
    picture : ndarray of uint8, shape (height, width)
        Grey values; the digit may be dark on light or light on dark.

    Returns
    -------
    digit : Digit
        The digit in MNIST's form.

    Raises
    ------
    DataError
        If the picture has another dtype or number of dimensions, or if no digit stands out from the background.
    """
    if picture.ndim != 2 or picture.dtype != np.uint8 or 0 in picture.shape:
        raise DataError(f"picture has dtype {picture.dtype} and shape {picture.shape}; expected uint8 (height, width)")
    ink, box = _find_at_working_size(picture)
    return Digit(mnist_form(ink.amount), ink.is_dark, box, picture)


def mnist_form(ink: FloatImage) -> ByteImage:
    """Convert the ink of a digit to MNIST's form.

    Parameters
    ----------
    ink : ndarray of float32, shape (height, width)
        The amount of ink per pixel, from 0 to 1, without margins.

    Returns
    -------
    pixels : ndarray of uint8, shape (784,)
        Thin strokes are thickened, the longer side is resized to 20 pixels, and the centre of mass is at the centre of
        28 x 28 pixels.
    """
    return _centre(_resize(_thicken(ink)))


def _find_at_working_size(picture: ByteImage) -> tuple[Ink, Box]:
    """Find the ink in a downsampled picture.

    If the digit is small there, search its neighbourhood again at a finer resolution.

    Returns
    -------
    ink : Ink
        The ink, downsampled.
    box : Box
        Its bounding box in the picture.
    """
    height, width = picture.shape
    small, step = _downsample(picture)
    ink = find_ink(small)
    left = top = 0
    if ink is not None and step > 1 and 2 * ink.box.longer_side < max(small.shape):
        margin = ink.box.longer_side // 2
        left, top = step * max(0, ink.box.left - margin), step * max(0, ink.box.top - margin)
        view = Box(left, top, step * (ink.box.right + margin), step * (ink.box.bottom + margin))
        small, step = _downsample(view.crop(picture))
        ink = find_ink(small)
    if ink is None:
        raise DataError("no digit stands out from the background; expected one digit, dark on light or light on dark")
    right, bottom = left + step * ink.box.right, top + step * ink.box.bottom
    return ink, Box(left + step * ink.box.left, top + step * ink.box.top, min(width, right), min(height, bottom))


def _downsample(picture: ByteImage) -> tuple[FloatImage, int]:
    """Return the brightness from 0 to 1, averaged over squares of ``step`` pixels, and ``step``."""
    step = -(-max(picture.shape) // MAX_WORKING_SIZE)
    if step == 1:
        return (picture / 255).astype(np.float32), 1
    rows, columns = (np.arange(0, length, step) for length in picture.shape)
    sums = np.add.reduceat(np.add.reduceat(picture, rows, axis=0, dtype=np.float32), columns, axis=1)
    counts = np.outer(np.diff(rows, append=picture.shape[0]), np.diff(columns, append=picture.shape[1]))
    return (sums / counts / 255).astype(np.float32), step


def _thicken(amount: FloatImage) -> FloatImage:
    """Return the ink with strokes of at least ``MIN_STROKE_WIDTH``."""
    from scipy import ndimage

    unit = max(amount.shape) / DIGIT_SIZE
    ink = np.pad(amount, 1) > 0.5
    # In a stroke of width w, the mean distance of the pixels from the edge is w / 4.
    width = 4 * (ndimage.distance_transform_edt(ink)[ink].mean() - 0.5) / unit
    if not width < MIN_STROKE_WIDTH:
        return amount
    missing = (MIN_STROKE_WIDTH - width) / 2 * unit
    padded = np.pad(amount, int(missing))
    distance = ndimage.distance_transform_edt(padded <= 0.5)
    thick: FloatImage = np.maximum(padded, np.clip(missing + 0.5 - distance, 0, 1)).astype(np.float32)
    return thick


def _resize(ink: FloatImage) -> ByteImage:
    """Return the ink as uint8, with 20 pixels on the longer side and the same aspect ratio."""
    scale = DIGIT_SIZE / max(ink.shape)
    height, width = (max(1, round(length * scale)) for length in ink.shape)
    small = _resampling_matrix(ink.shape[0], height) @ ink @ _resampling_matrix(ink.shape[1], width).T
    resized: ByteImage = np.round(np.clip(small / small.max(), 0, 1) * 255).astype(np.uint8)
    return resized


def _resampling_matrix(length: int, result: int) -> FloatImage:
    """Return the matrix (result, length) that resamples a row with a Hamming-windowed sinc, without aliasing."""
    scale = length / result
    centres = (np.arange(result) + 0.5) * scale
    distance = np.abs(np.arange(length) + 0.5 - centres[:, np.newaxis]) / max(scale, 1)
    weights = np.where(distance < 1, np.sinc(distance) * (0.54 + 0.46 * np.cos(np.pi * distance)), 0)
    normalised: FloatImage = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalised


def _centre(ink: ByteImage) -> ByteImage:
    """Return the 28 x 28 pixels as a vector, with the centre of mass of the ink at the centre."""
    canvas = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    corner = []
    for axis in (0, 1):
        length = ink.shape[axis]
        mass = ink.sum(axis=1 - axis, dtype=np.float64)
        centre = mass @ np.arange(length) / mass.sum()
        corner.append(int(np.clip(np.floor(IMAGE_SIZE / 2 - centre + 0.5), 0, IMAGE_SIZE - length)))
    canvas[corner[0] : corner[0] + ink.shape[0], corner[1] : corner[1] + ink.shape[1]] = ink
    return canvas.ravel()
