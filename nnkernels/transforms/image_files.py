"""Image files as grey pixels."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nnkernels.errors import DataError, MissingDependencyError, one_line

MAX_PIXELS = 50_000_000


def read_grey(path: Path) -> npt.NDArray[np.uint8]:
    """Read an image of any size and mode as grey values; transparent parts count as white paper.

    Returns
    -------
    ndarray of uint8, shape (height, width)

    Raises
    ------
    DataError
        If there is no such file, or it is no image, damaged, or larger than 50 megapixels.
    MissingDependencyError
        If Pillow is not installed.
    """
    if find_spec("PIL") is None:
        raise MissingDependencyError("reading images", "pillow", "learn")
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not path.is_file():
        raise DataError(f"{path}: no such file; give a PNG or JPEG of one digit")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large images; we refuse them below
            with Image.open(path) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise DataError(
                        f"{path} has {image.width} x {image.height} pixels; at most {MAX_PIXELS:,} are read: reduce it"
                    )
                upright = ImageOps.exif_transpose(image)
                if upright.mode.startswith(("I", "F")):  # 16 bits or more: its own range becomes 0 to 255
                    return _as_bytes(np.asarray(upright, np.float64))
                layered = upright.convert("RGBA")
                paper = Image.new("RGBA", layered.size, "white")
                return np.asarray(Image.alpha_composite(paper, layered).convert("L"))
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is no image that can be read; give a PNG or JPEG of one digit") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} is a damaged image ({one_line(error)}); save it anew as PNG") from error


def _as_bytes(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    low, high = values.min(), values.max()
    grey: npt.NDArray[np.uint8] = np.round((values - low) * (255 / max(high - low, 1e-30))).astype(np.uint8)
    return grey
