"""The results of a sweep: the table of its combinations, and its figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from nnkernels import plots
from nnkernels.learn.output import save_figures
from nnkernels.learn.terminal import accuracy_text, empty_table
from nnkernels.sweep.ranking import Rank
from nnkernels.sweep.results import Row


def draw_sweep(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw the learning curves of a sweep and, if there are several widths, the accuracy against the width.

    Parameters
    ----------
    rows : sequence of dict
        The results, all judged by the same kind of images. Without results, nothing is drawn.
    folder : Path
        Where to write the figures.

    Returns
    -------
    paths : list of Path
        The files.
    """
    figures = {"curves": plots.sweep_curves(rows)} if rows else {}
    if len({row["recipe"]["hidden"] for row in rows}) > 1:
        figures["widths"] = plots.accuracy_by_width(rows)
    save_figures(figures, folder)
    return [folder / f"{name}.png" for name in figures]


def ranking_table(ranks: Sequence[Rank]) -> Table:
    """Return a table of the mean accuracies of a sweep.

    Parameters
    ----------
    ranks : sequence of Rank
        The combinations, as :func:`~nnkernels.sweep.ranking.ranking` returns them.

    Returns
    -------
    table : rich.table.Table
        One row per combination. With one seed, there is no interval.
    """
    table = empty_table("recipe", "contender", "width", "rate", "seeds", "accuracy", "train", "s")
    for rank in ranks:
        error = rank.error_rate
        interval = "" if error.samples < 2 else f" [{100 - 100 * error.high:.2f}, {100 - 100 * error.low:.2f}]"
        table.add_row(
            rank.recipe,
            rank.contender,
            str(rank.hidden),
            f"{rank.learning_rate:g}",
            str(error.samples),
            f"{accuracy_text(error.value)}{escape(interval)}",
            accuracy_text(rank.train_error_rate),
            f"{rank.seconds:.1f}",
        )
    return table
