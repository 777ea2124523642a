"""Plots of accuracy and loss during a training run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nnkernels.errors import DataError
from nnkernels.plots import lines
from nnkernels.plots.style import BLUE, BODY, VERMILION, new_figure, tidy
from nnkernels.plots.text import percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLES = {"train": (BLUE, "solid", "o"), "validation": (VERMILION, (0, (4, 2)), "s")}


def training_curves(history: pd.DataFrame, subtitle: str = "") -> Figure:
    """Draw accuracy and loss against epochs, and label each line with its last value.

    Lines are solid for training and dashed for validation.

    If training diverges, the line has a gap where the loss is NaN or infinite, and the figure shows a warning with the
    first such epoch.

    Parameters
    ----------
    history : DataFrame
        One row per epoch, with the columns ``epoch``, ``train_loss``, ``train_error_rate``, ``validation_loss`` and
        ``validation_error_rate``. Error rates are fractions. Without validation images, the validation columns may be
        missing or NaN. The training columns may be NaN after training from a file.
    subtitle : str, optional
        Data set and recipe.

    Returns
    -------
    figure : Figure
        The figure.

    Raises
    ------
    DataError
        If the history has no epoch, lacks a column, or has neither training nor validation accuracies.
    """
    parts = [part for part in lines.PARTS if lines.has_part(history, part)]
    if not parts:
        raise DataError("the history has no accuracy, so there is nothing to draw; train with validation images")
    diverged = lines.divergence(history, parts)
    warning = "" if diverged is None else f"Diverged: the loss is not finite from epoch {diverged} on."
    figure, _ = new_figure("Accuracy and loss during training", subtitle, BODY - 0.3, warning=warning)
    accuracy_axes, loss_axes = figure.subplots(1, 2)
    tidy(accuracy_axes, "epochs", "accuracy in percent")
    tidy(loss_axes, "epochs", "loss (mean cross-entropy, nats)")
    epochs = history["epoch"].to_numpy(np.float64)
    for part in parts:
        color, dashes, marker = _STYLES[part]
        for axes, values in (
            (accuracy_axes, lines.accuracy_percent(history, part)),
            (loss_axes, lines.finite_loss(history, part)),
        ):
            marks = lines.marked(values, marker)
            axes.plot(epochs, values, color=color, linestyle=dashes, linewidth=2.2, label=part, **marks)
    lines.limit_accuracy(accuracy_axes)
    lines.limit_loss(loss_axes)
    for axes in (accuracy_axes, loss_axes):
        lines.limit_epochs(axes, epochs)
        _label_ends(axes, as_percentage=axes is accuracy_axes)
    return figure


def _label_ends(axes: Axes, as_percentage: bool) -> None:
    ends = []
    for line in axes.lines:
        epochs, values = (np.asarray(data, np.float64) for data in line.get_data())
        last = lines.last_finite(values)
        if last is not None:
            value = percent(values[last] / 100) if as_percentage else f"{values[last]:#.3g}"
            when = "" if last == len(values) - 1 else f"\nin epoch {epochs[last]:.0f}"
            text = f"{lines.PARTS[str(line.get_label())]}\n{value}{when}"
            ends.append((float(values[last]), text, str(line.get_color())))
    lines.label_ends(axes, float(epochs[-1]), ends)
