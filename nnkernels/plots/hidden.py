"""The weights of each hidden unit as an image, with the digits whose logits the unit raises or lowers most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nnkernels.errors import DataError
from nnkernels.plots.sheets import LINE, as_square, grid, new_sheet, write
from nnkernels.plots.style import BLUE, INK, MUTED, NOTE_SIZE, TICK_SIZE, VERMILION, WIDTH, text_color
from nnkernels.plots.text import class_labels, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

MAX_UNITS = 128
MAX_DIGITS = 3  # per unit and sign
# A digit is named if its weight is at least this fraction of the unit's largest one.
STRONG = 0.5
# The colour scale covers this quantile of all weights. Otherwise a few outliers would make all others pale.
SCALE_QUANTILE = 0.998


def hidden_units(
    W1: npt.NDArray[Any],
    W2: npt.NDArray[Any] | None = None,
    subtitle: str = "",
    class_names: Sequence[str] | None = None,
) -> Figure:
    """Draw the weights of each hidden unit as an image.

    Ink excites the unit where the image is vermilion, and inhibits it where the image is blue. All units share one
    colour scale, which is symmetric about zero.

    Parameters
    ----------
    W1 : ndarray of float, shape (D, H)
        Weights of the hidden layer. If it has more than 128 units, the strongest 128 are drawn.
    W2 : ndarray of float, shape (H, C), optional
        Weights of the output layer. If given, each unit names the digits whose logits it raises or lowers most,
        relative to the mean over all digits. (Softmax ignores that mean.)
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
        If W2 has a different number of units, or if D is not a square number.
    """
    if W2 is not None and len(W2) != W1.shape[1]:
        raise DataError(f"W1 has {W1.shape[1]} hidden units, W2 {len(W2)}")
    units = _strongest(W1, W2)
    columns = _columns(len(units))
    right = 0.95  # inches for the colour scale
    width = min(2.0, (WIDTH - right - 0.1) / columns)
    two_lines = width >= 1.0  # a narrow unit has one line of text with one digit per sign
    side = 0.86 * width
    text = LINE * NOTE_SIZE
    height = side + (0 if W2 is None else (2 if two_lines else 1) * text) + 0.12
    title = f"What the {W1.shape[1]} hidden units look for" if W1.shape[1] > 1 else "What the hidden unit looks for"
    if len(units) < W1.shape[1]:
        title += f" (the {len(units)} strongest)"
    note = "Ink on vermilion excites a unit; ink on blue inhibits it."
    what = "digit" if class_names is None else "label"
    if W2 is not None:
        note += (
            f" Below: the {what}s it votes for and against."
            if two_lines
            else f" Below: + the {what} it votes for, − against."
        )
    body = -(-len(units) // columns) * height
    figure, axes = new_sheet(title, f"{subtitle}\n{note}".strip(), body + 0.12)
    limit = _limit(W1)
    image = None
    for (left, top), unit in zip(grid(len(units), columns, width, height, WIDTH - right), units, strict=True):
        image = _draw_weights(axes, W1[:, unit], left + (width - side) / 2, top + 0.1, side, limit)
        if W2 is not None:
            names = class_labels(class_names, W2.shape[1])
            _write_digits(axes, W2[unit], left + width / 2, top + 0.12 + side, text, two_lines, names)
    if image is not None:
        scale_height, figure_height = min(body, 4.0), figure.get_figheight()
        left, bottom = (WIDTH - right + 0.12) / WIDTH, (body + 0.02 - scale_height) / figure_height
        scale_axes = figure.add_axes((left, bottom, 0.16 / WIDTH, (scale_height - 0.1) / figure_height))
        _draw_scale(figure, image, scale_axes, bool(np.abs(W1).max() > limit))
    return figure


def raised_and_lowered_digits(weights: npt.NDArray[Any]) -> tuple[list[int], list[int]]:
    """Return the digits whose logits a unit raises most, and those whose logits it lowers most.

    Parameters
    ----------
    weights : ndarray of float, shape (C,)
        The unit's row of W2. Its mean is subtracted, because a constant added to all weights changes no probability.

    Returns
    -------
    raised, lowered : list of int
        At most :data:`MAX_DIGITS` each, the strongest first. Both are empty if all weights are equal, or if one is
        NaN.
    """
    centred = np.asarray(weights, np.float64) - np.mean(weights, dtype=np.float64)
    strong = STRONG * np.abs(centred).max()
    if not strong > 0:  # all equal, or NaN
        return [], []
    order = np.argsort(-centred, kind="stable")
    raised = [int(c) for c in order if centred[c] >= strong][:MAX_DIGITS]
    lowered = [int(c) for c in order[::-1] if -centred[c] >= strong][:MAX_DIGITS]
    return raised, lowered


def _strongest(W1: npt.NDArray[Any], W2: npt.NDArray[Any] | None) -> npt.NDArray[np.intp]:
    strength = np.linalg.norm(W1, axis=0) * (1 if W2 is None else np.linalg.norm(W2, axis=1))
    return np.sort(np.argsort(-strength, kind="stable")[:MAX_UNITS])


def _columns(units: int) -> int:
    return next((columns for count, columns in ((4, 4), (10, 5), (21, 7), (32, 8), (60, 12)) if units <= count), 16)


def _limit(W1: npt.NDArray[Any]) -> float:
    finite = np.abs(W1[np.isfinite(W1)])
    limit = float(np.quantile(finite, SCALE_QUANTILE)) if finite.size else 0.0
    return limit if limit > 0 else 1.0


def _colors() -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("weights", ["#00304d", BLUE, "#f7f7f7", VERMILION, "#5c2800"])


def _draw_weights(axes: Axes, weights: npt.NDArray[Any], x: float, y: float, side: float, limit: float) -> AxesImage:
    return axes.imshow(
        as_square(weights),
        cmap=_colors(),
        vmin=-limit,
        vmax=limit,
        extent=(x, x + side, y + side, y),
        interpolation="nearest",
        aspect="auto",
    )


def _write_digits(
    axes: Axes,
    weights: npt.NDArray[Any],
    middle: float,
    top: float,
    line: float,
    two_lines: bool,
    class_names: list[str],
) -> None:
    raised, lowered = (
        [shortened(class_names[number], NOTE_SIZE, 0.35) for number in numbers]
        for numbers in raised_and_lowered_digits(weights)
    )
    positive, negative = text_color(VERMILION), text_color(BLUE)
    if two_lines:
        write(axes, f"for {_joined(raised)}", middle, top, NOTE_SIZE, positive)
        write(axes, f"against {_joined(lowered)}", middle, top + line, NOTE_SIZE, negative)
        return
    if raised:
        write(axes, f"+{raised[0]}", middle - 0.03, top, NOTE_SIZE, positive, ha="right")
    if lowered:
        write(axes, f"−{lowered[0]}", middle + 0.03, top, NOTE_SIZE, negative, ha="left")


def _joined(names: list[str]) -> str:
    return " ".join(names) or "none"


def _draw_scale(figure: Figure, image: AxesImage, axes: Axes, beyond: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    scale = figure.colorbar(
        image, cax=axes, extend="both" if beyond else "neither", ticks=MaxNLocator(5, symmetric=True)
    )
    scale.outline.set_visible(False)
    axes.set_facecolor("white")
    axes.tick_params(labelsize=TICK_SIZE, labelcolor=INK, color=MUTED)
    axes.set_title("weight", size=TICK_SIZE, color=INK, loc="left")
