"""Misclassified digits: the worst mistakes of one network, and those that only one of two contenders makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nnkernels.errors import DataError
from nnkernels.plots.sheets import (
    CROSS,
    GAP,
    LINE,
    TICK,
    check_lengths,
    columns_for,
    draw_digit,
    empty_sheet,
    grid,
    new_sheet,
    write,
)
from nnkernels.plots.style import GRID, INK, LABEL_SIZE, MARGIN, NOTE_SIZE, WIDTH, WRONG, text_color
from nnkernels.plots.text import percent, shortened, text_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_NAME_WIDTH = 1.6  # inches; longer names of contenders are truncated


def mistakes(
    images: npt.NDArray[Any],
    y: npt.NDArray[Any],
    predicted: npt.NDArray[Any],
    confidence: npt.NDArray[Any],
    true_confidence: npt.NDArray[Any],
    total_wrong: int,
    total: int,
    subtitle: str = "",
    class_names: Sequence[str] | None = None,
) -> Figure:
    """Draw misclassified digits, those with the most confident wrong prediction first.

    Parameters
    ----------
    images : ndarray of uint8 or float, shape (K, D)
        Pixels, or features from 0 to 1. 28 fill a slide. If there are none, the figure says so.
    y, predicted : ndarray of integers, shape (K,)
        True and predicted classes.
    confidence, true_confidence : ndarray of float, shape (K,)
        Probabilities of the predicted and of the true class.
    total_wrong, total : int
        Number of misclassified images, and of all images.
    subtitle : str, optional
        Data set and recipe.
    class_names : sequence of str, optional
        The name of each class. By default its number.

    Returns
    -------
    figure : Figure
        The figure.

    Raises
    ------
    DataError
        If the arrays differ in length, or if an image is classified correctly.
    """
    check_lengths(images=images, y=y, predicted=predicted, confidence=confidence, true_confidence=true_confidence)
    if len(images) == 0:
        return empty_sheet("Misclassified digits", subtitle, f"None: all {total:,} digits are recognised.")
    if (np.asarray(y) == predicted).any():
        raise DataError("the mistakes contain a correctly classified image")
    # NaN sorts last: without a probability, the mistake cannot be ranked.
    worst_first = np.argsort(-np.asarray(confidence, np.float64), kind="stable")
    shown = len(images)
    title = f"{total_wrong:,} of {total:,} digits misclassified ({percent(total_wrong / total)})"
    if total_wrong > 1:
        title += ": all of them, worst first" if shown == total_wrong else f": the worst {shown}, worst first"
    note = "Below each digit: predicted probability of the wrong answer / of the true digit."
    columns = columns_for(shown, 1.38)
    width = min(2.2, (WIDTH - 2 * GAP) / columns)
    side = 0.747 if shown > 14 else 1.12
    line = LINE * NOTE_SIZE
    height = side + 2 * line + 0.06 + 1.3 * GAP
    figure, axes = new_sheet(title, f"{subtitle}\n{note}".strip(), -(-shown // columns) * height + 0.05)
    for (left, top), index in zip(grid(shown, columns, width, height), worst_first, strict=True):
        middle, below = left + width / 2, top + GAP + side + 0.05
        draw_digit(axes, images[index], middle - side / 2, top + GAP, side, GRID)
        answer = f"{_name(y[index], class_names)} read as {_name(predicted[index], class_names)}"
        write(axes, answer, middle, below, NOTE_SIZE, text_color(WRONG), weight="bold")
        sure = f"{percent(confidence[index]).removesuffix(' %')} / {percent(true_confidence[index])}"
        write(axes, sure, middle, below + line, NOTE_SIZE)
    return figure


def disagreements(
    images: npt.NDArray[Any],
    y: npt.NDArray[Any],
    predicted: Mapping[str, npt.NDArray[Any]],
    counts: str = "",
    subtitle: str = "",
    most: int = 12,
    class_names: Sequence[str] | None = None,
) -> Figure:
    """Draw the digits that only one of two contenders misclassifies, with both predictions, one block per contender.

    Parameters
    ----------
    images : ndarray of uint8 or float, shape (K, D)
        Pixels, or features from 0 to 1. Images that both or neither classify correctly are not drawn.
    y : ndarray of integers, shape (K,)
        True classes.
    predicted : mapping of str to ndarray of integers, shape (K,)
        The predicted classes of the two contenders, by name.
    counts : str, optional
        A text with the numbers of disagreements. By default, they are counted from the arrays.
    subtitle : str, optional
        Data set and recipe.
    most : int, default: 12
        The maximum number of digits per contender.
    class_names : sequence of str, optional
        The name of each class. By default its number.

    Returns
    -------
    figure : Figure
        The figure.

    Raises
    ------
    DataError
        If the number of contenders is not two, or if the arrays differ in length.
    """
    if len(predicted) != 2:
        raise DataError(f"expected the predictions of two contenders, but {len(predicted)} are given")
    check_lengths(images=images, y=y, **predicted)
    names = list(predicted)
    wrong = [np.asarray(predicted[name]) != y for name in names]
    only_wrong = [np.flatnonzero(wrong[0] & ~wrong[1]), np.flatnonzero(wrong[1] & ~wrong[0])]
    title = "Digits that only one of the two gets wrong"
    if not counts:
        parts = [f"only {name} errs on {len(found):,}" for name, found in zip(names, only_wrong, strict=True)]
        counts = f"Of {len(y):,} digits, {', '.join(parts)}; both err on {np.count_nonzero(wrong[0] & wrong[1]):,}."
    subtitle = f"{subtitle}\n{counts}".strip()
    if not len(only_wrong[0]) + len(only_wrong[1]):
        return empty_sheet(title, subtitle, "None: both misclassify the same digits.")
    width, line, heading = _width_of_answers(names), LINE * NOTE_SIZE, LINE * LABEL_SIZE + GAP / 2
    columns = columns_for(max(min(most, len(found)) for found in only_wrong), width)
    width = min(max(2.2, width), (WIDTH - 2 * GAP) / columns)
    side = 0.747
    height = side + 2 * line + 1.3 * GAP
    blocks = [(name, found[:most]) for name, found in zip(names, only_wrong, strict=True) if len(found)]
    rows = sum(-(-len(found) // columns) for _, found in blocks)
    figure, axes = new_sheet(title, subtitle, rows * height + len(blocks) * heading + 0.05)
    start = 0.0
    for name, found in blocks:
        label = f"Only {shortened(name, LABEL_SIZE, 4)} errs" + (f", the first {most}" if len(found) == most else "")
        write(axes, label, MARGIN, start + GAP, LABEL_SIZE, weight="bold", ha="left")
        start += heading
        for (left, top), index in zip(grid(len(found), columns, width, height), found, strict=True):
            middle, below = left + width / 2, start + top + GAP + side + 0.05
            draw_digit(axes, images[index], middle - side / 2, start + top + GAP, side, GRID)
            for place, other in enumerate(names):
                answer, right = predicted[other][index], predicted[other][index] == y[index]
                contender = shortened(other, NOTE_SIZE, _MAX_NAME_WIDTH)
                text = f"{TICK if right else CROSS} {contender}: {_name(answer, class_names)}"
                color = INK if right else text_color(WRONG)
                write(axes, text, middle, below + place * line, NOTE_SIZE, color)
        start += -(-len(found) // columns) * height
    return figure


def _name(number: int, class_names: Sequence[str] | None) -> str:
    return str(number) if class_names is None else shortened(class_names[number], NOTE_SIZE, 0.4)


def _width_of_answers(names: list[str]) -> float:
    texts = [f"{CROSS} {shortened(name, NOTE_SIZE, _MAX_NAME_WIDTH)}: 0" for name in names]
    return max(1.38, *(text_width(text, NOTE_SIZE) + 2 * GAP for text in texts))
