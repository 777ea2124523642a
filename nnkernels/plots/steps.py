"""From naive to fast: the time of an epoch of each step on a logarithmic axis, and the factors between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nnkernels.errors import DataError
from nnkernels.plots.style import GRID, INK, LABEL_SIZE, MUTED, NOTE_SIZE, OURS, VERMILION, new_figure, text_color, tidy
from nnkernels.plots.text import plain

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("step", "idea", "seconds", "ci_low", "ci_high", "ratio", "builds_on", "ratio_to_base")
_BEHIND_TEXT = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}


def step_times(rows: pd.DataFrame, subtitle: str = "") -> Figure:
    """Draw the time per epoch of each step with its interval, and the speed-up over the row above.

    Parameters
    ----------
    rows : DataFrame
        One row per step, from naive to fast, with the columns ``step``, ``idea``, ``seconds`` (per epoch), ``ci_low``
        and ``ci_high`` (NaN means no interval), ``ratio`` (how many times as fast as the row above), ``builds_on`` and
        ``ratio_to_base`` (how many times as fast as the step that it builds on). Ratios are NaN in the first row.
    subtitle : str, optional
        Data set, machine and run.

    Returns
    -------
    figure : Figure
        The figure.

    Raises
    ------
    DataError
        If there is no row, a column is missing, or a time is not a positive number.
    """
    _check(rows)
    note = "×: how many times as fast as the row above (in brackets: as the step that it builds on)."
    title = "From naive to fast: an epoch of training, step by step"
    figure, _ = new_figure(title, f"{subtitle}\n{note}".strip(), 0.9 + 0.62 * len(rows))
    axes = figure.subplots()
    tidy(axes, "time per epoch, logarithmic", grid="x")
    seconds = rows["seconds"].to_numpy(np.float64)
    axes.set_xscale("log")
    axes.set_xlim(seconds.min() / 1.6, seconds.max() * 8)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    _label_axis(axes, seconds)
    labels = [(str(row["step"]), str(row["idea"])) for row in rows.to_dict("records")]
    axes.set_yticks(range(len(rows)), [f"{plain(name)}\n{plain(idea)}" for name, idea in labels])
    axes.tick_params(axis="y", length=0, labelsize=NOTE_SIZE)
    for label in axes.get_yticklabels():
        label.set_multialignment("right")
    names = list(rows["step"])
    for place, row in enumerate(rows.to_dict("records")):
        _draw_step(axes, place, float(row["seconds"]), float(row["ci_low"]), float(row["ci_high"]))
        if place and np.isfinite(row["ratio"]):
            text = _factor(row["ratio"])
            # If a step does not build on the row above, the speed-up over the step that it builds on follows.
            if row["builds_on"] != names[place - 1] and np.isfinite(row["ratio_to_base"]):
                text += f"   ({_factor(row['ratio_to_base'])} {row['builds_on']})"
            _draw_factor(axes, place, seconds[place - 1], seconds[place], text, row["ratio"] >= 1)
    return figure


def _draw_step(axes: Axes, place: int, seconds: float, low: float, high: float) -> None:
    axes.axhline(place, color=GRID, linewidth=0.8, zorder=0)
    if np.isfinite([low, high]).all():
        axes.plot([low, high], [place, place], color=OURS, linewidth=2.4, solid_capstyle="butt")
    axes.plot([seconds], [place], color=OURS, marker="o", markersize=8, mew=0)
    axes.annotate(
        _time(seconds),
        (max(seconds, high if np.isfinite(high) else seconds), place),
        xytext=(9, 0),
        textcoords="offset points",
        va="center",
        size=LABEL_SIZE,
        weight="bold",
        color=text_color(OURS),
        bbox=_BEHIND_TEXT,
    )


def _draw_factor(axes: Axes, place: int, before: float, after: float, text: str, faster: bool) -> None:
    color = MUTED if faster else text_color(VERMILION)
    axes.plot([before, after], [place - 1, place], color=color, linewidth=1.2, linestyle=(0, (2, 2)), zorder=1)
    axes.annotate(
        plain(text),
        (float(np.sqrt(before * after)), place - 0.5),
        xytext=(10, 0),
        textcoords="offset points",
        va="center",
        size=NOTE_SIZE,
        color=INK if faster else color,
        bbox=_BEHIND_TEXT,
    )


def _label_axis(axes: Axes, seconds: np.ndarray) -> None:
    from matplotlib.ticker import NullLocator

    low, high = axes.get_xlim()
    ticks = [10.0**power for power in range(-6, 7) if low <= 10.0**power <= high]
    axes.set_xticks(ticks, [_time(tick) for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())


def _factor(ratio: float) -> str:
    return f"× {ratio:.0f}" if ratio >= 20 else f"× {ratio:.1f}" if ratio >= 10 else f"× {ratio:#.2g}"


def _time(seconds: float) -> str:
    value, unit = (seconds, "s") if seconds >= 0.9995 else (1e3 * seconds, "ms")
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def _check(rows: pd.DataFrame) -> None:
    missing = [column for column in COLUMNS if column not in rows]
    if missing:
        raise DataError(f"the table of steps has no column {', '.join(missing)}")
    if len(rows) == 0:
        raise DataError("the table of steps is empty")
    seconds = rows["seconds"].to_numpy(np.float64)
    if not (np.isfinite(seconds) & (seconds > 0)).all():
        raise DataError("the table of steps contains a time that is not a positive number of seconds")
