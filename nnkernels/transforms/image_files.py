"""Reading image files as grayscale pixels, within bounded memory."""

from __future__ import annotations

import io
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nnkernels.errors import DataError, MissingDependencyError, one_line

if TYPE_CHECKING:
    from PIL.Image import Image

STANDARD_INPUT = Path("-")
MAX_PIXELS = 110_000_000  # of the cameras of phones: 50 and 108 megapixels
MAX_PIPED_BYTES = 256 * 2**20
MAX_SIDE = 4096  # pixels; larger images are reduced by an integer factor to at most this, a digit stays large enough
_DARK = 128  # grey values below this are dark
_HALF_OPAQUE = 128
_ROWS_AT_ONCE = 256
_ORIENTATION, _UPRIGHT = 0x0112, 1  # the EXIF tag and its default


def read_grayscale(path: Path) -> npt.NDArray[np.uint8]:
    """Read an image of any size and mode as grayscale.

    Transparent parts become white, or black if nothing that is opaque is dark, as in a drawing in white ink. An image
    with a side of more than 4,096 pixels is reduced by an integer factor.

    Parameters
    ----------
    path : Path
        The image file, in any format that Pillow reads. A pipe is read to its end; ``-`` is the standard input.

    Returns
    -------
    picture : ndarray of uint8, shape (height, width)
        Grey values, 0 (black) to 255 (white).

    Raises
    ------
    DataError
        If the file does not exist, is not an image, is damaged, or has more than 110 megapixels.
    MissingDependencyError
        If Pillow is not installed.
    """
    if find_spec("PIL") is None:
        raise MissingDependencyError("reading images", "pillow", "learn")
    from PIL import Image, UnidentifiedImageError

    name = source_name(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns about large images, which are rejected below
            with Image.open(_opened(path)) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise DataError(
                        f"{name} has {image.width} x {image.height} pixels; the limit is {MAX_PIXELS:,}, so scale it "
                        "down"
                    )
                return _grayscale(image)
    except UnidentifiedImageError as error:
        raise DataError(f"{name} is not a readable image; choose a PNG or JPEG of one digit") from error
    except DataError:
        raise
    except Exception as error:  # a damaged image can make Pillow and its decoders raise nearly anything
        raise DataError(f"{name} is a damaged image ({one_line(error)}); save it again as PNG") from error


def source_name(path: Path) -> str:
    """Return the name of an image for messages.

    Parameters
    ----------
    path : Path
        The image file, or ``-``.

    Returns
    -------
    name : str
        The path, or ``standard input``.
    """
    return "standard input" if path == STANDARD_INPUT else str(path)


def _opened(path: Path) -> Path | io.BytesIO:
    """Return what Pillow can open: the file, or the content of a pipe, in which it cannot seek."""
    if path == STANDARD_INPUT:
        content = sys.stdin.buffer.read(MAX_PIPED_BYTES + 1)
    elif path.is_file():
        return path
    elif path.is_dir() or not path.exists():
        raise DataError(f"{path}: no such file; choose a PNG or JPEG of one digit")
    else:
        with path.open("rb") as pipe:
            content = pipe.read(MAX_PIPED_BYTES + 1)
    if len(content) > MAX_PIPED_BYTES:
        raise DataError(f"{source_name(path)} has more than {MAX_PIPED_BYTES:,} bytes; save the image as a file")
    return io.BytesIO(content)


def _grayscale(image: Image) -> npt.NDArray[np.uint8]:
    from PIL import ImageOps

    # A JPEG is decoded at a fraction of its size; draft() does nothing for other formats.
    if max(image.size) > MAX_SIDE:
        image.draft(None, (MAX_SIDE, MAX_SIDE))
    if image.mode.startswith(("I", "F")):  # 16 bits or more
        grey = _rescaled(image)
    elif image.has_transparency_data:
        grey = _on_background(image)
    else:
        grey = image.convert("L")
    factor = -(-max(grey.size) // MAX_SIDE)
    reduced = grey.reduce(factor) if factor > 1 else grey
    reduced.getexif()[_ORIENTATION] = image.getexif().get(_ORIENTATION, _UPRIGHT)
    return np.asarray(ImageOps.exif_transpose(reduced))


def _on_background(image: Image) -> Image:
    """Return the image on white, or on black if nothing that is opaque is dark."""
    from PIL import Image, ImageChops

    rgba = image.convert("RGBA")
    opacity = rgba.getchannel("A")
    grey = rgba.convert("L")
    dark = ImageChops.multiply(
        grey.point([255 if value < _DARK else 0 for value in range(256)]),
        opacity.point([255 if value >= _HALF_OPAQUE else 0 for value in range(256)]),
    )
    background = "white" if dark.getbbox() else "black"
    return Image.composite(grey, Image.new("L", grey.size, background), opacity)


def _rescaled(image: Image) -> Image:
    """Return an image of 16 or more bits with its range of values rescaled to 0..255, a few rows at a time."""
    from PIL import Image

    values = np.asarray(image)
    low, high = float(values.min()), float(values.max())
    rescaled = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _ROWS_AT_ONCE):
        rows = values[start : start + _ROWS_AT_ONCE].astype(np.float64)
        rescaled[start : start + _ROWS_AT_ONCE] = np.round((rows - low) * (255 / max(high - low, 1e-30)))
    return Image.fromarray(rescaled)
