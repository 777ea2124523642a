"""Samples of a data set, one row per class, so that turned, inverted or shifted images are seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nnkernels.plots.sheets import check_lengths, draw_image, empty_sheet, new_sheet, write
from nnkernels.plots.style import GRID, MARGIN, NOTE_SIZE, WIDTH
from nnkernels.plots.text import shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABEL_WIDTH = 1.5  # inches
SIDE = 0.5
STEP = SIDE + 0.03
MAX_CLASSES_IN_ONE_BLOCK = 14


def contact_sheet(
    X: npt.NDArray[Any], y: npt.NDArray[np.integer[Any]], class_names: Sequence[str], title: str, subtitle: str = ""
) -> Figure:
    """Draw the first images of each class as they are stored: 0 is black, 255 is white.

    Parameters
    ----------
    X : ndarray of uint8, shape (N, D)
        Pixels; D is a square number.
    y : ndarray of integers, shape (N,)
        Classes.
    class_names : sequence of str
        The name of each class.
    title, subtitle : str
        The heading.

    Returns
    -------
    figure : Figure
        The figure.

    Raises
    ------
    DataError
        If the arrays differ in length, or if D is not a square number.
    """
    check_lengths(X=X, y=y)
    if not len(X):
        return empty_sheet(title, subtitle, "There are no images to show.")
    blocks = 1 if len(class_names) <= MAX_CLASSES_IN_ONE_BLOCK else 2
    block_width = (WIDTH - 2 * MARGIN) / blocks
    images = int((block_width - LABEL_WIDTH) / STEP)
    rows = -(-len(class_names) // blocks)
    figure, axes = new_sheet(title, subtitle, rows * STEP + MARGIN)
    counts = np.bincount(y, minlength=len(class_names))
    for number, name in enumerate(class_names):
        block, row = divmod(number, rows)
        left, top = MARGIN + block * block_width, row * STEP
        known_as = str(number) if name == str(number) else f"{number} {name}"
        text = shortened(f"{known_as} ({counts[number]:,})", NOTE_SIZE, LABEL_WIDTH - 0.1)
        write(axes, text, left, top + STEP / 2, NOTE_SIZE, ha="left", va="center")
        for place, index in enumerate(np.flatnonzero(y == number)[:images]):
            draw_image(axes, X[index], left + LABEL_WIDTH + place * STEP, top, SIDE, GRID)
    return figure
