"""A sheet: axes whose unit is the inch, on which digits and short texts are set in a grid."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nnkernels.errors import DataError
from nnkernels.plots.style import INK, MARGIN, TICK_SIZE, WIDTH, fix_layout, new_figure, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TICK, CROSS = "✓", "✗"  # a sign besides the colour
GAP = 0.12  # inches between the parts of a cell
LINE = 1.4 / 72  # height of a line of text in inches, a point of its size


def new_sheet(title: str, subtitle: str, body: float) -> tuple[Figure, Axes]:
    """Start a figure whose body is a sheet of :data:`WIDTH` x ``body`` inches; x goes right, y down."""
    figure, body_fraction = new_figure(title, subtitle, body)
    fix_layout(figure)  # a sheet places all itself
    axes = figure.add_axes((0, 0, 1, body_fraction))
    axes.set(xlim=(0, WIDTH), ylim=(body, 0))
    axes.set_axis_off()
    return figure, axes


def empty_sheet(title: str, subtitle: str, text: str) -> Figure:
    """Return a figure that says why there is nothing to see."""
    figure, axes = new_sheet(title, subtitle, 1.6)
    write(axes, text, WIDTH / 2, 0.8, 14, va="center")
    return figure


def grid(
    count: int, columns: int, cell_width: float, cell_height: float, sheet_width: float = WIDTH
) -> Iterator[tuple[float, float]]:
    """Yield the upper left corner of each of ``count`` cells, row by row, the rows centred on the sheet."""
    left = (sheet_width - min(count, columns) * cell_width) / 2
    for index in range(count):
        row, column = divmod(index, columns)
        yield left + column * cell_width, row * cell_height


def columns_for(count: int, cell_width: float) -> int:
    """Return how many columns of at least ``cell_width`` inches to take: rows of nearly equal length."""
    most = max(1, math.floor((WIDTH - 2 * MARGIN) / cell_width))
    return math.ceil(count / math.ceil(count / most))


def write(
    axes: Axes, text: str, x: float, y: float, size: float = TICK_SIZE, color: str = INK, **properties: Any
) -> None:
    """Write a line of text on a sheet, centred below ``(x, y)`` unless ``ha`` or ``va`` say otherwise."""
    axes.text(x, y, plain(text), size=size, color=color, **{"ha": "center", "va": "top", **properties})


def draw_digit(axes: Axes, pixels: npt.NDArray[Any], x: float, y: float, side: float, frame: str) -> None:
    """Draw a digit dark on white, ``side`` inches wide, with its upper left corner at ``(x, y)``."""
    from matplotlib.patches import Rectangle

    axes.imshow(
        as_square(pixels),
        cmap="gray_r",
        vmin=0,
        vmax=255 if pixels.dtype == np.uint8 else 1,
        extent=(x, x + side, y + side, y),
        interpolation="nearest",
        aspect="auto",
    )
    axes.add_patch(Rectangle((x, y), side, side, fill=False, edgecolor=frame, linewidth=1.2))


def as_square(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a row of D pixels as an image of sqrt(D) x sqrt(D).

    Raises
    ------
    DataError
        If D is no square number.
    """
    side = math.isqrt(pixels.size)
    if side * side != pixels.size:
        raise DataError(f"an image has {pixels.size} pixels, which is no square (784 = 28 x 28)")
    return pixels.reshape(side, side)


def check_lengths(**arrays: npt.NDArray[Any]) -> None:
    """Make sure that all arrays hold one row an image.

    Raises
    ------
    DataError
        If not, with the length of each.
    """
    if len({len(array) for array in arrays.values()}) > 1:
        lengths = ", ".join(f"{name} {len(array)}" for name, array in arrays.items())
        raise DataError(f"the arrays differ in length ({lengths}); each needs one row an image")
