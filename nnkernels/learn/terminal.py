"""Terminal output of the learning commands: progress bars, and tables of results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column, Table

from nnkernels.history import History

if TYPE_CHECKING:
    import pandas as pd

    from nnkernels.learn.comparison_report import Report
    from nnkernels.learn.pictures import PicturePrediction


def _columns() -> tuple[ProgressColumn, ...]:
    # On a narrow terminal, the description is wrapped; the number of epochs and the time are not.
    description = TextColumn("{task.description}", table_column=Column(ratio=1))
    return MofNCompleteColumn(), BarColumn(bar_width=10), description, TimeElapsedColumn()


def epoch_text(history: History) -> str:
    """Describe the last recorded epoch: loss, accuracies and speed.

    Parameters
    ----------
    history : History
        A history with at least one epoch.

    Returns
    -------
    text : str
        One line.
    """
    record = history.epochs[-1]
    before = history.epochs[-2].epoch if len(history.epochs) > 1 else 0
    speed = (record.epoch - before) * history.images / record.seconds
    parts = [f"loss {record.train_loss:.4f}", f"train {accuracy_text(record.train_error_rate)}"]
    if record.validation_error_rate == record.validation_error_rate:  # not NaN
        parts.append(f"val {accuracy_text(record.validation_error_rate)}")
    return "  ".join([*parts, f"{speed:,.0f} images/s"])


@contextmanager
def training_progress(console: Console) -> Iterator[Callable[[str, History], None]]:
    """Show the progress of training runs: for each, a bar on a terminal, or about ten lines in a log.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.

    Yields
    ------
    show : callable
        ``show(name, history)``, to be called after each epoch.
    """
    with Progress(*_columns(), console=console, expand=True, disable=not console.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def show(name: str, history: History) -> None:
            done, total = history.epochs_done, history.recipe.epochs
            text = f"{name}  {epoch_text(history)}"
            if name not in tasks:
                tasks[name] = progress.add_task(text, total=total)
            if console.is_terminal:
                progress.update(tasks[name], completed=done, description=text)
            elif done == total or done % max(1, total // 10) == 0:
                console.print(f"epoch {done} of {total}  {text}", highlight=False, soft_wrap=True)

        yield show


@contextmanager
def counting_progress(console: Console, what: str) -> Iterator[Callable[[int, int, str], None]]:
    """Show the progress of a number of tasks: one bar on a terminal, one line per task in a log.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    what : str
        The description of the bar.

    Yields
    ------
    show : callable
        ``show(done, total, text)``, to be called after each task; ``text`` describes it.
    """
    with Progress(*_columns(), console=console, expand=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)

        def show(done: int, total: int, text: str) -> None:
            progress.update(task, completed=done, total=total, description=f"{what}  {text}")
            if not console.is_terminal:
                console.print(f"{done} of {total}  {text}", highlight=False, soft_wrap=True)

        yield show


def metrics_table(metrics: Mapping[str, Any]) -> Table:
    """Return a table of the metrics of a training run.

    Parameters
    ----------
    metrics : mapping
        The metrics, as :func:`~nnkernels.learn.training_report.write_report` returns them.

    Returns
    -------
    table : rich.table.Table
        One row each for training, validation and test images.
    """
    table = empty_table("images", "accuracy", "loss")
    for part in ("train", "validation", "test"):
        loss = metrics[part]["loss"]
        table.add_row(part, f"{100 * metrics[part]['accuracy']:.2f} %", "none" if loss is None else f"{loss:.4f}")
    return table


def predictions_table(predictions: Sequence[PicturePrediction]) -> Table:
    """Return a table of predicted digits.

    Parameters
    ----------
    predictions : sequence of PicturePrediction
        The predictions.

    Returns
    -------
    table : rich.table.Table
        One row per picture, with the digit, its probability, and the next two digits.
    """
    table = empty_table("image", "digit", "probability", "next")
    for prediction in predictions:
        ranked = sorted(range(len(prediction.probs)), key=lambda label: -prediction.probs[label])
        following = ", ".join(f"{label}: {100 * prediction.probs[label]:.1f} %" for label in ranked[1:3])
        table.add_row(
            escape(prediction.name),
            str(prediction.label),
            f"{100 * prediction.probs[prediction.label]:.1f} %",
            following,
        )
    return table


def comparison_table(report: Report) -> Table:
    """Return a table of the results of a comparison.

    Parameters
    ----------
    report : Report
        The results.

    Returns
    -------
    table : rich.table.Table
        One row per contender.
    """
    table = empty_table(
        "contender", "train accuracy", "test accuracy", "test loss", "unique errors", "seconds (indicative)"
    )
    for row in report.rows:
        table.add_row(
            row.contender,
            accuracy_text(row.train_error_rate),
            accuracy_text(row.test_error_rate),
            f"{row.test_loss:.4f}",
            f"{row.only_wrong} of {report.test_images:,}",
            f"{row.seconds:.2f}",
        )
    return table


def claim_table(cells: pd.DataFrame) -> Table:
    """Return a table of the test accuracies of the experiment on the write-up's claim.

    Parameters
    ----------
    cells : DataFrame
        The accuracies, as :func:`~nnkernels.comparing.decomposition.accuracies` returns them.

    Returns
    -------
    table : rich.table.Table
        One row per width and recipe, and one column per contender.
    """
    rows = cells.to_dict("records")
    names = list(dict.fromkeys(row["contender"] for row in rows))
    texts: dict[tuple[Any, Any], dict[Any, str]] = {}
    for row in rows:
        interval = f"[{100 * row['ci_low']:.2f}, {100 * row['ci_high']:.2f}]"
        group = texts.setdefault((row["hidden"], row["recipe"]), {})
        group[row["contender"]] = f"{100 * row['accuracy']:.2f} % {escape(interval)}"
    table = empty_table("width", "recipe", *map(str, names))
    for (hidden, recipe), group in texts.items():
        table.add_row(str(hidden), str(recipe), *(group[name] for name in names))
    return table


def empty_table(first: str, *others: str) -> Table:
    """Return a table without rows.

    Parameters
    ----------
    first : str
        The heading of the first column.
    *others : str
        The headings of the others, which are right-aligned.

    Returns
    -------
    table : rich.table.Table
        The table.
    """
    table = Table(box=box.SIMPLE_HEAVY, pad_edge=False)
    table.add_column(first, overflow="fold")
    for heading in others:
        table.add_column(heading, justify="right")
    return table


def accuracy_text(error_rate: float) -> str:
    """Return the accuracy in percent.

    Parameters
    ----------
    error_rate : float
        Fraction of misclassified images.

    Returns
    -------
    text : str
        For example ``98.21 %``.
    """
    return f"{100 * (1 - error_rate):.2f} %"
