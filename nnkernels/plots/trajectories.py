"""Training runs of several contenders: their curves, and the distance between their parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nnkernels.errors import DataError
from nnkernels.plots import lines
from nnkernels.plots.style import BODY, INK, LABEL_SIZE, MUTED, TICK_SIZE, line_look, new_figure, tidy
from nnkernels.plots.text import percent, plain, wrapped

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def comparison_curves(histories: Mapping[str, pd.DataFrame], subtitle: str = "") -> Figure:
    """Draw accuracy and loss (rows) against epochs and against training time (columns), one line per contender.

    The values are those of validation images if all histories have them, otherwise those of training images. Equal
    curves remain visible, because each later line is dashed and thinner than those below it. The time axis is
    logarithmic if the contenders' times differ by more than a factor of ten.

    Parameters
    ----------
    histories : mapping of str to DataFrame
        The history of each contender, as for :func:`training_curves`, with the additional column ``elapsed_seconds``.
    subtitle : str, optional
        Data set and recipe.

    Returns
    -------
    figure : Figure
        The figure.

    Raises
    ------
    DataError
        If there is no history, or if one has no epoch or lacks a column.
    """
    if not histories:
        raise DataError("there is no history to compare")
    in_validation = [lines.has_part(history, "validation") for history in histories.values()]
    part = "validation" if all(in_validation) else "train"
    for name, history in histories.items():
        if "elapsed_seconds" not in history:
            raise DataError(f"the history of {name} has no column elapsed_seconds")
    strip = 0.1 + 0.25 * math.ceil(len(histories) / 2)
    figure, body_fraction = new_figure("The same training, side by side", subtitle, BODY + strip, strip=strip)
    axes = figure.subplots(2, 2, sharex="col", sharey="row")
    entries = []
    for index, (name, history) in enumerate(histories.items()):
        color, dashes, marker = line_look(index)
        accuracy, loss = lines.accuracy_percent(history, part), lines.finite_loss(history, part)
        for column, times in enumerate((history["epoch"], history["elapsed_seconds"])):
            for row, values in enumerate((accuracy, loss)):
                (line,) = axes[row, column].plot(
                    times.to_numpy(np.float64),
                    values,
                    color=color,
                    linestyle=dashes,
                    linewidth=max(1.6, 4.6 - 2.4 * index),
                    label=name,
                    **lines.marked(values, marker, size=5.5 if index else 8),
                )
        entries.append(
            (line, f"{name}: {percent(accuracy[-1] / 100)} after {_seconds(history)}{_divergence(history, part)}")
        )
    for row, label in enumerate((f"{lines.PARTS[part]} accuracy\nin percent", f"{lines.PARTS[part]} loss\n(nats)")):
        tidy(axes[row, 0], "", label)
        tidy(axes[row, 1])
    lines.limit_accuracy(axes[0, 0])
    lines.limit_loss(axes[1, 0])
    axes[1, 0].set_xlabel("epochs", size=LABEL_SIZE, color=INK)
    lines.limit_epochs(
        axes[1, 0], np.concatenate([table["epoch"].to_numpy(np.float64) for table in histories.values()])
    )
    _limit_seconds(axes[1, 1], list(histories.values()))
    figure.legend(
        [line for line, _ in entries],
        [plain(text) for _, text in entries],
        loc="upper left",
        bbox_to_anchor=(0.005, body_fraction),
        ncols=2,
        frameon=False,
        fontsize=TICK_SIZE,
        labelcolor=INK,
        handlelength=4,
        borderaxespad=0.3,
    )
    return figure


def parameter_drift(
    epochs: npt.ArrayLike,
    drift: Mapping[str, npt.ArrayLike],
    subtitle: str = "",
    measure: str = "largest absolute difference",
) -> Figure:
    """Draw the distance between the parameters of two contenders after each epoch, on a logarithmic axis.

    Distances of exactly zero are drawn on a separate line below the axis.

    Parameters
    ----------
    epochs : array-like, shape (E,)
        The epochs.
    drift : mapping of str to array-like, shape (E,)
        Non-negative distances, one line per entry, for example one for each of W1, b1, W2 and b2. NaN and infinite
        values are left out, and the figure names the lines that have them.
    subtitle : str, optional
        The contenders, the data set and the recipe.
    measure : str, default: "largest absolute difference"
        The label of the axis: how the distance is measured.

    Returns
    -------
    figure : Figure
        The figure.

    Raises
    ------
    DataError
        If there is nothing to draw, the lengths differ, or a distance is negative.
    """
    times = np.asarray(epochs, np.float64)
    curves = {name: np.asarray(values, np.float64) for name, values in drift.items()}
    _check_drift(times, curves)
    every = np.concatenate(list(curves.values()))
    scale = _drift_scale(every)
    not_finite = [name for name, values in curves.items() if not np.isfinite(values).all()]
    warning = f"Not drawn where not finite: {', '.join(not_finite)}." if not_finite else ""
    if not every.any():  # NaN counts as a difference
        subtitle = f"{subtitle}\nEqual to the last bit after every epoch.".strip()
    figure, _ = new_figure("How far the parameters drift apart", subtitle, warning=warning)
    axes = figure.subplots()
    tidy(axes, "epochs", measure)
    ends = []
    for index, (name, values) in enumerate(curves.items()):
        color, dashes, marker = line_look(index)
        places = np.where(values == 0, scale.zero, np.where(np.isfinite(values), values, np.nan))
        marks = lines.marked(places, marker)
        axes.plot(times, places, color=color, linestyle=dashes, linewidth=2.2, label=name, **marks)
        last = lines.last_finite(places)
        if last is not None:
            ends.append((places[last], "\n".join(wrapped(name, LABEL_SIZE, 1.4, bold=True)), color))
    lines.limit_epochs(axes, times)
    scale.apply(axes, zeros=bool((every == 0).any()))
    lines.label_ends(axes, times[-1], ends)
    return figure


def _check_drift(times: npt.NDArray[np.float64], curves: Mapping[str, npt.NDArray[np.float64]]) -> None:
    if not curves or not len(times):
        raise DataError("there is no distance to draw")
    for name, values in curves.items():
        if values.shape != times.shape:
            raise DataError(f"the distances {name} have shape {values.shape}, the epochs {times.shape}")
        if (values < 0).any():
            raise DataError(f"a distance of {name} is negative")


@dataclass(frozen=True)
class _DriftScale:
    """A logarithmic axis with a separate line below it for exact zeros, or only that line if all distances are zero."""

    low: float
    high: float
    zero: float
    top: float

    def apply(self, axes: Axes, zeros: bool) -> None:
        from matplotlib.ticker import FixedLocator, NullLocator

        places, names, bottom = [], [], self.low
        if self.high > self.low:
            axes.set_yscale("log")
            axes.set_ylabel(axes.get_ylabel() + ", logarithmic")
            decades = round(math.log10(self.high / self.low))
            places = [self.low * 10.0**decade for decade in range(0, decades + 1, math.ceil(decades / 7))]
            names = [f"$10^{{{round(math.log10(place))}}}$" for place in places]
            if zeros:
                axes.axhline(math.sqrt(self.low * self.zero), color=MUTED, linewidth=0.8, linestyle=(0, (1, 3)))
                bottom = self.zero * (self.zero / self.low) ** 0.5
        if zeros:
            places, names = [self.zero, *places], ["0, equal", *names]
        axes.yaxis.set_major_locator(FixedLocator(places))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_yticklabels(names)
        axes.set_ylim(bottom, self.top)


def _drift_scale(distances: npt.NDArray[np.float64]) -> _DriftScale:
    positive = distances[np.isfinite(distances) & (distances > 0)]
    if not len(positive):
        return _DriftScale(low=-1, high=-1, zero=0, top=1)
    low = 10.0 ** math.floor(math.log10(positive.min()))
    high = 10.0 ** math.ceil(math.log10(positive.max() * 1.05))
    return _DriftScale(low, high, low / 10 ** (0.1 * math.log10(high / low)), 2 * float(positive.max()))


def _seconds(history: pd.DataFrame) -> str:
    seconds = float(history["elapsed_seconds"].iloc[-1])
    return f"{seconds:.3g} s" if seconds < 1000 else f"{seconds:,.0f} s"


def _divergence(history: pd.DataFrame, part: str) -> str:
    diverged = lines.divergence(history, [part])
    return "" if diverged is None else f", diverged in epoch {diverged}"


def _limit_seconds(axes: Axes, histories: Sequence[pd.DataFrame]) -> None:
    from matplotlib.ticker import MaxNLocator

    spans = [float(history["elapsed_seconds"].iloc[-1]) for history in histories]
    label = "training time in seconds"
    if min(spans) > 0 and max(spans) > 10 * min(spans):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        label += ", logarithmic"
    else:
        axes.set_xlim(0, 1.04 * max(spans) or 1)
        axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel(label, size=LABEL_SIZE, color=INK)
