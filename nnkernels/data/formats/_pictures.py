"""Decoding of small grey pictures."""

from __future__ import annotations

import io
import warnings

import numpy as np

from nnkernels.data.dataset import PIXELS, ByteArray
from nnkernels.data.formats._pixels import SIDE
from nnkernels.errors import DataError, MissingDependencyError, one_line

STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
KINDS = ("PNG", "JPEG", "BMP")
MAX_FILE = 2**20


def decoded(content: bytes, where: str) -> ByteArray:
    """Decode a picture of 28 x 28 grey pixels.

    Parameters
    ----------
    content : bytes
        A PNG, JPEG or BMP file.
    where : str
        The name of the picture, for error messages.

    Returns
    -------
    pixels : ndarray of uint8, shape (784,)
        Grey values.

    Raises
    ------
    DataError
        If it is not such a picture, has another size, or has colours or transparent parts.
    MissingDependencyError
        If Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingDependencyError("reading pictures", "pillow", "learn") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=KINDS) as picture:
                if picture.size != (SIDE, SIDE):
                    raise DataError(
                        f"{where}: has {picture.width} x {picture.height} pixels; expected {SIDE} x {SIDE}, so scale it"
                    )
                if picture.mode in ("L", "1"):
                    return np.asarray(picture.convert("L"), np.uint8).reshape(PIXELS)
                channels = np.asarray(picture.convert("RGBA"), np.uint8)
                mode = picture.mode
    except DataError:
        raise
    except Exception as error:  # a damaged picture can make Pillow raise nearly anything
        raise DataError(f"{where}: not a readable picture ({one_line(error)}); save it again as PNG") from error
    if mode.startswith(("I", "F")):
        raise DataError(f"{where}: has more than 8 bits per pixel (mode {mode}); save it with 256 grey values")
    red, green, blue, opacity = np.moveaxis(channels, 2, 0)
    if not ((red == green) & (green == blue)).all():
        raise DataError(f"{where}: has colours; expected grey values, so convert it first")
    if (opacity != 255).any():
        raise DataError(f"{where}: has transparent parts; expected grey values, so save it without transparency")
    return np.ascontiguousarray(red).reshape(PIXELS)
