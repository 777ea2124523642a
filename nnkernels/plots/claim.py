"""Test accuracy by width, recipe and contender, in one figure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nnkernels.errors import DataError
from nnkernels.plots.style import FRAMEWORK, GRID, MUTED, NOTE_SIZE, OURS, TICK_SIZE, new_figure, text_color, tidy
from nnkernels.plots.text import percent, plain

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("hidden", "recipe", "contender", "accuracy", "ci_low", "ci_high")
_STYLES = ((OURS, "o"), (FRAMEWORK, "s"))


def claim_table_figure(cells: pd.DataFrame, subtitle: str = "", claims: Mapping[str, float] | None = None) -> Figure:
    """Draw the test accuracy of two contenders for each hidden width and each recipe.

    Each combination of width and recipe is a group of rows, with one row per contender. A row shows a point, its
    interval and the numbers.

    Parameters
    ----------
    cells : DataFrame
        One row per combination and contender, with the columns ``hidden``, ``recipe``, ``contender``, ``accuracy``,
        ``ci_low`` and ``ci_high``. Accuracies are fractions; NaN means no interval. Combinations and contenders are
        drawn in the order of their first occurrence.
    subtitle : str, optional
        Data set, number of seeds and kind of interval, or the conclusion.
    claims : mapping of str to float, optional
        Accuracies that others have reported, as fractions, with their labels. They are drawn as vertical lines.

    Returns
    -------
    figure : Figure
        The figure.

    Raises
    ------
    DataError
        If the table is empty, lacks a column, has duplicate cells, or has more than two contenders.
    """
    _check(cells)
    contenders = list(dict.fromkeys(map(str, cells["contender"])))
    groups = list(dict.fromkeys(zip(cells["hidden"], cells["recipe"], strict=True)))
    claims = dict(claims or {})
    figure, _ = new_figure("Width, recipe, framework: what makes the difference?", subtitle, 1.5 + 0.95 * len(groups))
    axes = figure.subplots()
    tidy(axes, "test accuracy in percent", grid="x")
    for row in cells.to_dict("records"):
        index = contenders.index(str(row["contender"]))
        place = groups.index((row["hidden"], row["recipe"])) + (index - (len(contenders) - 1) / 2) * 0.4
        _draw_cell(axes, row, place, *_STYLES[index])
    axes.set_yticks(range(len(groups)), [f"{hidden} hidden units\n{plain(str(recipe))}" for hidden, recipe in groups])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(groups) - 0.5, -0.5)
    for place in range(1, len(groups)):
        axes.axhline(place - 0.5, color=GRID, linewidth=0.8)
    _limit(axes, cells, claims)
    for level, (name, accuracy) in enumerate(claims.items()):
        _draw_claim(axes, f"{name}: {percent(accuracy)}", 100 * accuracy, level)
    return figure


def _draw_cell(axes: Axes, row: dict[Hashable, Any], place: float, color: str, marker: str) -> None:
    accuracy, low, high = (100 * float(row[column]) for column in ("accuracy", "ci_low", "ci_high"))
    text = f"{row['contender']}  {percent(accuracy / 100)}"
    if np.isfinite([low, high]).all():
        axes.plot([low, high], [place, place], color=color, linewidth=2.4, solid_capstyle="butt")
        axes.plot([low, high], [place, place], color=color, linestyle="none", marker="|", markersize=14, mew=2)
        text += f" [{low:.1f}, {high:.1f}]"
    axes.plot([accuracy], [place], color=color, marker=marker, markersize=7.5, mew=0, label=row["contender"])
    axes.text(
        1.015,
        place,
        plain(text),
        transform=axes.get_yaxis_transform(),
        va="center",
        size=TICK_SIZE,
        color=text_color(color),
        weight="bold",
    )


def _limit(axes: Axes, cells: pd.DataFrame, claims: Mapping[str, float]) -> None:
    ours = cells[["accuracy", "ci_low", "ci_high"]].to_numpy(np.float64).ravel()
    values = 100 * np.concatenate([ours, np.array([*claims.values()], np.float64)])
    values = values[np.isfinite(values)]
    low, high = (values.min(), values.max()) if len(values) else (0.0, 100.0)
    margin = max(0.06 * (high - low), 0.5)
    axes.set_xlim(max(0.0, low - margin), min(100.0, high + margin))


def _draw_claim(axes: Axes, text: str, accuracy: float, level: int) -> None:
    low, high = axes.get_xlim()
    left = accuracy < (low + high) / 2
    axes.axvline(accuracy, color=MUTED, linewidth=1.3, linestyle=(0, (2, 2)), zorder=1)
    axes.annotate(
        plain(text),
        (accuracy, 1),
        xycoords=axes.get_xaxis_transform(),
        xytext=(0, 5 + 1.4 * NOTE_SIZE * level),
        textcoords="offset points",
        ha="left" if left else "right",
        size=NOTE_SIZE,
        color=MUTED,
        annotation_clip=False,
    )


def _check(cells: pd.DataFrame) -> None:
    missing = [column for column in COLUMNS if column not in cells]
    if missing:
        raise DataError(f"the table of cells has no column {', '.join(missing)}")
    if len(cells) == 0:
        raise DataError("the table of cells is empty")
    if cells.duplicated(["hidden", "recipe", "contender"]).any():
        raise DataError("the table contains a cell twice; expected one row per hidden, recipe and contender")
    if cells["contender"].nunique() > len(_STYLES):
        raise DataError(f"expected at most {len(_STYLES)} contenders; the table has {cells['contender'].nunique()}")
