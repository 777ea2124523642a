"""The results of the accuracy benchmark as a table: on the terminal, in the README and on the page."""

from __future__ import annotations

import math

from rich.console import Console

from nnkernels.accuracy.design import BEST, CLAIMED_KERAS, FIT, KERAS, OURS
from nnkernels.accuracy.equivalence import MARGIN
from nnkernels.accuracy.record import AccuracyRecord
from nnkernels.accuracy.summary import AccuracySummary, RecipeResult
from nnkernels.report import formats
from nnkernels.report.blocks import NOT_RECORDED, Block
from nnkernels.report.layout import Column, markdown, show
from nnkernels.statistics import Estimate

FIGURES = "Figures: [widths](results/figures/accuracy/widths.png), [curves](results/figures/accuracy/curves.png)."
BLOCK = Block("published accuracy", "nnkernels publish --pin RUN")


def recipe_columns(summary: AccuracySummary) -> list[Column]:
    """Return the table of the accurate recipes.

    Parameters
    ----------
    summary : AccuracySummary
        The summary of a run.

    Returns
    -------
    columns : list of Column
        One row per recipe.
    """
    return _columns(summary.recipes, "recipe", [result.recipe.name for result in summary.recipes])


def width_columns(summary: AccuracySummary) -> list[Column]:
    """Return the table of the width study.

    Parameters
    ----------
    summary : AccuracySummary
        The summary of a run.

    Returns
    -------
    columns : list of Column
        One row per number of hidden units.
    """
    return _columns(summary.widths, "hidden units", [str(result.recipe.hidden) for result in summary.widths])


def caption(summary: AccuracySummary) -> str:
    """Return the sentences below the table of the recipes.

    Parameters
    ----------
    summary : AccuracySummary
        The summary of a run.

    Returns
    -------
    text : str
        What the columns are, how fast a paired epoch is, and the source.
    """
    record = summary.run.record
    images = record.provenance["dataset"]["test_images"]
    return (
        "plain-best sees the images as they are; augmented-best trains on randomly distorted ones; best also sees all "
        f"digits deskewed and scaled to the same size. Means over the seeds of {OURS} (in parentheses: those of "
        f"{KERAS}, if fewer), with 95 % intervals, on the {images:,} test images of {record.dataset}. Time: median of "
        f"a training on one thread, {record.workers} at a time, with all transforms of the images. Difference: {OURS} "
        f"minus {KERAS} in percentage points, paired by seed; equivalent if the whole interval is within "
        f"±{100 * MARGIN:g}. Alone on the machine, {OURS} trains {BEST} in {formats.time(summary.best_seconds)}, "
        f"transforms included, {formats.ratio(summary.speed_up)} times as fast as Keras' fit (by paired epochs). "
        f"Run `{record.run_id}`."
    )


def width_answer(summary: AccuracySummary) -> str:
    """Return where the accuracy comes from that the write-up credits Keras with, as the width study shows it.

    Parameters
    ----------
    summary : AccuracySummary
        The summary of a run.

    Returns
    -------
    text : str
        The widths between which that accuracy is reached, what Keras reaches with the same width as ours, and the
        accuracy of the best recipe.
    """
    (claimed,) = CLAIMED_KERAS.values()
    best = next(result for result in summary.recipes if result.recipe.name == BEST)
    accuracies = [1 - result.error.value for result in summary.widths]
    place = next((place for place, found in enumerate(accuracies) if found >= claimed), 0)
    sentences = []
    for result in summary.widths:
        if result.recipe.hidden == best.recipe.hidden:
            keras = f", and {accuracy(result.keras_error)} with {KERAS}" if result.keras_error else ""
            sentences.append(
                f"With {result.recipe.hidden} hidden units and the recipe {result.recipe.name}, the test accuracy is "
                f"{accuracy(result.error)} with {OURS}{keras}."
            )
    if place:
        narrow, wide = (
            f"{result.recipe.hidden} units ({accuracy_rate(result.error.value)})"
            for result in summary.widths[place - 1 : place + 1]
        )
        sentences.append(
            f"The {100 * claimed:g} % that the write-up reports for Keras lies between the accuracies of {narrow} and "
            f"{wide}: it takes a wider network."
        )
    sentences.append(
        f"{BEST} reaches {accuracy(best.error)} with {best.recipe.hidden} hidden units, thanks to deskewed digits of "
        "the same size, distorted copies, and long training with averaged weights."
    )
    return " ".join(sentences)


