"""A picture of a digit, dark on light or light on dark, brought into MNIST's form.

MNIST's digits lie light on a black ground, 20 pixels on the longer side, with the centre of mass of the ink in the
centre of 28 x 28 pixels. A picture that has this form already comes out nearly as it went in.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.errors import DataError
from nnkernels.transforms.image_files import read_grey
from nnkernels.transforms.ink import Box, FloatImage, Ink, find_ink

SIDE = 28  # of MNIST's pictures
INK_SIDE = 20  # of the digit in them, the longer one
WORKING_SIDE = 320  # pixels at most: 16 times what is asked for
PEN_WIDTH = 2.2  # in pixels of MNIST's form: thinner strokes are thickened to it, as hardly a digit of MNIST is thinner

ByteImage = npt.NDArray[np.uint8]


class Digit(NamedTuple):
    """A digit as the network sees it, and where it came from.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (784,)
        In MNIST's form.
    inverted : bool
        Whether the picture was dark on light.
    box : Box
        The ink in the picture.
    picture : ndarray of uint8, shape (height, width)
        The picture itself, grey.
    """

    pixels: ByteImage
    inverted: bool
    box: Box
    picture: ByteImage


def read_digit(path: Path) -> Digit:
    """Read a picture of one digit: PNG, JPEG, and what else Pillow reads.

    Raises
    ------
    DataError
        If there is no such file, it is no image, damaged or too large, or nothing stands out from its ground.
    MissingDependencyError
        If Pillow is not installed.
    """
    picture = read_grey(path)
    try:
        return digit_from_pixels(picture)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def digit_from_pixels(picture: npt.NDArray[Any]) -> Digit:
    """Bring a grey picture of one digit into MNIST's form.

    Parameters
    ----------
    picture : ndarray of uint8, shape (height, width)

    Raises
    ------
    DataError
        If the picture has another form, or nothing stands out from its ground.
    """
    if picture.ndim != 2 or picture.dtype != np.uint8 or 0 in picture.shape:
        raise DataError(f"the picture is {picture.dtype} of shape {picture.shape}; expected uint8 (height, width)")
    ink, box = _find_closely(picture)
    return Digit(_placed(_scaled(_thickened(ink.amount))), ink.is_dark, box, picture)


def _find_closely(picture: ByteImage) -> tuple[Ink, Box]:
    """Find the ink in a reduced picture; if it is small there, look again from nearer."""
    height, width = picture.shape
    small, step = _reduced(picture)
    ink = find_ink(small)
    left = top = 0
    if ink is not None and step > 1 and 2 * ink.box.longer_side < max(small.shape):
        room = ink.box.longer_side // 2
        left, top = step * max(0, ink.box.left - room), step * max(0, ink.box.top - room)
        view = Box(left, top, step * (ink.box.right + room), step * (ink.box.bottom + room))
        small, step = _reduced(view.of(picture))
        ink = find_ink(small)
    if ink is None:
        raise DataError("nothing stands out from the ground; it should show one digit, dark on light or light on dark")
    right, bottom = left + step * ink.box.right, top + step * ink.box.bottom
    return ink, Box(left + step * ink.box.left, top + step * ink.box.top, min(width, right), min(height, bottom))


def _reduced(picture: ByteImage) -> tuple[FloatImage, int]:
    """Return the brightness from 0 to 1, averaged over squares of ``step`` pixels so that no side is too long."""
    step = -(-max(picture.shape) // WORKING_SIDE)
    if step == 1:
        return (picture / 255).astype(np.float32), 1
    rows, columns = (np.arange(0, length, step) for length in picture.shape)
    sums = np.add.reduceat(np.add.reduceat(picture, rows, axis=0, dtype=np.float32), columns, axis=1)
    counts = np.outer(np.diff(rows, append=picture.shape[0]), np.diff(columns, append=picture.shape[1]))
    return (sums / counts / 255).astype(np.float32), step


def _thickened(amount: FloatImage) -> FloatImage:
    """Return the ink with strokes at least as wide as a pen of MNIST's writers would have drawn them."""
    from scipy import ndimage

    unit = max(amount.shape) / INK_SIDE
    ink = np.pad(amount, 1) > 0.5
    # Half of a stroke's pixels lie further than a quarter of its width from the edge.
    width = 4 * (ndimage.distance_transform_edt(ink)[ink].mean() - 0.5) / unit
    if not width < PEN_WIDTH:
        return amount
    missing = (PEN_WIDTH - width) / 2 * unit
    padded = np.pad(amount, int(missing))
    distance = ndimage.distance_transform_edt(padded <= 0.5)
    thick: FloatImage = np.maximum(padded, np.clip(missing + 0.5 - distance, 0, 1)).astype(np.float32)
    return thick


def _scaled(ink: FloatImage) -> ByteImage:
    """Return the ink as bytes, 20 pixels on the longer side, the aspect ratio kept."""
    scale = INK_SIDE / max(ink.shape)
    height, width = (max(1, round(length * scale)) for length in ink.shape)
    small = _filter(ink.shape[0], height) @ ink @ _filter(ink.shape[1], width).T
    grey: ByteImage = np.round(np.clip(small / small.max(), 0, 1) * 255).astype(np.uint8)
    return grey


def _filter(length: int, result: int) -> FloatImage:
    """Return the matrix (result, length) that resamples a row with a Hamming-windowed sinc, free of aliasing."""
    scale = length / result
    centres = (np.arange(result) + 0.5) * scale
    distance = np.abs(np.arange(length) + 0.5 - centres[:, np.newaxis]) / max(scale, 1)
    weights = np.where(distance < 1, np.sinc(distance) * (0.54 + 0.46 * np.cos(np.pi * distance)), 0)
    normalised: FloatImage = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalised


def _placed(ink: ByteImage) -> ByteImage:
    """Return 28 x 28 pixels, flat, with the ink's centre of mass in the centre."""
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    corner = []
    for axis in (0, 1):
        length = ink.shape[axis]
        mass = ink.sum(axis=1 - axis, dtype=np.float64)
        centre = mass @ np.arange(length) / mass.sum()
        corner.append(int(np.clip(np.floor(SIDE / 2 - centre + 0.5), 0, SIDE - length)))
    canvas[corner[0] : corner[0] + ink.shape[0], corner[1] : corner[1] + ink.shape[1]] = ink
    return canvas.ravel()
