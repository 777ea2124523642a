"""Error rates of each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nnkernels.plots.style import INK, MUTED, NOTE_SIZE, TICK_SIZE, VERMILION, new_figure, tidy
from nnkernels.plots.text import class_labels, percent, plain, shortened
from nnkernels.statistics import Estimate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MANY = 15  # classes; the names of more are turned


def class_errors(
    errors: Sequence[Estimate | None],
    overall: Estimate,
    subtitle: str = "",
    class_names: Sequence[str] | None = None,
) -> Figure:
    """Draw the error rate of each class as a bar with its interval, and the overall error rate as a line.

    Parameters
    ----------
    errors : sequence of Estimate or None
        One per class; None for a class without images. An interval of NaN is not drawn.
    overall : Estimate
        The error rate of all images.
    subtitle : str, optional
        Networks and data set.
    class_names : sequence of str, optional
        The name of each class. By default its number.

    Returns
    -------
    figure : Figure
        The figure.
    """
    names = class_labels(class_names, len(errors))
    what = "digit" if class_names is None and len(errors) <= 10 else "class"
    figure, _ = new_figure(f"Error by {what}", subtitle, 4.2)
    axes = figure.subplots()
    tidy(axes, what, "error in percent")
    known = [(place, found) for place, found in enumerate(errors) if found is not None]
    places = np.array([place for place, _ in known])
    values = np.array([100 * found.value for _, found in known])
    ends = np.array([[100 * found.low, 100 * found.high] for _, found in known]).reshape(-1, 2)
    axes.bar(places, values, color=VERMILION, width=0.62)
    margins = np.nan_to_num(np.clip([values - ends[:, 0], ends[:, 1] - values], 0, None))
    axes.errorbar(places, values, margins, fmt="none", ecolor=INK, elinewidth=1.2, capsize=4)
    tops = np.maximum(values, np.nan_to_num(ends[:, 1]))
    if len(errors) <= MANY:
        for place, value, top in zip(places, values, tops, strict=True):
            axes.annotate(
                f"{value:.1f}",
                (float(place), float(top)),
                xytext=(0, 4),
                textcoords="offset points",
                ha="center",
                size=TICK_SIZE,
                color=INK,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},  # over the line of all images
                zorder=4,
            )
    axes.axhline(100 * overall.value, color=MUTED, linestyle=(0, (4, 3)), linewidth=1.4)
    axes.annotate(
        f"all: {percent(overall.value)}",
        (1, 100 * overall.value),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        size=NOTE_SIZE,
        color=MUTED,
        annotation_clip=False,
    )
    labels = [plain(shortened(name, TICK_SIZE, 1.2)) for name in names]
    axes.set_xticks(range(len(errors)), labels, rotation=90 if max(map(len, labels)) > 6 or len(errors) > MANY else 0)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.6, len(errors) - 0.4)
    axes.set_ylim(0, 1.15 * max(float(tops.max(initial=0)), 100 * overall.value) or 1)
    return figure
