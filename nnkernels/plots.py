"""matplotlib figures; each function draws one and returns it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind people tell apart too.
OURS, FRAMEWORK, ACCENT = "#0072B2", "#E69F00", "#D55E00"


def horizontal_bars(
    labels: Sequence[str],
    values: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    texts: Sequence[str],
    ours: Sequence[bool],
    axis_label: str,
    logarithmic: bool,
) -> Figure:
    """Draw a bar a contender with its interval, the number written at its end.

    Parameters
    ----------
    intervals : sequence of (low, high)
        NaN where there is none.
    texts : sequence of str
        What is written at each bar's end.
    ours : sequence of bool
        Whether a bar is one of our contenders; the others are drawn in the frameworks' colour.
    logarithmic : bool
        For values that differ by orders of magnitude.
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
    axes.barh(places, lengths, color=[OURS if is_ours else FRAMEWORK for is_ours in ours], height=0.62)
    axes.errorbar(lengths, places, xerr=errors, fmt="none", ecolor="#333333", elinewidth=1, capsize=3)
    ends = np.maximum(lengths, np.nan_to_num(high))
    for place, end, text in zip(places, ends, texts, strict=True):
        axes.annotate(text, (end, place), xytext=(6, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_yticks(places, labels)
    axes.invert_yaxis()
    axes.set_xlabel(axis_label)
    if logarithmic:
        axes.set_xscale("log")
        axes.set_xlim(min(lengths) / 3, max(ends) * 8)
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
