"""Terminal output of the command `errors`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.markup import escape

from nnkernels.accuracy.calibration import BINS
from nnkernels.learn.errors_report import ErrorReport
from nnkernels.learn.terminal import empty_table
from nnkernels.plots.text import estimated_percent

if TYPE_CHECKING:
    from rich.table import Table

    from nnkernels.accuracy.errors import Confusion

CONFUSIONS = 3  # of each class


def class_table(report: ErrorReport) -> Table:
    """Return a table of the errors of each class.

    Parameters
    ----------
    report : ErrorReport
        The results.

    Returns
    -------
    table : rich.table.Table
        One row per class with images, and the classes for which it is taken most often.
    """
    found, names = report.answers, report.dataset.names_of_classes
    counts = np.bincount(found.y, minlength=len(names))
    pairs: dict[int, list[Confusion]] = {}
    for pair in found.confusions:
        pairs.setdefault(pair.true, []).append(pair)
    table = empty_table("digit" if report.dataset.class_names is None else "class", "images", "error", "most read as")
    for label, error in enumerate(found.error_by_class):
        if error is not None:
            readings = ", ".join(
                f"{names[pair.predicted]} ({pair.times.value:.3g})" for pair in pairs.get(label, [])[:CONFUSIONS]
            )
            table.add_row(
                escape(names[label]), f"{counts[label]:,}", escape(estimated_percent(error)), escape(readings) or "-"
            )
    return table


def sentences(report: ErrorReport) -> list[str]:
    """Return the main results of a report.

    Parameters
    ----------
    report : ErrorReport
        The report.

    Returns
    -------
    sentences : list of str
        On the errors, and on the calibration.
    """
    found = report.answers
    several = len(report.names) > 1
    ever, always = int(found.wrong.any(axis=0).sum()), int(found.wrong.all(axis=0).sum())
    shared = f" {always:,} images are misclassified by all networks, {ever:,} by at least one." if several else ""
    by_width, by_mass = (estimated_percent(report.calibration_error[by]) for by in ("width", "mass"))
    difference = report.overconfidence.value
    direction = "higher" if difference > 0 else "lower"
    intervals = " Brackets show 95 % intervals over the networks." if several else ""
    return [
        f"{report.subtitle}: error {estimated_percent(found.error)}.{shared}",
        f"Expected calibration error with {BINS} bins of equal width {by_width}, of equal mass {by_mass}. The mean "
        f"confidence is {100 * abs(difference):.2f} points {direction} than the accuracy.{intervals}",
    ]
