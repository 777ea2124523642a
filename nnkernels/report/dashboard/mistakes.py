"""The digits that the recorded network misclassifies, and the picture with all of them."""

from __future__ import annotations

import base64
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnkernels.errors import ResultsError, one_line
from nnkernels.files import MALFORMED, read_json
from nnkernels.parameters import Parameters
from nnkernels.transforms.photo import IMAGE_SIZE

VERSION = 1
RECORD, SPRITE = "mistakes.json", "mistakes_digits.png"
_PNG_HEADER = struct.Struct(">8sI4sII")  # signature, length and type of the first chunk, width, height


@dataclass(frozen=True)
class Mistake:
    """A misclassified digit.

    Attributes
    ----------
    index : int
        Its number among the test images, from 0.
    true, predicted : int
        Its class, and the one that the network takes it for.
    true_probability, predicted_probability : float
        The probabilities that the network gives to these two.
    """

    index: int
    true: int
    predicted: int
    true_probability: float
    predicted_probability: float


@dataclass(frozen=True)
class Mistakes:
    """The misclassified digits of a network.

    Attributes
    ----------
    test_images, total : int
        The number of test images, and how many of them the network misclassifies.
    digits : tuple of Mistake
        Those that are recorded, in the order of the picture.
    class_names : tuple of str
        One for each class.
    columns : int
        Digits in a row of the picture.
    sprite : bytes
        The picture, a PNG.
    """

    test_images: int
    total: int
    digits: tuple[Mistake, ...]
    class_names: tuple[str, ...]
    columns: int
    sprite: bytes

    @property
    def sprite_uri(self) -> str:
        """The picture as a data URI."""
        return f"data:image/png;base64,{base64.b64encode(self.sprite).decode()}"

    def most_frequent(self) -> tuple[tuple[int, int], int] | None:
        """Return the most frequent pair of true and predicted class, and its number.

        Returns
        -------
        found : tuple or None
            None if not all misclassified digits are recorded.
        """
        if not self.digits or len(self.digits) < self.total:
            return None
        return Counter((one.true, one.predicted) for one in self.digits).most_common(1)[0]


def read_mistakes(folder: Path, parameters: Parameters) -> Mistakes:
    """Read the misclassified digits of a training.

    Parameters
    ----------
    folder : Path
        The folder of the training.
    parameters : Parameters
        Its network, whose shapes the record must have.

    Returns
    -------
    mistakes : Mistakes
        The digits.

    Raises
    ------
    ResultsError
        If the record or the picture is missing or damaged, or is that of another network.
    """
    try:
        content = read_json(folder / RECORD)
        sprite = (folder / SPRITE).read_bytes() if content["digits"] else b""
        return _checked(content, sprite, parameters)
    except OSError as error:
        raise ResultsError(f"{error.filename}: cannot be read ({error.strerror})") from error
    except MALFORMED as error:
        raise ResultsError(f"{folder / RECORD}: damaged ({one_line(error)})") from error


def probability_text(value: float) -> str:
    """Format a probability with one decimal of a percent, as the page's script does.

    Parameters
    ----------
    value : float
        The probability.

    Returns
    -------
    text : str
        For example ``97.2 %``. What is not 0 or 1 is not rounded to it: ``< 0.1 %``, ``> 99.9 %``.
    """
    if 0.9995 <= value < 1:  # 0.9995 itself would be rounded to 100.0
        return "> 99.9 %"
    return "< 0.1 %" if 0 < value < 0.0005 else f"{100 * value:.1f} %"


def _checked(content: Any, sprite: bytes, parameters: Parameters) -> Mistakes:
    if content["version"] != VERSION:
        raise ValueError(f"its version is {content['version']!r}, expected {VERSION}")
    classes = parameters.W2.shape[1]
    names = tuple(map(str, content["class_names"]))
    digits = tuple(map(_mistake, content["digits"]))
    columns, total, test_images = (int(content[name]) for name in ("columns", "total", "test_images"))
    if content["image"] != {"width": IMAGE_SIZE, "height": IMAGE_SIZE} or columns < 1:
        raise ValueError(f"its images are {content['image']} in {columns} columns")
    if len(names) != classes:
        raise ValueError(f"it has {len(names)} class names, but the network {classes} outputs")
    if any(not (0 <= one.true < classes and 0 <= one.predicted < classes) for one in digits):
        raise ValueError(f"it has a class beyond the {classes} of the network")
    if not len(digits) <= total <= test_images:
        raise ValueError(f"it has {len(digits)} digits, {total} misclassified of {test_images}")
    rows = -(-len(digits) // columns)
    expected = (columns * IMAGE_SIZE, rows * IMAGE_SIZE)
    if digits and png_size(sprite) != expected:
        raise ValueError(f"{SPRITE} is not a picture of {expected[0]} x {expected[1]} pixels")
    return Mistakes(test_images, total, digits, names, columns, sprite)


def _mistake(content: Any) -> Mistake:
    found = Mistake(
        int(content["index"]),
        int(content["true"]),
        int(content["predicted"]),
        float(content["true_probability"]),
        float(content["predicted_probability"]),
    )
    if not (0 <= found.true_probability <= found.predicted_probability <= 1):
        raise ValueError(f"the probabilities of image {found.index} are impossible")
    return found


def png_size(content: bytes) -> tuple[int, int] | None:
    """Return the size of a PNG.

    Parameters
    ----------
    content : bytes
        The content of the file.

    Returns
    -------
    size : tuple of int or None
        Width and height in pixels; None if it is no PNG.
    """
    if len(content) < _PNG_HEADER.size:
        return None
    signature, _length, chunk, width, height = _PNG_HEADER.unpack_from(content)
    return (width, height) if (signature, chunk) == (b"\x89PNG\r\n\x1a\n", b"IHDR") else None
