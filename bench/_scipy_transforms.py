"""The transforms of ``nnkernels.transforms`` by SciPy and NumPy, in float64, image by image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.random import Generator, Philox
from scipy import ndimage

from nnkernels.augmentation import Augmentation

FloatArray = npt.NDArray[np.float64]
ByteArray = npt.NDArray[np.uint8]


def deskewed(image: ByteArray, normalize_size: bool = False) -> FloatArray:
    """Deskew an image, and normalise its size if asked.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W)
        An image with ink in two rows, and with a slant of less than 2 pixels per row.
    normalize_size : bool
        Whether the digit is scaled to standard deviations of 0.2 of the height and 0.15 of the width.

    Returns
    -------
    result : ndarray of float64, shape (H, W)
        Pixels that are not rounded.
    """
    rows, columns = np.indices(image.shape)
    mass = image / image.sum()
    y, x = np.sum(mass * rows), np.sum(mass * columns)
    slant = np.sum(mass * (rows - y) * (columns - x)) / np.sum(mass * (rows - y) ** 2)
    shear, steps = np.array([[1, 0], [slant, 1]]), np.ones(2)
    if normalize_size:
        upright = columns - x - slant * (rows - y)
        deviations = np.sqrt([np.sum(mass * (rows - y) ** 2), np.sum(mass * upright**2)])
        steps = np.clip(deviations / (np.array([0.2, 0.15]) * image.shape), 0.4, 2)
    matrix, centre = shear * steps, np.array(image.shape) // 2
    return _resampled(image, matrix, np.array([y, x]) - matrix @ centre)


def augmented(image: ByteArray, used: Augmentation, seed: int, epoch: int, number: int) -> FloatArray:
    """Distort an image randomly.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W)
        An image.
    used : Augmentation
        The ranges of the distortions.
    seed, epoch, number : int
        What the distortion depends on.

    Returns
    -------
    result : ndarray of float64, shape (H, W)
        Pixels that are not rounded.
    """
    stream = Philox(key=[seed, epoch], counter=[0, number, 0, 0])
    uniform = Generator(stream).uniform(-1, 1, 8)  # two of them are not used
    angle, slant = used.rotation_radians * uniform[0], used.shear * uniform[3]
    cosine, sine = np.cos(angle), np.sin(angle)
    # Vectors are (row, column).
    scaling = np.diag([1 + used.scale * uniform[2], 1 + used.scale * uniform[1]])
    shearing, rotation = np.array([[1, 0], [slant, 1]]), np.array([[cosine, sine], [-sine, cosine]])
    inverse = np.linalg.inv(rotation @ shearing @ scaling)
    centre = np.array(image.shape) // 2
    offset = centre - inverse @ (centre + used.shift_pixels * uniform[[5, 4]])
    if not used.elastic_alpha:
        return _resampled(image, inverse, offset)
    positions = np.tensordot(inverse, np.indices(image.shape), 1) + offset[:, np.newaxis, np.newaxis]
    size = image.size
    numbers = stream.random_raw((2 * size + 7) // 8).astype("<u8").view(np.uint8)[: 2 * size]
    x, y = (
        ndimage.gaussian_filter(noise.reshape(image.shape), used.elastic_sigma, mode="wrap")
        for noise in np.split((2.0 * numbers - 255) / 256, 2)
    )
    positions += used.elastic_alpha * np.array([y, x])
    result: FloatArray = ndimage.map_coordinates(image.astype(np.float64), positions, order=1, mode="grid-constant")
    return result


def _resampled(image: ByteArray, matrix: FloatArray, offset: FloatArray) -> FloatArray:
    result: FloatArray = ndimage.affine_transform(
        image.astype(np.float64), matrix, offset, order=1, mode="grid-constant"
    )
    return result
