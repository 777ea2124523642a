"""The table that `nnkernels sweep` prints."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from nnkernels.learn.terminal import accuracy_text, empty_table
from nnkernels.sweep.ranking import Rank


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
