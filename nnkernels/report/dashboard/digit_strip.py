"""Digits side by side in one small picture of the page."""

from __future__ import annotations

import base64
import io

import numpy as np
import numpy.typing as npt

from nnkernels.transforms.photo import IMAGE_SIZE

GREYS = 16  # four bits a pixel


def digit_strip(sprite: npt.NDArray[np.uint8], columns: int, count: int) -> str:
    """Return the first digits of a picture as a strip of one row, in fewer greys.

    Parameters
    ----------
    sprite : ndarray of uint8, shape (height, width)
        Digits in rows, without gaps.
    columns : int
        The number of digits in a row of the picture.
    count : int
        The number of digits to take.

    Returns
    -------
    source : str
        A data URI of a PNG.
    """
    from PIL import Image

    cells = sprite.reshape(-1, IMAGE_SIZE, columns, IMAGE_SIZE).swapaxes(1, 2).reshape(-1, IMAGE_SIZE, IMAGE_SIZE)
    strip = Image.fromarray(np.round(np.hstack(list(cells[:count])) / 255 * (GREYS - 1)).astype(np.uint8))
    strip.putpalette(bytes(round(level * 255 / (GREYS - 1)) for level in range(GREYS) for _channel in range(3)))
    buffer = io.BytesIO()
    strip.save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
