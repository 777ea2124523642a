"""Sweeps: accuracy against the width of the hidden layer, and learning curves, as means over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nnkernels.errors import DataError
from nnkernels.plots import lines
from nnkernels.plots.style import BODY, INK, LABEL_SIZE, LINES, MUTED, NOTE_SIZE, TICK_SIZE, line_look, new_figure, tidy
from nnkernels.plots.text import percent, plain, text_width, wrapped
from nnkernels.statistics import student_margin
from nnkernels.sweep.ranking import combinations, labels, ranking
from nnkernels.sweep.results import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_LINES = len(LINES)  # combinations in a figure; of more, the best are drawn
WIDTH_OF_LABELS = 2.2  # inches
_JUDGED: dict[str, Any] = {"linestyle": "solid", "linewidth": 2.2}
_TRAINED: dict[str, Any] = {"linestyle": (0, (1, 1.5)), "linewidth": 1.6, "markerfacecolor": "white"}

Group = Sequence[Row]
Floats = npt.NDArray[np.float64]


def accuracy_by_width(rows: Iterable[Row], subtitle: str = "", references: Mapping[str, float] | None = None) -> Figure:
    """Draw accuracy against the width of the hidden layer: means over seeds with their 95 % intervals.

    Each combination of recipe, contender and learning rate has a solid line for the images that judge, and a dotted one
    for the training images. Points at the same width are moved apart, so that equal ones remain visible.

    Parameters
    ----------
    rows : iterable of dict
        Results of a sweep, all judged by the same kind of images. Of more than eight combinations, the eight with the
        lowest mean error rates at any width are drawn.
    subtitle : str, optional
        By default, the data set, what all results have in common, the number of seeds and the kind of interval.
    references : mapping of str to float, optional
        Accuracies to compare with, as fractions, with their labels. They are drawn as horizontal lines.

    Returns
    -------
    figure : Figure
        The figure.

    Raises
    ------
    DataError
        If there is no result, or if some results are judged by validation images and some by test images.
    """
    groups, note = _drawn(rows, except_for=("hidden",))
    alone, judge = len(groups) == 1, groups[0][0]["judge"]
    strip = 0 if alone else 0.3
    figure, top = new_figure(
        "Accuracy by width of the hidden layer", (subtitle or _subtitle(groups)) + note, BODY + strip, strip=strip
    )
    axes = figure.subplots()
    tidy(axes, "hidden units, logarithmic", "accuracy in percent")
    apart = min(0.04, 0.16 / len(groups))
    ends, widths = [], set()
    for index, (group, name) in enumerate(zip(groups, labels(groups, except_for=("hidden",)), strict=True)):
        color, _, marker = line_look(index)
        places = sorted({_width(row) for row in group})
        widths.update(places)
        moved = np.array(places) * np.exp(apart * (index - (len(groups) - 1) / 2))
        for part, column, look in ((judge, "error_rate", _JUDGED), ("training", "train_error_rate", _TRAINED)):
            means, margins = _accuracy([[row[column] for row in group if _width(row) == place] for place in places])
            line, *_ = axes.errorbar(
                moved, means, margins, color=color, marker=marker, markersize=6.5, elinewidth=1.4, capsize=3, **look
            )
            line.set(label=f"{name}, {part}", clip_on=False)
            if part == judge or len(groups) <= MAX_LINES // 2:
                ends.append((float(means[-1]), _end(part if alone else name, means[-1]), color))
    axes.set_xscale("log")
    _set_ticks(axes, sorted(widths))
    _draw_references(axes, references or {})
    lines.limit_accuracy(axes)
    lines.label_ends(axes, axes.get_xlim()[1], ends)
    if not alone:
        _explain_lines(figure, top, judge)
    return figure


def sweep_curves(rows: Iterable[Row], subtitle: str = "") -> Figure:
    """Draw the learning curves of a sweep: means over seeds, with bands for their 95 % intervals.

    The left side shows the accuracy on training images, and the right side that on the images that judge.

    Parameters
    ----------
    rows : iterable of dict
        Results of a sweep, all judged by the same kind of images. Of more than eight combinations, the eight with the
        lowest mean error rates are drawn. If trainings stopped early, the curve of their combination ends with the
        first of them.
    subtitle : str, optional
        By default, the data set, what all results have in common, the number of seeds and the kind of interval.

    Returns
    -------
    figure : Figure
        The figure.

    Raises
    ------
    DataError
        If there is no result, or if some results are judged by validation images and some by test images.
    """
    groups, note = _drawn(rows)
    columns = {"train_error_rate": "training", "error_rate": groups[0][0]["judge"]}
    figure, _ = new_figure("Learning curves", (subtitle or _subtitle(groups)) + note)
    panels = figure.subplots(1, 2, sharey=True)
    alpha = 0.2 if len(groups) <= MAX_LINES // 2 else 0.1
    every, ends = [], []
    for index, (group, name) in enumerate(zip(groups, labels(groups), strict=True)):
        color, dashes, marker = line_look(index)
        epochs = min((row["curve"]["epoch"] for row in group), key=len)
        for axes, column in zip(panels, columns, strict=True):
            curves = [row["curve"][column][: len(epochs)] for row in group]
            means, margins = _accuracy(list(zip(*curves, strict=True)))
            look = lines.marked(means, marker)
            axes.plot(epochs, means, color=color, linestyle=dashes, linewidth=2, label=name, clip_on=False, **look)
            axes.fill_between(epochs, means - margins, means + margins, color=color, alpha=alpha, linewidth=0)
        every.extend(epochs)
        ends.append((float(means[-1]), _end(name, means[-1]), color))
    for axes, part in zip(panels, columns.values(), strict=True):
        tidy(axes, "epochs", f"{part} accuracy in percent")
        lines.limit_epochs(axes, np.array(every, np.float64))
    lines.limit_accuracy(*panels)
    lines.label_ends(panels[1], panels[1].get_xlim()[1], ends)
    return figure


def _drawn(rows: Iterable[Row], except_for: Sequence[str] = ()) -> tuple[list[list[Row]], str]:
    """Return the combinations to draw, by name, width and rate, and a note if they are not all."""
    groups = combinations(rows, except_for)
    if not groups:
        raise DataError("the sweep has no results, so there is nothing to draw")
    if len(judges := {row["judge"] for group in groups for row in group}) > 1:
        raise DataError(f"the results are judged by {' and '.join(sorted(judges))} images; draw one kind at a time")
    best = sorted(groups, key=lambda group: min(rank.error_rate.value for rank in ranking(group)))[:MAX_LINES]
    note = "" if len(best) == len(groups) else f"; the best {len(best)} of {len(groups)} combinations"
    return sorted(best, key=_place), note


def _place(group: Group) -> tuple[Any, ...]:
    recipe = group[0]["recipe"]
    return recipe["name"], group[0]["contender"], recipe["hidden"], recipe["learning_rate"]


def _subtitle(groups: Iterable[Group]) -> str:
    rows = [row for group in groups for row in group]
    common = [
        names.pop()
        for names in (
            {row["data"]["name"] for row in rows},
            {row["recipe"]["name"] for row in rows},
            {row["contender"] for row in rows},
        )
        if len(names) == 1
    ]
    seeds = sorted({len(group) for group in combinations(rows)})
    number = " to ".join(str(seed) for seed in dict.fromkeys((seeds[0], seeds[-1])))
    means = "one seed" if seeds == [1] else f"means of {number} seeds with 95 % intervals"
    return "; ".join(filter(None, (", ".join(common), means)))


def _accuracy(error_rates: Sequence[Sequence[float]]) -> tuple[Floats, Floats]:
    """Return the mean accuracy of each sample and half the width of its interval, in percent."""
    samples = [np.asarray(sample, np.float64) for sample in error_rates]
    return (
        np.array([100 - 100 * sample.mean() for sample in samples]),
        np.array([100 * student_margin(sample) for sample in samples]),
    )


def _width(row: Row) -> int:
    return int(row["recipe"]["hidden"])


def _end(name: str, accuracy: float) -> str:
    """Return the label of a line: its name and its last value, on at most two lines."""
    value, shown = percent(accuracy / 100), name
    unbroken = value.replace(" ", "_")
    while True:
        broken = wrapped(f"{shown}: {unbroken}", LABEL_SIZE, WIDTH_OF_LABELS, bold=True)
        fits = all(text_width(line, LABEL_SIZE, bold=True) <= WIDTH_OF_LABELS for line in broken)
        if not name or (len(broken) <= 2 and fits):
            return "\n".join(broken).replace(unbroken, value)
        name = name[:-1]
        shown = f"{name}…"


def _set_ticks(axes: Axes, widths: Sequence[int]) -> None:
    """Put a tick at each width, and a number where there is room for it."""
    from matplotlib.ticker import FixedLocator, NullFormatter

    low, high = widths[0] / 1.2, widths[-1] * 1.2
    numbered = [widths[0]]
    for width in widths[1:]:
        if np.log(width / numbered[-1]) > 0.05 * np.log(high / low):
            numbered.append(width)
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(FixedLocator(numbered))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(FixedLocator(widths))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _draw_references(axes: Axes, references: Mapping[str, float]) -> None:
    for name, accuracy in references.items():
        axes.axhline(100 * accuracy, color=MUTED, linewidth=1.3, linestyle=(0, (2, 2)), zorder=1)
        axes.annotate(
            plain(f"{name}: {percent(accuracy)}"),
            (1, 100 * accuracy),
            xycoords=axes.get_yaxis_transform(),
            xytext=(-4, -5),
            textcoords="offset points",
            horizontalalignment="right",
            verticalalignment="top",
            size=NOTE_SIZE,
            color=MUTED,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0},
        )


def _explain_lines(figure: Figure, top: float, judge: str) -> None:
    """Say which lines are solid and which dotted, above the axes."""
    from matplotlib.lines import Line2D

    figure.legend(
        [Line2D([], [], color=INK, marker="o", **look) for look in (_JUDGED, _TRAINED)],
        [f"{judge} images", "training images"],
        loc="upper left",
        bbox_to_anchor=(0.005, top),
        ncols=2,
        frameon=False,
        fontsize=TICK_SIZE,
        labelcolor=INK,
        handlelength=3.5,
        borderaxespad=0.3,
    )
