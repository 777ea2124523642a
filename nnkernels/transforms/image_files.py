"""Reading image files as grayscale pixels."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nnkernels.errors import DataError, MissingDependencyError, one_line

MAX_PIXELS = 50_000_000


def read_grayscale(path: Path) -> npt.NDArray[np.uint8]:
    """Read an image of any size and mode as grayscale. Transparent parts become white.

    Parameters
    ----------
    path : Path
        The image file, in any format that Pillow reads.

    Returns
    -------
    picture : ndarray of uint8, shape (height, width)
        Grey values, 0 (black) to 255 (white).

    Raises
    ------
    DataError
        If the file does not exist, is not an image, is damaged, or has more than 50 megapixels.
    MissingDependencyError
        If Pillow is not installed.
    """
    if find_spec("PIL") is None:
        raise MissingDependencyError("reading images", "pillow", "learn")
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not path.is_file():
        raise DataError(f"{path}: no such file; choose a PNG or JPEG of one digit")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns about large images, which are rejected below
            with Image.open(path) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise DataError(
                        f"{path} has {image.width} x {image.height} pixels; the limit is {MAX_PIXELS:,}, so scale it "
                        "down"
                    )
                upright = ImageOps.exif_transpose(image)
                if upright.mode.startswith(("I", "F")):  # 16 bits or more: rescale its value range to 0..255
                    return _rescale_to_uint8(np.asarray(upright, np.float64))
                rgba = upright.convert("RGBA")
                background = Image.new("RGBA", rgba.size, "white")
                return np.asarray(Image.alpha_composite(background, rgba).convert("L"))
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is not a readable image; choose a PNG or JPEG of one digit") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} is a damaged image ({one_line(error)}); save it again as PNG") from error


def _rescale_to_uint8(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    low, high = values.min(), values.max()
    rescaled: npt.NDArray[np.uint8] = np.round((values - low) * (255 / max(high - low, 1e-30))).astype(np.uint8)
    return rescaled
