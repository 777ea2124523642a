"""Columns, cells and notes of the summary table, which is the same on the terminal, on the page and in the README."""

from __future__ import annotations

from nnkernels import contenders
from nnkernels.measure.timing.distinct import prediction_owner
from nnkernels.measure.timing.scenarios import EPOCH
from nnkernels.measure.timing.threads import SETTINGS
from nnkernels.report import disturbed, formats, keras_forms, pooling
from nnkernels.report.layout import Column
from nnkernels.report.ratios import BASELINE, PairedRatio
from nnkernels.report.summary import OLD_ONE_IMAGE, ContenderSummary, Summary


def columns(summary: Summary) -> list[Column]:
    """Return the columns of the summary table.

    Parameters
    ----------
    summary : Summary
        The summary of a run.

    Returns
    -------
    columns : list of Column
        One row per contender. The cells of a row are of the thread setting in its column "threads".
    """
    rows = summary.contenders
    number = Column.of_estimates
    best_keras = number("x best Keras", lambda long: [_ratio(row.to_best_keras, long) for row in rows])
    return [
        Column("contender", [row.name for row in rows], identity=True),
        Column("threads", [row.threads for row in rows], identity=True, right=True),
        number("epoch", lambda long: [formats.time(row.epoch, long) for row in rows]),
        number("x NumPy", lambda long: [_ratio(row.to_numpy, long) for row in rows]),
        number("x Keras fit", lambda long: [_ratio(row.to_keras, long) for row in rows]),
        best_keras,
        number("preparation", lambda long: [_preparation(row, long) for row in rows]),
        Column("break-even", [formats.epochs(row.break_even) for row in rows], right=True),
        number("one image", lambda long: [formats.time(row.one_image, long) for row in rows]),
        number("test error", lambda long: [formats.percent(row.test_error, long) for row in rows]),
    ]


def forms_columns(summary: Summary) -> list[Column]:
    """Return the columns of the table of the forms of Keras that were tried.

    Parameters
    ----------
    summary : Summary
        The summary of a run.

    Returns
    -------
    columns : list of Column
        One row per form, the fastest first.
    """
    forms = summary.keras_forms
    number = Column.of_estimates
    return [
        Column("form of Keras", [form.name for form in forms], identity=True),
        Column("backend", [form.backend for form in forms]),
        Column("description", [form.description for form in forms]),
        Column("threads", [form.threads or "-" for form in forms], right=True),
        number("epoch", lambda long: [formats.time(form.seconds, long) for form in forms]),
        number("x NumPy on 1 thread", lambda long: [formats.ratio(form.to_numpy, long) for form in forms]),
    ]


def forms_notes(summary: Summary) -> list[str]:
    """Return the notes below the table of the forms of Keras.

    Parameters
    ----------
    summary : Summary
        The summary of a run.

    Returns
    -------
    notes : list of str
        Which form is the best, and why some have no time.
    """
    lines = []
    if summary.best_keras:
        lines.append(
            f"Best Keras: {summary.best_keras}, the fastest form tried. Forms are ranked by their paired ratio to "
            "NumPy on one thread, which every process times, each form at its own faster thread setting."
        )
    elif summary.keras_forms:
        lines.append("Best Keras: none, because no form was timed in the same process as NumPy on one thread.")
    return lines + [f"{form.name} was not timed: {form.failure}" for form in summary.keras_forms if form.failure]


def notes(summary: Summary) -> list[str]:
    """Return the notes below the summary table, which explain how to read it.

    Parameters
    ----------
    summary : Summary
        The summary of a run.

    Returns
    -------
    notes : list of str
        Each note has one or more sentences.
    """
    lines = [
        "Each row shows a contender at its faster thread setting. x: how many times as fast it trains as the named "
        "contender at that one's faster setting; geometric mean of paired ratios.",
        pooling.intervals_note([run.record for run in summary.run.each]),
        *_fewer_runs(summary),
        *_dashes(summary),
        *_preparation_notes(summary),
    ]
    if summary.one_image_scenario == OLD_ONE_IMAGE:
        lines.append("One image: this older run predicted the same test image again and again, an easy case.")
    elif summary.one_image_scenario:
        lines.append("One image: mean time of a call that predicts one image, over different test images.")
    owners = {row.name: prediction_owner(row.name) for row in summary.contenders if not row.one_image}
    lines += [
        f"{name} predicts with the same code as {owner}: see the time in that row."
        for name, owner in owners.items()
        if owner != name
    ]
    lines += _one_setting(summary)
    if seeds := max((row.test_error.samples for row in summary.contenders if row.test_error), default=0):
        lines.append(f"Test error: mean over {seeds} seeds, each trained on all threads.")
    lines += disturbed.notes(summary.ratios.interleaved)
    lines += caveats({row.name for row in summary.contenders})
    lines += [f"{name} is not installed: {command}" for name, command in summary.run.record.not_installed.items()]
    return lines


