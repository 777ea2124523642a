"""What figures of curves share: their values from a history, sensible axes, and texts at the ends of lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nnkernels.errors import DataError
from nnkernels.plots.style import BODY, LABEL_SIZE, plain, text_color

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

PARTS = {"train": "training", "validation": "validation"}
MOST_MARKERS = 30  # points up to which each is marked
LOGARITHMIC_LOSS = 50  # from this ratio of the largest loss to the smallest on


def has_part(history: pd.DataFrame, part: str) -> bool:
    """Return whether a history knows the accuracy on the ``"train"`` or the ``"validation"`` images.

    Raises
    ------
    DataError
        If there is no epoch, or a column is missing that every history has.
    """
    missing = [column for column in ("epoch", "train_loss", "train_error_rate") if column not in history]
    if missing:
        raise DataError(f"the history has no column {', '.join(missing)}; it has {', '.join(map(str, history))}")
    if len(history) == 0:
        raise DataError("the history has no epoch: there is nothing to draw")
    columns = [f"{part}_loss", f"{part}_error_rate"]
    return set(columns) <= set(history) and bool(history[columns[1]].notna().any())


def accuracy_percent(history: pd.DataFrame, part: str) -> npt.NDArray[np.float64]:
    """Return the accuracy on the ``"train"`` or ``"validation"`` images by epoch, in percent."""
    return 100 * (1 - history[f"{part}_error_rate"].to_numpy(np.float64))


def finite_loss(history: pd.DataFrame, part: str) -> npt.NDArray[np.float64]:
    """Return the loss by epoch, NaN also where it is infinite, so that the line has a gap there."""
    loss = history[f"{part}_loss"].to_numpy(np.float64)
    return np.where(np.isfinite(loss), loss, np.nan)


def last_finite(values: npt.NDArray[np.float64]) -> int | None:
    """Return the index of the last value that is drawn; None if there is none."""
    drawn = np.flatnonzero(np.isfinite(values))
    return int(drawn[-1]) if len(drawn) else None


def divergence(history: pd.DataFrame, parts: Iterable[str]) -> int | None:
    """Return the first epoch whose loss is NaN or infinite on any of the parts; None if there is none."""
    losses = history[[f"{part}_loss" for part in parts]].to_numpy(np.float64)
    bad = ~np.isfinite(losses).all(axis=1)
    return int(history["epoch"].to_numpy()[bad.argmax()]) if bad.any() else None


def marked(values: npt.NDArray[np.float64], marker: str, size: float = 5.5) -> dict[str, Any]:
    """Return how a line marks its points: each of a few; of many those alone, which the line would not show."""
    drawn = np.isfinite(np.concatenate([[np.nan], values, [np.nan]]))
    alone = drawn[1:-1] & ~drawn[:-2] & ~drawn[2:]
    every = None if len(values) <= MOST_MARKERS else np.flatnonzero(alone).tolist()
    return {"marker": marker, "markersize": size, "markeredgewidth": 0, "markevery": every}


def limit_epochs(axes: Axes, epochs: npt.NDArray[np.float64]) -> None:
    """Let the axis of the epochs have whole numbers only, a single epoch in the middle."""
    from matplotlib.ticker import MaxNLocator

    low, high = epochs.min(), epochs.max()
    margin = 0.02 * (high - low) if high > low else 0.5
    axes.set_xlim(low - margin, high + margin)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))


def limit_accuracy(axes: Axes) -> None:
    """Show all that the curves reach, start and end, and at least 2 points; never beyond 0 or 100 percent."""
    values = _drawn(axes)
    low, high = (values.min(), values.max()) if len(values) else (0.0, 100.0)
    margin = max(0.06 * (high - low), 0.5 * (2 - (high - low)))
    axes.set_ylim(max(0.0, low - margin), min(100.0, high + margin))


def limit_loss(axes: Axes) -> None:
    """Start from zero; or a logarithmic axis, where the losses differ by orders of magnitude."""
    from matplotlib.ticker import LogLocator, NullFormatter

    values = _drawn(axes)
    positive = values[values > 0]
    if len(positive) and positive.max() > LOGARITHMIC_LOSS * positive.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=8))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_ylim(positive.min() / 1.5, positive.max() * 1.5)
        axes.set_ylabel(axes.get_ylabel() + ", logarithmic")
    else:
        axes.set_ylim(0, 1.06 * values.max() if len(positive) else 1)


def label_ends(axes: Axes, x: float, ends: Sequence[tuple[float, str, str]]) -> None:
    """Write each line's text at the right, at the height of its last value, moved apart where texts would overlap.

    Parameters
    ----------
    axes : Axes
        With limits and scales as they will be drawn, as tall as the body of a figure.
    x : float
        Where the lines end.
    ends : sequence of (value, text, colour)
    """
    shown = sorted(ends, key=lambda end: end[0])
    if not shown:
        return
    # In points; the axes' true height is only known when the figure is drawn, and is about this.
    height, line = 72 * (BODY - 1.2), 1.2 * LABEL_SIZE
    apart = line * max(text.count("\n") + 1.3 for _, text, _ in shown)
    to_fraction = axes.transScale + axes.transLimits
    wanted = [height * to_fraction.transform((x, value))[1] for value, _, _ in shown]
    places = spread(wanted, apart, apart / 2, height - apart / 2)
    for (value, text, color), place, moved in zip(shown, wanted, places, strict=True):
        axes.annotate(
            plain(text),
            (x, value),
            xytext=(10, moved - place),
            textcoords="offset points",
            va="center",
            size=LABEL_SIZE,
            weight="bold",
            color=text_color(color),
            annotation_clip=False,
        )


def spread(places: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    """Return ascending places moved as little as needed for neighbours to be ``apart``, within ``low`` to ``high``.

    Crowds that touch are merged and centred on the mean of their wanted places, as far as the limits let them.
    """
    crowds: list[list[float]] = []
    for place in places:
        crowds.append([place])
        while (
            len(crowds) > 1
            and _stacked(crowds[-1], apart, low, high)[0] - apart < (_stacked(crowds[-2], apart, low, high)[-1])
        ):
            last = crowds.pop()
            crowds[-1].extend(last)
    return [place for crowd in crowds for place in _stacked(crowd, apart, low, high)]


def _stacked(crowd: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    extent = apart * (len(crowd) - 1)
    first = sum(crowd) / len(crowd) - extent / 2
    first = max(low, min(first, high - extent))
    return [first + apart * index for index in range(len(crowd))]


def _drawn(axes: Axes) -> npt.NDArray[np.float64]:
    every = [np.asarray(line.get_ydata(), np.float64) for line in axes.lines]
    values: npt.NDArray[np.float64] = np.concatenate([*every, np.zeros(0)])
    return values[np.isfinite(values)]