def section(summary: AccuracySummary | None) -> str:
    """Return the block of the README.

    Parameters
    ----------
    summary : AccuracySummary or None
        The summary of a run; None if none is recorded.

    Returns
    -------
    section : str
        Markdown, with the markers of the block.
    """
    if summary is None:
        return BLOCK.around(NOT_RECORDED)
    paragraphs = (markdown(recipe_columns(summary)), caption(summary), f"{width_answer(summary)} {FIGURES}")
    return BLOCK.around("\n\n".join(paragraphs))


def show_accuracy(console: Console, summary: AccuracySummary) -> None:
    """Print the results of a run.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    summary : AccuracySummary
        The summary of the run.
    """
    show(console, "accuracy on the test images", recipe_columns(summary), [caption(summary), _fit_note(summary)])
    show(
        console, f"accuracy by width ({summary.widths[0].recipe.name})", width_columns(summary), [width_answer(summary)]
    )
    show(console, "duration", _duration_columns(summary.run.record))


def _columns(results: tuple[RecipeResult, ...], heading: str, names: list[str]) -> list[Column]:
    return [
        Column(heading, names, identity=True),
        Column("seeds", [_seeds(result) for result in results], right=True),
        Column.of_estimates("accuracy", lambda long: [accuracy(result.error, long) for result in results]),
        Column("training", [accuracy_rate(result.train_error) for result in results], right=True),
        Column("time", [formats.duration(result.seconds) for result in results], right=True),
        Column.of_estimates(KERAS, lambda long: [accuracy(result.keras_error, long) for result in results]),
        Column.of_estimates("difference", lambda long: [points(result.difference, long) for result in results]),
        Column("verdict", [result.verdict or "-" for result in results]),
    ]


def accuracy(error: Estimate | None, interval: bool = True) -> str:
    """Format an error rate as accuracy.

    Parameters
    ----------
    error : Estimate or None
        The error rate.
    interval : bool, default: True
        Whether to append the 95 % interval.

    Returns
    -------
    text : str
        For example ``98.21 % [98.15, 98.27]``; a dash for None.
    """
    if error is None:
        return "-"
    return formats.percent(Estimate(1 - error.value, 1 - error.high, 1 - error.low, error.samples), interval)


def accuracy_rate(error: float) -> str:
    """Format an error rate as accuracy.

    Parameters
    ----------
    error : float
        The error rate.

    Returns
    -------
    text : str
        For example ``98.21 %``.
    """
    return formats.rate(1 - error)


def points(difference: Estimate | None, interval: bool = True) -> str:
    """Format the difference of two error rates as that of the accuracies, in percentage points.

    Parameters
    ----------
    difference : Estimate or None
        The difference of the error rates.
    interval : bool, default: True
        Whether to append the 95 % interval.

    Returns
    -------
    text : str
        For example ``+0.02 [-0.03, +0.07]``; a dash for None.
    """
    if difference is None:
        return "-"
    text = f"{-100 * difference.value:+z.2f}"
    if not interval or math.isnan(difference.low):
        return text
    return f"{text} [{-100 * difference.high:+z.2f}, {-100 * difference.low:+z.2f}]"


def _seeds(result: RecipeResult) -> str:
    keras = result.keras_error
    if keras is None or keras.samples == result.error.samples:
        return str(result.error.samples)
    return f"{result.error.samples} ({keras.samples})"


def _fit_note(summary: AccuracySummary) -> str:
    found = [
        f"{result.recipe.name} {points(result.fit_difference)}" for result in summary.recipes if result.fit_difference
    ]
    return f"{OURS} minus {FIT}, in points: {', '.join(found)}"


def _duration_columns(record: AccuracyRecord) -> list[Column]:
    stages = record.seconds
    return [
        Column("stage", [*stages, "total"], identity=True),
        Column("minutes", [f"{seconds / 60:.1f}" for seconds in (*stages.values(), sum(stages.values()))], right=True),
    ]
