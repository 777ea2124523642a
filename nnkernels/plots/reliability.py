"""Reliability diagrams: the accuracy of answers against their confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nnkernels.errors import DataError
from nnkernels.plots.style import BLUE, INK, LABEL_SIZE, MUTED, NOTE_SIZE, ORANGE, new_figure, text_color, tidy
from nnkernels.plots.text import percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("above", "up_to", "count", "confidence", "accuracy", "low", "high")
BODY, LEGEND = 6.0, 0.4  # inches


def reliability_diagram(bins: pd.DataFrame, subtitle: str = "") -> Figure:
    """Draw the accuracy in each bin of confidence, and below it the number of answers.

    The gap between the accuracy and the diagonal, on which a calibrated network lies, is shaded.

    Parameters
    ----------
    bins : DataFrame
        One row per bin, as ``Reliability.to_frame`` of :mod:`nnkernels.accuracy.calibration` returns it. Bins without
        answers are not drawn.
    subtitle : str, optional
        Networks, data set and calibration error.

    Returns
    -------
    figure : Figure
        The figure.

    Raises
    ------
    DataError
        If a column is missing, or if no bin has an answer.
    """
    missing = [name for name in COLUMNS if name not in bins]
    if missing:
        raise DataError(f"the bins have no column {', '.join(missing)}; they have {', '.join(map(str, bins))}")
    drawn = bins[bins["count"] > 0]
    if drawn.empty:
        raise DataError("the bins have no answers, so there is nothing to draw")
    figure, body = new_figure("Reliability: the share of right answers by confidence", subtitle, BODY, strip=LEGEND)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3.4, 1))
    _draw_accuracy(upper, drawn)
    _draw_counts(lower, drawn)
    upper.tick_params(labelbottom=False)
    lower.set_xlim(0, 100)
    figure.legend(
        *upper.get_legend_handles_labels(),
        loc="upper left",
        bbox_to_anchor=(0.03, body),
        ncols=3,
        fontsize=LABEL_SIZE,
        frameon=False,
        labelcolor=INK,
    )
    return figure


def _draw_accuracy(axes: Axes, drawn: pd.DataFrame) -> None:
    tidy(axes, y_label="right answers in percent", grid="both")
    axes.set_ylim(0, 100)
    left, right, confidence, accuracy, low, high = (
        100 * drawn[name].to_numpy(np.float64) for name in ("above", "up_to", "confidence", "accuracy", "low", "high")
    )
    axes.bar(left, accuracy, right - left, align="edge", color=BLUE, alpha=0.25, edgecolor="white", zorder=2)
    axes.bar(
        left,
        confidence - accuracy,
        right - left,
        bottom=accuracy,
        align="edge",
        facecolor="none",
        edgecolor=ORANGE,
        hatch="////",
        linewidth=0.8,
        zorder=2,
        label="gap to the mean confidence",
    )
    axes.plot([0, 100], [0, 100], color=MUTED, linestyle=(0, (4, 3)), linewidth=1.4, zorder=3, label="calibrated")
    axes.errorbar(
        confidence,
        accuracy,
        np.clip([accuracy - low, high - accuracy], 0, None),
        fmt="o",
        color=BLUE,
        ecolor=INK,
        elinewidth=1.2,
        capsize=3,
        markersize=6,
        zorder=4,
        clip_on=False,
        label="right answers, 95 % interval",
    )


def _draw_counts(axes: Axes, drawn: pd.DataFrame) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    tidy(axes, "confidence: probability of the answer, in percent", "answers")
    left, right, counts = (drawn[name].to_numpy(np.float64) for name in ("above", "up_to", "count"))
    axes.bar(100 * left, counts, 100 * (right - left), align="edge", color=BLUE, alpha=0.55, edgecolor="white")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(numticks=4))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(0.7, counts.max() * 8)
    largest = int(counts.argmax())
    outer = left[largest] > 0.5
    axes.annotate(
        f"{percent(counts[largest] / counts.sum())} of all",
        (100 * (right[largest] if outer else left[largest]), counts[largest]),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right" if outer else "left",
        size=NOTE_SIZE,
        color=text_color(BLUE),
    )
