"""The picture of the hidden units for print and for readers without scripts: one small PNG, embedded."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np

from nnkernels.parameters import FloatArray
from nnkernels.report.dashboard.palette import VARIABLES
from nnkernels.transforms.photo import IMAGE_SIZE

COLUMNS, GAP, ZOOM = 10, 2, 2
MAX_UNITS = 60
LEVELS = 16  # shades of each colour


@dataclass(frozen=True)
class Picture:
    """A picture in the page.

    Attributes
    ----------
    source : str
        A data URI.
    width, height : int
        In CSS pixels.
    alternative : str
        What it shows.
    """

    source: str
    width: int
    height: int
    alternative: str


def still_units(W1: FloatArray, limit: float) -> Picture | None:
    """Draw the weights of each hidden unit, side by side.

    Parameters
    ----------
    W1 : ndarray, shape (784, H)
        Weights of the hidden layer.
    limit : float
        The absolute weight from which on the colour is full.

    Returns
    -------
    picture : Picture or None
        On a transparent ground. None if there are more than 60 units, which would be too large for the page.
    """
    from PIL import Image

    units = W1.shape[1]
    if units > MAX_UNITS:
        return None
    rows = -(-units // COLUMNS)
    cell = IMAGE_SIZE + GAP
    sheet = np.zeros((rows * cell - GAP, min(units, COLUMNS) * cell - GAP), np.uint8)
    levels = np.round(np.clip(W1.T.reshape(units, IMAGE_SIZE, IMAGE_SIZE) / limit, -1, 1) * LEVELS).astype(int)
    for unit, values in enumerate(levels):
        top, left = unit // COLUMNS * cell, unit % COLUMNS * cell
        # 0 is transparent; then the shades of positive weights, then those of negative ones.
        shades = np.where(values < 0, LEVELS - values, values)
        sheet[top : top + IMAGE_SIZE, left : left + IMAGE_SIZE] = shades
    colours = [bytes.fromhex(VARIABLES[name][0][1:]) for name in ("worse", "better")]
    picture = Image.fromarray(sheet)
    picture.putpalette(b"\0\0\0" + b"".join(colour * LEVELS for colour in colours))
    opacity = [round(255 * level / LEVELS) for level in range(1, LEVELS + 1)]
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True, transparency=bytes([0, *opacity, *opacity]))
    source = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    alternative = f"The weights of the {units} hidden units, each as a picture of {IMAGE_SIZE} x {IMAGE_SIZE} pixels."
    return Picture(source, ZOOM * sheet.shape[1], ZOOM * sheet.shape[0], alternative)
