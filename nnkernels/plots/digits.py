"""Digits with the predicted probabilities: samples of a data set, or a picture of one digit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nnkernels.plots.sheets import (
    CROSS,
    GAP,
    LINE,
    TICK,
    as_square,
    check_lengths,
    columns_for,
    draw_digit,
    empty_sheet,
    grid,
    new_sheet,
    write,
)
from nnkernels.plots.style import (
    INK,
    LABEL_SIZE,
    NOTE_SIZE,
    RIGHT,
    TICK_SIZE,
    WIDTH,
    WRONG,
    new_figure,
    text_color,
    tidy,
)
from nnkernels.plots.text import class_labels, percent, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours of the bars of other classes and of the full length (100 %) behind each bar. Both are lighter than the
# predicted class even when printed in grey.
OTHERS, WHOLE = "#9a9a9a", "#f0f0f0"
MAX_BAR_NAMES = 14  # classes whose names fit below the bars
MAX_NAME = 0.7  # inches; longer names of classes are truncated


def sample_predictions(
    images: npt.NDArray[Any],
    probs: npt.NDArray[Any],
    y: npt.NDArray[Any],
    subtitle: str = "",
    class_names: Sequence[str] | None = None,
) -> Figure:
    """Draw digits, each with the probabilities of all classes as bars.

    The number of the true class has a box, and the bar of the predicted class is coloured. Wrong predictions are
    vermilion and have a cross.

    Parameters
    ----------
    images : ndarray of uint8 or float, shape (K, D)
        Pixels, or features from 0 to 1. 6 or 12 of them look best.
    probs : ndarray of float, shape (K, C)
        Probabilities. A row with NaN, from a diverged network, is shown as no answer.
    y : ndarray of integers, shape (K,)
        True classes.
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
        If the arrays differ in length.
    """
    check_lengths(images=images, probs=probs, y=y)
    title = "Sample predictions"
    if len(images) == 0:
        return empty_sheet(title, subtitle, "There are no digits to show.")
    names = class_labels(class_names, probs.shape[1])
    bar_names = names if len(names) <= MAX_BAR_NAMES and max(map(len, names)) == 1 else None
    width = min(2.2, max(1.55, 0.138 * len(names) + 2 * GAP))
    columns = columns_for(len(images), width)
    width = min(2.2, (WIDTH - 2 * GAP) / columns)
    side, bars = 0.93, 0.62
    text = 2 * LINE * TICK_SIZE
    height = text + side + bars + LINE * NOTE_SIZE + 3 * GAP
    rows = -(-len(images) // columns)
    what = "digit" if class_names is None and len(names) <= 10 else "class"
    mark = "has a box around it" if bar_names else "has a triangle below it"
    note = f"Bars: predicted probability of each {what}. The true {what} {mark}."
    figure, axes = new_sheet(title, f"{subtitle}\n{note}".strip(), rows * height)
    for (left, top), image, row, label in zip(
        grid(len(images), columns, width, height), images, np.asarray(probs, np.float64), y, strict=True
    ):
        middle, top = left + width / 2, top + GAP
        answered = bool(np.isfinite(row).all())
        predicted = int(row.argmax()) if answered else -1
        color = RIGHT if predicted == label else WRONG
        said = shortened(names[predicted], TICK_SIZE, MAX_NAME)
        answer = f"says {said}: {percent(row[predicted])}" if answered else "no answer (NaN)"
        write(axes, answer, middle, top, TICK_SIZE, text_color(color), weight="bold")
        verdict = f"{TICK if predicted == label else CROSS} true {shortened(names[label], TICK_SIZE, MAX_NAME)}"
        write(axes, verdict, middle, top + text / 2, TICK_SIZE, INK if predicted == label else text_color(WRONG))
        draw_digit(axes, image, middle - side / 2, top + text, side, color)
        base = top + text + side + GAP / 2 + bars
        _probability_bars(axes, row, predicted, int(label), middle, base, width - 2 * GAP, bars, color, bar_names)
    return figure


def _probability_bars(
    axes: Axes,
    probs: npt.NDArray[np.float64],
    predicted: int,
    label: int,
    middle: float,
    base: float,
    width: float,
    height: float,
    color: str,
    names: list[str] | None,
) -> None:
    step = width / len(probs)
    places = middle + (np.arange(len(probs)) - (len(probs) - 1) / 2) * step
    colors = [color if digit == predicted else OTHERS for digit in range(len(probs))]
    axes.bar(places, -height, 0.8 * step, base, color=WHOLE)
    axes.bar(places, -height * np.nan_to_num(probs), 0.8 * step, base, color=colors)
    if names is None:  # too many to write each name: a mark below the true class
        write(axes, "▲", float(places[label]), base + 0.04, NOTE_SIZE)
        return
    for digit, x in enumerate(places):
        box = {"boxstyle": "square,pad=0.15", "facecolor": "none", "edgecolor": INK, "linewidth": 1.1}
        write(axes, names[digit], x, base + 0.04, NOTE_SIZE, bbox=box if digit == label else None)


def digit_reading(
    original: npt.NDArray[Any],
    seen: npt.NDArray[Any],
    probs: npt.NDArray[Any],
    title: str = "A digit and its predicted probabilities",
    subtitle: str = "",
) -> Figure:
    """Draw a picture of a digit, the pixels that the network sees, and the probabilities of all classes.

    Parameters
    ----------
    original : ndarray of uint8 or float, shape (height, width) or (height, width, 3 or 4)
        The picture; floats are from 0 to 1.
    seen : ndarray of uint8 or float, shape (D,)
        Pixels, or features from 0 to 1, after conversion to the form of the training images.
    probs : ndarray of float, shape (C,)
        Probabilities.
    title, subtitle : str, optional
        For example the name of the file, and the network.

    Returns
    -------
    figure : Figure
        The figure.

    Raises
    ------
    DataError
        If D is not a square number.
    """
    probs = np.asarray(probs, np.float64)
    predicted = int(probs.argmax()) if np.isfinite(probs).all() else -1
    answer = f"predicted {predicted}: {percent(probs[predicted])}" if predicted >= 0 else "no answer (NaN)"
    figure, _ = new_figure(title, subtitle, 4.2)
    photo, pixels, bars = figure.subplots(1, 3, width_ratios=(1, 1, 1.25))
    photo.imshow(original, cmap="gray", vmin=0, vmax=255 if original.dtype == np.uint8 else 1)
    square = as_square(seen)
    pixels.imshow(square, cmap="gray", vmin=0, vmax=255 if seen.dtype == np.uint8 else 1, interpolation="nearest")
    pixels.set_xlabel(f"{len(square)} x {len(square)} pixels", size=LABEL_SIZE, color=INK)
    names = ("the picture", "what the network sees", answer)
    for axes, name in zip((photo, pixels, bars), names, strict=True):
        axes.set_title(name, size=LABEL_SIZE, color=INK, weight="bold" if axes is bars else "normal")
    for axes in (photo, pixels):
        axes.set(xticks=[], yticks=[], anchor="N", facecolor="white")
    tidy(bars, "probability in percent", grid=None)
    places = np.arange(len(probs))
    bars.barh(places, np.full(len(probs), 100.0), color=WHOLE, height=0.72)
    colors = [RIGHT if digit == predicted else OTHERS for digit in places]
    bars.barh(places, 100 * np.nan_to_num(probs), color=colors, height=0.72)
    for place, probability in zip(places, probs, strict=True):
        weight = "bold" if place == predicted else "normal"
        bars.annotate(
            percent(probability),
            (100, float(place)),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            size=TICK_SIZE,
            color=INK,
            weight=weight,
        )
    bars.set_yticks(places, [str(place) for place in places])
    bars.set(ylim=(len(probs) - 0.4, -0.6), xlim=(0, 100))
    bars.tick_params(axis="y", length=0)
    bars.spines["left"].set_visible(False)
    return figure
