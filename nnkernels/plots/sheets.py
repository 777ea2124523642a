"""Sheets: axes in inches, on which digits and short texts are placed in a grid."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nnkernels.errors import DataError
from nnkernels.plots.style import INK, MARGIN, TICK_SIZE, WIDTH, fix_layout, new_figure
from nnkernels.plots.text import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TICK, CROSS = "✓", "✗"  # used in addition to colour
GAP = 0.12  # inches between the parts of a cell
LINE = 1.4 / 72  # line height in inches per point of font size


def new_sheet(title: str, subtitle: str, body: float) -> tuple[Figure, Axes]:
    """Create a figure whose body is a sheet of :data:`WIDTH` x ``body`` inches. x points right, y points down.

    Parameters
    ----------
    title, subtitle : str
        The heading.
    body : float
        The height of the sheet in inches.

    Returns
    -------
    figure : Figure
        The figure, without a layout engine.
    axes : Axes
        The sheet, with coordinates in inches.
    """
    figure, body_fraction = new_figure(title, subtitle, body)
    fix_layout(figure)  # everything on a sheet is placed explicitly
    axes = figure.add_axes((0, 0, 1, body_fraction))
    axes.set(xlim=(0, WIDTH), ylim=(body, 0))
    axes.set_axis_off()
    return figure, axes


def empty_sheet(title: str, subtitle: str, text: str) -> Figure:
    """Create a figure that explains why there is nothing to show.

    Parameters
    ----------
    title, subtitle : str
        The heading.
    text : str
        The explanation.

    Returns
    -------
    figure : Figure
        The figure.
    """
    figure, axes = new_sheet(title, subtitle, 1.6)
    write(axes, text, WIDTH / 2, 0.8, 14, va="center")
    return figure


def grid(
    count: int, columns: int, cell_width: float, cell_height: float, sheet_width: float = WIDTH
) -> Iterator[tuple[float, float]]:
    """Yield the upper left corner of each cell of a grid, row by row. The rows are centred on the sheet.

    Parameters
    ----------
    count : int
        The number of cells.
    columns : int
        The number of columns.
    cell_width, cell_height : float
        The size of a cell in inches.
    sheet_width : float, optional
        The width of the sheet in inches.

    Yields
    ------
    left, top : float
        The corner in inches.
    """
    left = (sheet_width - min(count, columns) * cell_width) / 2
    for index in range(count):
        row, column = divmod(index, columns)
        yield left + column * cell_width, row * cell_height


def columns_for(count: int, cell_width: float) -> int:
    """Return a number of columns that makes the rows nearly equally long.

    Parameters
    ----------
    count : int
        The number of cells, at least 1.
    cell_width : float
        The minimum width of a cell in inches.

    Returns
    -------
    columns : int
        The number of columns.
    """
    max_columns = max(1, math.floor((WIDTH - 2 * MARGIN) / cell_width))
    return math.ceil(count / math.ceil(count / max_columns))


def write(
    axes: Axes, text: str, x: float, y: float, size: float = TICK_SIZE, color: str = INK, **properties: Any
) -> None:
    """Write a line of text on a sheet.

    Parameters
    ----------
    axes : Axes
        The sheet.
    text : str
        The text. Dollar signs are literal.
    x, y : float
        The position in inches. By default, the text is centred below it.
    size : float, optional
        The font size in points.
    color : str, optional
        The colour.
    **properties : dict
        Further properties of :class:`matplotlib.text.Text`, such as ``ha`` and ``va``.
    """
    axes.text(x, y, plain(text), size=size, color=color, **{"ha": "center", "va": "top", **properties})


def draw_digit(axes: Axes, pixels: npt.NDArray[Any], x: float, y: float, side: float, frame: str) -> None:
    """Draw a digit on a sheet, dark on white, with a frame.

    Parameters
    ----------
    axes : Axes
        The sheet.
    pixels : ndarray of uint8 or float, shape (D,)
        Pixels, or features from 0 to 1.
    x, y : float
        The upper left corner in inches.
    side : float
        The side length in inches.
    frame : str
        The colour of the frame.

    Raises
    ------
    DataError
        If D is not a square number.
    """
    draw_image(axes, pixels, x, y, side, frame, "gray_r")


def draw_image(
    axes: Axes, pixels: npt.NDArray[Any], x: float, y: float, side: float, frame: str, colors: str = "gray"
) -> None:
    """Draw an image on a sheet, with a frame.

    Parameters
    ----------
    axes : Axes
        The sheet.
    pixels : ndarray of uint8 or float, shape (D,)
        Pixels, or features from 0 to 1.
    x, y : float
        The upper left corner in inches.
    side : float
        The side length in inches.
    frame : str
        The colour of the frame.
    colors : str, default: "gray"
        Name of matplotlib's colour map: ``gray`` shows 0 as black, ``gray_r`` as white.

    Raises
    ------
    DataError
        If D is not a square number.
    """
    from matplotlib.patches import Rectangle

    axes.imshow(
        as_square(pixels),
        cmap=colors,
        vmin=0,
        vmax=255 if pixels.dtype == np.uint8 else 1,
        extent=(x, x + side, y + side, y),
        interpolation="nearest",
        aspect="auto",
    )
    axes.add_patch(Rectangle((x, y), side, side, fill=False, edgecolor=frame, linewidth=1.2))


def as_square(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Reshape the D pixels of an image to a square.

    Parameters
    ----------
    pixels : ndarray, shape (D,)
        The pixels, row by row.

    Returns
    -------
    image : ndarray, shape (sqrt(D), sqrt(D))
        A view of the pixels.

    Raises
    ------
    DataError
        If D is not a square number.
    """
    side = math.isqrt(pixels.size)
    if side * side != pixels.size:
        raise DataError(f"an image has {pixels.size} pixels; expected a square number, such as 784 = 28 x 28")
    return pixels.reshape(side, side)


def check_lengths(**arrays: npt.NDArray[Any]) -> None:
    """Check that all arrays have the same length.

    Parameters
    ----------
    **arrays : ndarray
        Arrays with one row per image, by their names.

    Raises
    ------
    DataError
        If the lengths differ.
    """
    if len({len(array) for array in arrays.values()}) > 1:
        lengths = ", ".join(f"{name} {len(array)}" for name, array in arrays.items())
        raise DataError(f"the arrays differ in length ({lengths}); each needs one row per image")