def caveats(names: set[str]) -> list[str]:
    """Return the caveats that belong beside the numbers of some contenders.

    Parameters
    ----------
    names : set of str
        Names of contenders. Unknown names, as in old runs, are ignored.

    Returns
    -------
    caveats : list of str
        One per contender that has a note, sorted by name.
    """
    known = sorted(names & set(contenders.names()))
    return [f"{name}: {contenders.entry(name).note}" for name in known if contenders.entry(name).note]


def _preparation_notes(summary: Summary) -> list[str]:
    if not summary.preparations.known:
        return []
    text = (
        "Preparation: time from uint8 images in memory to a contender that is ready to train; not included in the "
        "epoch. Break-even: number of epochs after which the contender has overtaken NumPy, including the preparation "
        "of both."
    )
    if not summary.preparations.in_turns:
        text += " This run measured preparations in separate processes, on one thread."
    return [text]


def _one_setting(summary: Summary) -> list[str]:
    """Name the contenders that were timed at only one thread setting while others were timed at both."""
    settings = summary.run.record.threads
    timed = set(summary.ratios.labels(EPOCH))
    trained = [row.name for row in summary.contenders if row.epoch]
    fixed = [name for name in trained if len(timed & {(name, setting) for setting in SETTINGS}) == 1]
    if len(settings) > 1 or not fixed:
        return []
    setting = "1 thread" if settings == ["1"] else "all threads"
    return [f"{', '.join(fixed)}: timed only on {setting}; `nnkernels bench --threads 1,all` measures both settings."]


def _fewer_runs(summary: Summary) -> list[str]:
    """Name the contenders that have numbers from only some of the pooled runs."""
    runs = len(summary.run.each)
    fewer = {}
    for row in summary.contenders:
        estimates = [row.epoch, row.one_image, *(ratio.estimate for ratio in row.ratios)]
        least = min((estimate.samples for estimate in estimates if estimate), default=runs)
        if runs > 1 and least < runs:
            fewer[row.name] = least
    return [f"{name}: some values are from only {least} of the {runs} runs." for name, least in fewer.items()]


def _dashes(summary: Summary) -> list[str]:
    """Explain why a contender that trains has no ratio, or only one against the other's slower setting."""
    lines = []
    trained = [row for row in summary.contenders if row.epoch]
    others = {BASELINE: "to_numpy", keras_forms.DEFAULT: "to_keras", summary.best_keras: "to_best_keras"}
    for other, field in others.items():
        ratios = {row.name: getattr(row, field) for row in trained}
        absent = [name for name, ratio in ratios.items() if ratio is None]
        slower = [name for name, ratio in ratios.items() if ratio and not ratio.is_faster]
        if absent and other:
            together = f"no process timed {other} together with {', '.join(absent)}"
            reason = together if other in ratios else f"{other} was not timed"
            lines.append(f"A dash: {reason}, so there is no paired ratio.")
        if slower:
            lines.append(
                f"A star (*) marks a ratio to {other} at its slower thread setting: no process timed "
                f"{', '.join(slower)} together with {other} at its faster one."
            )
    return lines


def _preparation(row: ContenderSummary, interval: bool) -> str:
    if not row.preparation:
        return "-"
    setting = "" if row.preparation.threads == row.threads else f" ({row.preparation.threads} thread)"
    return formats.time(row.preparation.estimate, interval) + setting


def _ratio(ratio: PairedRatio | None, interval: bool) -> str:
    if ratio is None:
        return "-"
    return formats.ratio(ratio.estimate, interval) + ("" if ratio.is_faster else "*")
