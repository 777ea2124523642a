"""Comparison of contenders, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nnkernels.plots.style import FRAMEWORK, OURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def horizontal_comparison(
    labels: Sequence[str],
    values: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    texts: Sequence[str],
    ours: Sequence[bool],
    axis_label: str,
    logarithmic: bool,
) -> Figure:
    """Draw one row per contender with its value, its interval and a text.

    Values are bars from zero. On a logarithmic axis, which has no zero, they are points.

    Parameters
    ----------
    labels : sequence of str
        The names of the contenders.
    values : sequence of float
        One value per contender.
    intervals : sequence of (float, float)
        Lower and upper end of each interval; NaN means no interval.
    texts : sequence of str
        The text beside each value.
    ours : sequence of bool
        Whether each contender is one of nnkernels' own. The others have the colour of frameworks.
    axis_label : str
        The label of the axis.
    logarithmic : bool
        Whether the axis is logarithmic, for values that differ by orders of magnitude.

    Returns
    -------
    figure : Figure
        The figure.
    """
    import numpy as np
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    figure = Figure(figsize=(7.2, 0.9 + 0.5 * len(labels)), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(labels))
    lengths = np.asarray(values)
    low, high = np.asarray(intervals, float).reshape(-1, 2).T
    errors = np.nan_to_num(np.clip([lengths - low, high - lengths], 0, None))
    colors = [OURS if is_ours else FRAMEWORK for is_ours in ours]
    if logarithmic:
        axes.scatter(lengths, places, color=colors, s=90, zorder=3)
        axes.grid(axis="x", which="major", color="#dddddd")
    else:
        axes.barh(places, lengths, color=colors, height=0.62)
    axes.errorbar(lengths, places, xerr=errors, fmt="none", ecolor="#333333", elinewidth=1, capsize=3)
    ends = np.maximum(lengths, np.nan_to_num(high))
    for place, end, text in zip(places, ends, texts, strict=True):
        axes.annotate(text, (end, place), xytext=(9, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_yticks(places, labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlabel(axis_label)
    if logarithmic:
        axes.set_xscale("log")
        axes.set_xlim(min(lengths) / 2, max(ends) * 4)
        axes.xaxis.set_major_formatter("{x:g}")
    else:
        axes.set_xlim(0, max(ends) * 1.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(
        handles=[Patch(color=OURS, label="from scratch"), Patch(color=FRAMEWORK, label="framework")],
        loc="outside upper right",
        ncols=2,
        frameon=False,
        fontsize=9,
    )
    return figure
