"""What images look like: whether their rows and columns seem exchanged, and whether they are dark on light."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nnkernels.data.dataset import ByteArray

SAMPLE = 2000  # images looked at
SIDE = 28
INK, LIGHT = 128, 192
MAX_INK = 0.25  # handwriting has thin strokes; clothes fill more of the image
CLEARLY_WIDE = 0.65


def fraction_wider_than_tall(X: ByteArray) -> float:
    """Return the fraction of images whose ink is wider than tall, among those where the two differ.

    Upright characters are mostly taller than wide, so exchanged rows and columns show in this number.

    Parameters
    ----------
    X : ndarray of uint8, shape (N, 784)
        Images.

    Returns
    -------
    fraction : float
        0 to 1; 0 if the images are not like handwriting.
    """
    ink: npt.NDArray[np.bool_] = np.asarray(_sample(X) >= INK)
    if not ink.any() or ink.mean() > MAX_INK:
        return 0.0
    heights, widths = _extents(ink, 2), _extents(ink, 1)
    differ = np.count_nonzero(heights != widths)
    return float(np.count_nonzero(widths > heights) / differ) if differ else 0.0


def look_transposed(X: ByteArray) -> bool:
    """Return whether the rows and columns of handwritten characters clearly seem exchanged.

    Parameters
    ----------
    X : ndarray of uint8, shape (N, 784)
        Images.

    Returns
    -------
    transposed : bool
        Whether about two of three characters are wider than tall.
    """
    return fraction_wider_than_tall(X) > CLEARLY_WIDE


def look_inverted(X: ByteArray) -> bool:
    """Return whether images seem to be dark on a light background, unlike MNIST's.

    Parameters
    ----------
    X : ndarray of uint8, shape (N, 784)
        Images.

    Returns
    -------
    inverted : bool
        Whether most pixels of the frame are light.
    """
    images = _sample(X)
    frame = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], axis=1)
    return bool(np.median(frame) >= LIGHT)


def turned(X: ByteArray) -> ByteArray:
    """Return images with their rows and columns exchanged.

    Parameters
    ----------
    X : ndarray of uint8, shape (N, 784)
        Images.

    Returns
    -------
    turned : ndarray of uint8, shape (N, 784)
        A copy.
    """
    return np.ascontiguousarray(X.reshape(-1, SIDE, SIDE).transpose(0, 2, 1)).reshape(-1, SIDE * SIDE)


def _sample(X: ByteArray) -> ByteArray:
    return X[:: len(X) // SAMPLE + 1].reshape(-1, SIDE, SIDE)


def _extents(ink: npt.NDArray[np.bool_], summed_axis: int) -> npt.NDArray[np.intp]:
    """Return the distance from the first to the last row (axis 2 is summed) or column of each image that has ink."""
    occupied = np.asarray(ink.any(axis=summed_axis))
    extents: npt.NDArray[np.intp] = SIDE - occupied.argmax(axis=1) - occupied[:, ::-1].argmax(axis=1)
    return extents
