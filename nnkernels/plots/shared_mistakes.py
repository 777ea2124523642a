"""The digits that all of several networks misclassify."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nnkernels.errors import DataError
from nnkernels.plots.sheets import (
    GAP,
    LINE,
    check_lengths,
    columns_for,
    draw_digit,
    empty_sheet,
    grid,
    new_sheet,
    write,
)
from nnkernels.plots.style import GRID, INK, NOTE_SIZE, WIDTH, WRONG, text_color
from nnkernels.plots.text import percent, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE, CELL = 0.62, 1.2  # inches


def shared_mistakes(
    images: npt.NDArray[Any],
    y: npt.NDArray[Any],
    predicted: npt.NDArray[Any],
    label_probability: npt.NDArray[Any],
    total: int,
    subtitle: str = "",
    class_names: Sequence[str] | None = None,
    most: int = 120,
) -> Figure:
    """Draw the digits that all networks misclassify, in the given order.

    Parameters
    ----------
    images : ndarray of uint8 or float, shape (K, D)
        Pixels, or features from 0 to 1. If there are none, the figure says so.
    y : ndarray of integers, shape (K,)
        True classes.
    predicted : ndarray of integers, shape (S, K)
        The predicted classes of the S networks.
    label_probability : ndarray of float, shape (K,)
        Probability of the true class, mean over the networks.
    total : int
        The number of all images.
    subtitle : str, optional
        Networks and data set.
    class_names : sequence of str, optional
        The name of each class. By default its number.
    most : int, default: 120
        The maximum number of digits that are drawn. 48 fill a slide.

    Returns
    -------
    figure : Figure
        The figure.

    Raises
    ------
    DataError
        If the arrays differ in length, or if a network classifies an image correctly.
    """
    check_lengths(images=images, y=y, predicted=np.transpose(predicted), label_probability=label_probability)
    networks, found = predicted.shape
    every = {1: "the network", 2: "both networks"}.get(networks, f"all {networks} networks")
    if found == 0:
        return empty_sheet(f"Digits that {every} misclassified", subtitle, f"None of {total:,} digits.")
    if (predicted == y).any():
        raise DataError("a network classifies one of the shared mistakes correctly")
    shown = min(found, most)
    verb = "misclassifies" if networks == 1 else "misclassify"
    title = f"{found:,} of {total:,} digits that {every} {verb}"
    title += "" if shown == found else f": the first {shown}"
    note = "Below each digit: its label and how it is read, and the probability of the label."
    if networks > 1:
        note = "Below each digit: its label and how it is most often read; by how many networks, and the mean"
        note += " probability of the label."
    columns = columns_for(shown, CELL)
    width, line = (WIDTH - 2 * GAP) / columns if columns > 4 else 2.0, LINE * NOTE_SIZE
    height = SIDE + 2 * line + 0.06 + 1.3 * GAP
    figure, axes = new_sheet(title, f"{subtitle}\n{note}".strip(), -(-shown // columns) * height + 0.05)
    for (left, top), index in zip(grid(shown, columns, width, height), range(shown), strict=True):
        middle, below = left + width / 2, top + GAP + SIDE + 0.05
        draw_digit(axes, images[index], middle - SIDE / 2, top + GAP, SIDE, GRID)
        readings = np.bincount(predicted[:, index])
        reading = int(readings.argmax())
        answer = f"{_name(y[index], class_names)} read as {_name(reading, class_names)}"
        write(axes, answer, middle, below, NOTE_SIZE, text_color(WRONG), weight="bold")
        votes = "all" if readings[reading] == networks else f"{readings[reading]} of {networks}"
        probability = percent(float(label_probability[index]))
        text = f"{votes}: {probability}" if networks > 1 else probability
        write(axes, text, middle, below + line, NOTE_SIZE, INK)
    return figure


def _name(number: int, class_names: Sequence[str] | None) -> str:
    return str(number) if class_names is None else shortened(class_names[number], NOTE_SIZE, 0.4)
