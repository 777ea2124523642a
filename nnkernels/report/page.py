"""The page of one run: a self-contained HTML file with charts, tables and provenance."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nnkernels import kernels, plots
from nnkernels.files import write_text
from nnkernels.report import formats, glance
from nnkernels.report.headline import headline
from nnkernels.report.layout import Column
from nnkernels.report.summary import ContenderSummary, Summary
from nnkernels.report.tables import RATIOS_NOTE, number_columns
from nnkernels.report.tidy import WORK, parameter_columns, records, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RUN_PAGE = "run.html"


def write_run_page(root: Path, summary: Summary) -> Path:
    """Write the page of a run to ``results/html/run.html``, with links to the other pages that exist.

    Parameters
    ----------
    root : Path
        The root of the checkout.
    summary : Summary
        The summary of the run.

    Returns
    -------
    path : Path
        The page.
    """
    html = root / "results" / "html"
    linked = [name if (html / name).is_file() else None for name in ("asv/index.html", "walkthrough.html")]
    write_text(html / RUN_PAGE, render(summary, *linked))
    return html / RUN_PAGE


def render(summary: Summary, asv_page: str | None, walkthrough_page: str | None = None) -> str:
    """Render the page of a run.

    Parameters
    ----------
    summary : Summary
        The summary of the run.
    asv_page : str or None
        Relative URL of asv's pages, if they were built.
    walkthrough_page : str or None
        Relative URL of the walkthrough, if there is one.

    Returns
    -------
    html : str
        The page, with the charts as inline SVG.
    """
    environment = Environment(
        loader=PackageLoader("nnkernels.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    table = tidy(summary.run, summary.ratios)
    rows = records(table)
    texts = ["benchmark", "contender", WORK, *parameter_columns(table)]
    every_number = [
        *(Column(name, [row[name] for row in rows]) for name in texts),
        Column("threads", [row["threads"] for row in rows], right=True),
        *number_columns(rows),
        Column("best Keras", [row["best_keras"] for row in rows], right=True),
    ]
    return environment.get_template("page.html.j2").render(
        headline=headline(summary),
        record=summary.run.record,
        runs=[run.record for run in summary.run.each],
        provenance=summary.run.record.provenance,
        columns=glance.columns(summary),
        notes=glance.notes(summary),
        forms=glance.forms_columns(summary) if summary.keras_forms else [],
        forms_notes=glance.forms_notes(summary),
        every_number=every_number,
        rows_note=RATIOS_NOTE,
        charts=[(Markup(_svg(figure)), caption) for figure, caption in _charts(summary)],
        asv_page=asv_page,
        walkthrough_page=walkthrough_page,
    )


def _charts(summary: Summary) -> list[tuple[Figure, str]]:
    """Return the charts of the page, each with its caption."""
    contenders = [contender for contender in summary.contenders if contender.epoch]
    charts = []
    if contenders:
        epochs = [contender.epoch for contender in contenders if contender.epoch]
        figure = plots.horizontal_comparison(
            _labels(contenders),
            [estimate.value for estimate in epochs],
            [(estimate.low, estimate.high) for estimate in epochs],
            [formats.duration(estimate.value) for estimate in epochs],
            _ours(contenders),
            "seconds per epoch, logarithmic (further left is better)",
            logarithmic=True,
        )
        caption = (
            "Time of a training epoch at the faster thread setting of each contender, with 95 % confidence intervals."
        )
        charts.append((figure, caption))
    judged = [contender for contender in summary.contenders if contender.test_error]
    if judged:
        errors = [contender.test_error for contender in judged if contender.test_error]
        figure = plots.horizontal_comparison(
            _labels(judged),
            [100 * estimate.value for estimate in errors],
            [(100 * estimate.low, 100 * estimate.high) for estimate in errors],
            [f"{100 * estimate.value:.2f} %" for estimate in errors],
            _ours(judged),
            "test error in percent (shorter is better)",
            logarithmic=False,
        )
        caption = "Misclassified test images after training, mean over seeds, with 95 % confidence intervals."
        charts.append((figure, caption))
    return charts


def _labels(contenders: list[ContenderSummary]) -> list[str]:
    return [contender.name for contender in contenders]


def _ours(contenders: list[ContenderSummary]) -> list[bool]:
    return [contender.name in kernels.names() for contender in contenders]


def _svg(figure: Figure) -> str:
    import matplotlib

    # Text is stored as text, not as outlines. So it can be searched, and the file is small.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "nnkernels", "font.family": "sans-serif"}):
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]
