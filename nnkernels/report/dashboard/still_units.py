"""The picture of the hidden units for print and for readers without scripts: one small PNG, embedded."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np

from nnkernels.parameters import FloatArray
from nnkernels.report.dashboard.palette import VARIABLES

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


def still_units(W1: FloatArray, image: tuple[int, int], limit: float) -> Picture | None:
    """Draw the weights of each hidden unit, side by side.

    Parameters
    ----------
    W1 : ndarray, shape (D, H)
        Weights of the hidden layer.
    image : tuple of int
        Height and width of the images; their product is D.
    limit : float
        The absolute weight from which on the colour is full.

    Returns
    -------
    picture : Picture or None
        On a transparent ground. None if there are more than 60 units, which would be too large for the page.
    """
    from PIL import Image

    height, width = image
    units = W1.shape[1]
    if units > MAX_UNITS:
        return None
    rows = -(-units // COLUMNS)
    columns = min(units, COLUMNS)
    sheet = np.zeros((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP), np.uint8)
    shades = np.round(np.clip(W1.T.reshape(units, height, width) / limit, -1, 1) * LEVELS).astype(int)
    for unit, values in enumerate(shades):
        top, left = unit // COLUMNS * (height + GAP), unit % COLUMNS * (width + GAP)
        # 0 is transparent; then the shades of positive weights, then those of negative ones.
        sheet[top : top + height, left : left + width] = np.where(values < 0, LEVELS - values, values)
    colours = [bytes.fromhex(VARIABLES[name][0][1:]) for name in ("worse", "better")]
    picture = Image.fromarray(sheet)
    picture.putpalette(b"\0\0\0" + b"".join(colour * LEVELS for colour in colours))
    opacity = [round(255 * level / LEVELS) for level in range(1, LEVELS + 1)]
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True, transparency=bytes([0, *opacity, *opacity]))
    source = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    alternative = f"The weights of the {units} hidden units, each as a picture of {height} x {width} pixels."
    return Picture(source, ZOOM * sheet.shape[1], ZOOM * sheet.shape[0], alternative)
