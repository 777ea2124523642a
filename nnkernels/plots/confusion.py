"""The confusion matrix and the most frequent confusions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.errors import DataError
from nnkernels.plots.style import INK, LABEL_SIZE, MUTED, NOTE_SIZE, TICK_SIZE, VERMILION, new_figure, tidy
from nnkernels.plots.text import class_labels, percent, plain, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_PAIRS = 12
LARGE = 20  # classes; a larger matrix has a larger figure
COLUMNS_WIDTH = {False: 4.6, True: 5.8}  # inches that all columns together have, also in a large figure
SMALLEST_NUMBER = 4.0  # points


class Confusion(NamedTuple):
    """The number of images of one class that were predicted as another.

    Attributes
    ----------
    true, predicted : int
        The two classes.
    times : int
        The number of images.
    """

    true: int
    predicted: int
    times: int


def confusions(counts: npt.NDArray[np.integer]) -> list[Confusion]:
    """Return all confusions, the most frequent first.

    Parameters
    ----------
    counts : ndarray of integers, shape (C, C)
        ``counts[i, j]`` images of class i were predicted as class j.

    Returns
    -------
    confusions : list of Confusion
        The pairs with at least one image. Ties are ordered by the true class, then by the predicted class.
    """
    pairs = [
        Confusion(int(true), int(predicted), int(counts[true, predicted]))
        for true, predicted in np.argwhere(counts)
        if true != predicted
    ]
    return sorted(pairs, key=lambda pair: (-pair.times, pair.true, pair.predicted))


def confusion_matrix(counts: npt.NDArray[Any], subtitle: str = "", class_names: Sequence[str] | None = None) -> Figure:
    """Draw a confusion matrix and a ranking of the most frequent confusions.

    Only the errors are coloured.

    Parameters
    ----------
    counts : ndarray of integers, shape (C, C)
        ``counts[i, j]`` images of class i were predicted as class j.
    subtitle : str, optional
        Data set and recipe.
    class_names : sequence of str, optional
        The name of each class. By default its number.

    Returns
    -------
    figure : Figure
        The figure.

    Raises
    ------
    DataError
        If the matrix is not square, or if it has entries that are not integers or are negative.
    """
    counts = np.asarray(counts)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.size:
        raise DataError(f"the confusion matrix has shape {counts.shape}; expected (C, C)")
    if counts.dtype.kind not in "iu" or (counts < 0).any():
        raise DataError("the confusion matrix must contain non-negative integers")
    total, right = int(counts.sum()), int(np.trace(counts))
    found = confusions(counts)
    share = f" ({percent((total - right) / total)})" if total else ""
    errors = "1 error" if total - right == 1 else f"{total - right:,} errors"
    names = class_labels(class_names, len(counts))
    what = "digit" if class_names is None and len(counts) <= 10 else "class"
    title = f"Which {'digits' if what == 'digit' else 'classes'} are confused: {errors} in {total:,}{share}"
    figure, _ = new_figure(title, subtitle, 5.6 if len(counts) <= LARGE else 7.4)
    matrix, ranking = figure.subplots(1, 2, width_ratios=(2.4 if len(counts) <= LARGE else 4.2, 1))
    _draw_matrix(matrix, counts, names, what)
    _draw_ranking(ranking, found[:MAX_PAIRS], len(found), names)
    return figure


def _draw_matrix(axes: Axes, counts: npt.NDArray[np.integer], names: list[str], what: str) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    classes = len(counts)
    errors = np.ma.masked_array(counts, mask=np.eye(classes, dtype=bool))
    colors = LinearSegmentedColormap.from_list("errors", ["#ffffff", "#f6c9a8", "#e3813a"]).with_extremes(bad="#e3e3e3")
    max_errors = max(1, int(errors.max()) if classes > 1 else 1)
    axes.imshow(errors, cmap=colors, vmin=0, vmax=max_errors, aspect="equal")
    axes.set_anchor("N")
    tidy(axes, f"predicted {what}", f"true {what}", grid=None)
    width = COLUMNS_WIDTH[classes > LARGE]
    label_size = min(TICK_SIZE, 0.8 * 72 * width / classes)
    labels = [plain(shortened(name, label_size, 1.2)) for name in names]
    axes.set_xticks(range(classes), labels, rotation=90 if max(map(len, labels)) > 2 else 0)
    axes.set_yticks(range(classes), labels)
    axes.tick_params(length=0, labelsize=label_size)
    axes.spines[:].set_visible(False)
    # Separate the cells by white lines.
    axes.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5 if classes <= LARGE else 0.5)
    axes.tick_params(which="minor", length=0)
    # Fit the widest number, with a margin, into a column. Where it would be illegible, the colour alone must do.
    size = min(TICK_SIZE, 0.8 * 72 * width / classes / (0.64 * len(str(counts.max()))))
    for (true, predicted), count in np.ndenumerate(counts):
        if size >= SMALLEST_NUMBER and (count or true == predicted):
            axes.text(predicted, true, str(count), ha="center", va="center", size=size, color=INK)
    for true, row in enumerate(counts):
        text = percent(row[true] / row.sum()) if row.sum() else "no images"
        axes.text(classes - 0.35, true, text, ha="left", va="center", size=min(NOTE_SIZE, label_size), color=MUTED)
    axes.text(
        classes - 0.35, -0.75 * max(1, classes / 20), "recognised", ha="left", va="center", size=NOTE_SIZE, color=MUTED
    )


def _draw_ranking(axes: Axes, shown: list[Confusion], pairs: int, names: list[str]) -> None:
    tidy(axes, grid=None)
    axes.spines[:].set_visible(False)
    axes.set_xticks([])
    axes.tick_params(length=0)
    if not shown:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "No image is\nmisclassified.", ha="center", va="center", size=LABEL_SIZE, color=INK)
        return
    places = np.arange(len(shown))
    axes.barh(places, [pair.times for pair in shown], color=VERMILION, height=0.6)
    labels = [shortened(names[pair.true], TICK_SIZE, 0.6) for pair in shown]
    answers = [shortened(names[pair.predicted], TICK_SIZE, 0.6) for pair in shown]
    texts = [f"{label} read as {answer}" for label, answer in zip(labels, answers, strict=True)]
    axes.set_yticks(places, [plain(text) for text in texts])
    for place, pair in zip(places, shown, strict=True):
        text = f"{pair.times:,} times" if pair.times != 1 else "once"
        axes.annotate(
            text,
            (pair.times, float(place)),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            size=TICK_SIZE,
            color=INK,
            annotation_clip=False,
        )
    # Leave space for at least 8 bars, so that a few bars are not thick.
    axes.set_ylim(max(len(shown), 8) - 0.4, -0.6)
    title = "most frequent" if pairs > len(shown) else "all confusions"
    axes.set_title(title, size=LABEL_SIZE, color=INK, loc="left")
    axes.margins(x=0)
