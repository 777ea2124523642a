"""Common parts of figures with curves: values from a history, axis limits, and labels at the ends of lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nnkernels.errors import DataError
from nnkernels.plots.style import BODY, LABEL_SIZE, text_color
from nnkernels.plots.text import plain

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

PARTS = {"train": "training", "validation": "validation"}
MAX_MARKERS = 30  # if a line has more points, only isolated ones are marked
LOGARITHMIC_LOSS = 50  # ratio of the largest to the smallest loss above which the axis is logarithmic


def has_part(history: pd.DataFrame, part: str) -> bool:
    """Return whether a history has the accuracy on a part of the data.

    Parameters
    ----------
    history : DataFrame
        One row per epoch, as for :func:`~nnkernels.plots.training_curves`.
    part : {"train", "validation"}
        The part.

    Returns
    -------
    has_part : bool
        True if at least one epoch has it.

    Raises
    ------
    DataError
        If the history has no epoch or lacks a required column.
    """
    missing = [column for column in ("epoch", "train_loss", "train_error_rate") if column not in history]
    if missing:
        raise DataError(f"the history has no column {', '.join(missing)}; it has {', '.join(map(str, history))}")
    if len(history) == 0:
        raise DataError("the history has no epochs, so there is nothing to draw")
    columns = [f"{part}_loss", f"{part}_error_rate"]
    return set(columns) <= set(history) and bool(history[columns[1]].notna().any())


def accuracy_percent(history: pd.DataFrame, part: str) -> npt.NDArray[np.float64]:
    """Return the accuracy after each epoch.

    Parameters
    ----------
    history : DataFrame
        A history with E epochs.
    part : {"train", "validation"}
        The part of the data.

    Returns
    -------
    accuracy : ndarray of float64, shape (E,)
        In percent.
    """
    return 100 * (1 - history[f"{part}_error_rate"].to_numpy(np.float64))


def finite_loss(history: pd.DataFrame, part: str) -> npt.NDArray[np.float64]:
    """Return the loss after each epoch, with NaN instead of infinity, so that a line has a gap there.

    Parameters
    ----------
    history : DataFrame
        A history with E epochs.
    part : {"train", "validation"}
        The part of the data.

    Returns
    -------
    loss : ndarray of float64, shape (E,)
        Mean cross-entropy in nats.
    """
    loss = history[f"{part}_loss"].to_numpy(np.float64)
    return np.where(np.isfinite(loss), loss, np.nan)


def last_finite(values: npt.NDArray[np.float64]) -> int | None:
    """Return the index of the last finite value.

    Parameters
    ----------
    values : ndarray of float64, shape (E,)
        The values of a line.

    Returns
    -------
    index : int or None
        None if no value is finite.
    """
    drawn = np.flatnonzero(np.isfinite(values))
    return int(drawn[-1]) if len(drawn) else None


def divergence(history: pd.DataFrame, parts: Iterable[str]) -> int | None:
    """Return the first epoch with a NaN or infinite loss.

    Parameters
    ----------
    history : DataFrame
        A history.
    parts : iterable of {"train", "validation"}
        The parts of the data whose losses are examined.

    Returns
    -------
    epoch : int or None
        None if all losses are finite.
    """
    losses = history[[f"{part}_loss" for part in parts]].to_numpy(np.float64)
    bad = ~np.isfinite(losses).all(axis=1)
    return int(history["epoch"].to_numpy()[bad.argmax()]) if bad.any() else None


def marked(values: npt.NDArray[np.float64], marker: str, size: float = 5.5) -> dict[str, Any]:
    """Return the marker properties of a line.

    If there are few points, all are marked. If there are many, only isolated ones are, which the line would not show.

    Parameters
    ----------
    values : ndarray of float64, shape (E,)
        The values of the line; NaN is a gap.
    marker : str
        A marker of matplotlib.
    size : float, default: 5.5
        The size of the markers in points.

    Returns
    -------
    properties : dict
        Keyword arguments of :meth:`matplotlib.axes.Axes.plot`.
    """
    drawn = np.isfinite(np.concatenate([[np.nan], values, [np.nan]]))
    isolated = drawn[1:-1] & ~drawn[:-2] & ~drawn[2:]
    every = None if len(values) <= MAX_MARKERS else np.flatnonzero(isolated).tolist()
    return {"marker": marker, "markersize": size, "markeredgewidth": 0, "markevery": every}


def limit_epochs(axes: Axes, epochs: npt.NDArray[np.float64]) -> None:
    """Set the limits of an axis of epochs, and use only integer ticks. A single epoch is centred.

    Parameters
    ----------
    axes : Axes
        The axes whose x-axis is set.
    epochs : ndarray of float64
        All epochs, in any order.
    """
    from matplotlib.ticker import MaxNLocator

    low, high = epochs.min(), epochs.max()
    margin = 0.02 * (high - low) if high > low else 0.5
    axes.set_xlim(low - margin, high + margin)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))


def limit_accuracy(*axes: Axes) -> None:
    """Set the limits of an accuracy axis to the range of the curves.

    The range is at least 2 percentage points, and never exceeds 0 to 100 percent.

    Parameters
    ----------
    *axes : Axes
        The axes with the curves. Their common y-axis is set.
    """
    values = np.concatenate([_drawn(one) for one in axes])
    low, high = (values.min(), values.max()) if len(values) else (0.0, 100.0)
    margin = max(0.06 * (high - low), 0.5 * (2 - (high - low)))
    axes[0].set_ylim(max(0.0, low - margin), min(100.0, high + margin))


def limit_loss(axes: Axes) -> None:
    """Let a loss axis start at zero, or make it logarithmic if the losses differ by orders of magnitude.

    Parameters
    ----------
    axes : Axes
        The axes with the curves; their y-axis is set.
    """
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
    """Label each line to the right of its last value. Labels that would overlap are moved apart.

    Parameters
    ----------
    axes : Axes
        The axes, with their final limits and scales. Their height must be that of the body of a figure.
    x : float
        The x-coordinate of the ends of the lines.
    ends : sequence of (float, str, str)
        Last value, text and colour of each line.
    """
    shown = sorted(ends, key=lambda end: end[0])
    if not shown:
        return
    # In points. The exact height of the axes is known only when the figure is drawn; this is close to it.
    height, line = 72 * (BODY - 1.2), 1.2 * LABEL_SIZE
    apart = line * max(text.count("\n") + 1.3 for _, text, _ in shown)
    to_fraction = axes.transScale + axes.transLimits
    ends_of_lines = [height * to_fraction.transform((x, value))[1] for value, _, _ in shown]
    places = spread(ends_of_lines, apart, apart / 2, height - apart / 2)
    for (value, text, color), place, moved in zip(shown, ends_of_lines, places, strict=True):
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
    """Move ascending positions as little as necessary so that neighbours have a minimum distance.

    Groups that touch are merged and centred on the mean of their original positions, as far as the limits allow.

    Parameters
    ----------
    places : sequence of float
        The positions, in ascending order.
    apart : float
        The minimum distance.
    low, high : float
        The limits of the positions.

    Returns
    -------
    places : list of float
        The new positions, in the same order.
    """
    groups: list[list[float]] = []
    for place in places:
        groups.append([place])
        while (
            len(groups) > 1
            and _stacked(groups[-1], apart, low, high)[0] - apart < (_stacked(groups[-2], apart, low, high)[-1])
        ):
            last = groups.pop()
            groups[-1].extend(last)
    return [place for group in groups for place in _stacked(group, apart, low, high)]


def _stacked(group: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    """Return positions at the minimum distance, centred on the mean of a group as far as the limits allow."""
    extent = apart * (len(group) - 1)
    first = sum(group) / len(group) - extent / 2
    first = max(low, min(first, high - extent))
    return [first + apart * index for index in range(len(group))]


def _drawn(axes: Axes) -> npt.NDArray[np.float64]:
    every = [np.asarray(line.get_ydata(), np.float64) for line in axes.lines]
    every += [np.asarray(path.vertices, np.float64)[:, 1] for band in axes.collections for path in band.get_paths()]
    values: npt.NDArray[np.float64] = np.concatenate([*every, np.zeros(0)])
    return values[np.isfinite(values)]
