"""The figures of an accuracy run: accuracy by width, and the learning curves of the recipes."""

from __future__ import annotations

import json
from pathlib import Path

from nnkernels import plots
from nnkernels.accuracy.design import CLAIMED_KERAS, OURS
from nnkernels.accuracy.summary import AccuracySummary, rows_of
from nnkernels.report.kept_figures import draw_unless_same
from nnkernels.sweep.results import Row

FOLDER = Path("figures", "accuracy")
_COLUMNS = ("contender", "seed", "recipe", "error_rate", "train_error_rate", "curve")


def draw_accuracy(results: Path, summary: AccuracySummary) -> list[Path]:
    """Draw the figures of an accuracy run into a results folder, unless those there show the same numbers.

    Parameters
    ----------
    results : Path
        The results folder.
    summary : AccuracySummary
        The summary of the run.

    Returns
    -------
    paths : list of Path
        The figures.
    """
    study = summary.widths[0].recipe.name
    widths = [row for row in summary.run.rows if row["recipe"]["name"] == study]
    recipes = [row for result in summary.recipes for row in rows_of(summary.run.rows, result.recipe, OURS)]
    return [
        draw_unless_same(
            results / FOLDER / "widths.png",
            _numbers(widths),
            lambda: plots.accuracy_by_width(widths, references=CLAIMED_KERAS),
        ),
        draw_unless_same(results / FOLDER / "curves.png", _numbers(recipes), lambda: plots.sweep_curves(recipes)),
    ]


def _numbers(rows: list[Row]) -> str:
    return json.dumps([[row[name] for name in _COLUMNS] for row in rows], sort_keys=True)
