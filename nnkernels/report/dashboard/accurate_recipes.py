"""The part of the section on accuracy that shows the published accuracy run."""

from __future__ import annotations

from dataclasses import dataclass

from nnkernels.accuracy.design import KERAS, OURS
from nnkernels.accuracy.summary import AccuracySummary
from nnkernels.report import accuracy, formats
from nnkernels.report.dashboard import marks
from nnkernels.report.dashboard.charts import Chart
from nnkernels.report.dashboard.kinds import kind
from nnkernels.report.dashboard.marks import Point
from nnkernels.report.layout import Column
from nnkernels.statistics import Estimate

CHART = "accuracy-widths"


@dataclass(frozen=True)
class AccurateRecipes:
    """The tables of an accuracy run, and the chart of its widths.

    Attributes
    ----------
    columns : list of Column
        The table of the recipes.
    caption : str
        What the table shows.
    width_columns : list of Column
        The table of the widths.
    chart : Chart
        Accuracy by width.
    """

    columns: list[Column]
    caption: str
    width_columns: list[Column]
    chart: Chart


def accurate_recipes(summary: AccuracySummary) -> AccurateRecipes:
    """Return what the page shows of an accuracy run.

    Parameters
    ----------
    summary : AccuracySummary
        The summary of the run.

    Returns
    -------
    shown : AccurateRecipes
        Tables and chart.
    """
    return AccurateRecipes(
        accuracy.recipe_columns(summary),
        accuracy.caption(summary),
        accuracy.width_columns(summary),
        _widths_chart(summary),
    )


def _widths_chart(summary: AccuracySummary) -> Chart:
    drawn = [
        _point(result.recipe.hidden, name, error)
        for result in summary.widths
        for name, error in ((OURS, result.error), (KERAS, result.keras_error))
        if error is not None
    ]
    narrow, wide = summary.widths[0], summary.widths[-1]
    return Chart(
        name=CHART,
        title="The width decides the accuracy",
        sentence=(
            f"Test error of {narrow.recipe.name} by number of hidden units, with 95 % intervals over seeds: from "
            f"{formats.rate(narrow.error.value)} ({narrow.recipe.hidden}) down to {formats.rate(wide.error.value)} "
            f"({wide.recipe.hidden}). {accuracy.width_answer(summary)}"
        ),
        alternative=(
            "Test error in percent with 95 % intervals over seeds, a row for each number of hidden units, a point for "
            "each contender. The values are in the table below."
        ),
        spec=marks.intervals(drawn, "test error (%)", apart=True),
        legend=marks.group_legend(drawn),
    )


def _point(width: int, contender: str, error: Estimate) -> Point:
    scaled = Estimate(100 * error.value, 100 * error.low, 100 * error.high, error.samples)
    row = f"{width} units"
    return Point(row, kind(contender), scaled, formats.percent(error), f"{contender}: {row}")
