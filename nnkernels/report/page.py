"""The comparison page: one HTML file that needs nothing else, with pictures, tables and provenance."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nnkernels import kernels, plots
from nnkernels.report import formats, targets
from nnkernels.report.summary import ContenderSummary, Summary
from nnkernels.report.tidy import PAIRED, records

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def render(summary: Summary, asv_page: str | None, walkthrough_page: str | None = None) -> str:
    """Return the page of a run as HTML.

    Parameters
    ----------
    asv_page : str or None
        Relative address of asv's pages, if they were built.
    walkthrough_page : str or None
        Relative address of the walkthrough, if there is one.
    """
    environment = Environment(
        loader=PackageLoader("nnkernels.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        duration=formats.duration, ratio=formats.ratio, percent=formats.percent, significant=formats.significant
    )
    rows = [
        {
            **row,
            "paired": row["benchmark"] == PAIRED,
            "shown": formats.quantity(row["value"], row["unit"]),
        }
        for row in records(summary.rows)
    ]
    asked = targets.rows(summary.run, summary.rows)
    return environment.get_template("page.html.j2").render(
        summary=summary,
        record=summary.run.record,
        provenance=summary.run.record.provenance,
        rows=rows,
        headings=targets.HEADINGS,
        asked=asked if targets.any_measured(asked) else [],
        legend=targets.LEGEND,
        elsewhere=targets.elsewhere(summary.run),
        charts=[Markup(_svg(figure)) for figure in _charts(summary)],
        asv_page=asv_page,
        walkthrough_page=walkthrough_page,
        isnan=math.isnan,
    )


def _charts(summary: Summary) -> list[Figure]:
    contenders = [contender for contender in summary.contenders if contender.epoch_seconds.samples]
    charts = []
    if contenders:
        epochs = [contender.epoch_seconds for contender in contenders]
        charts.append(
            plots.horizontal_comparison(
                _labels(contenders),
                [estimate.value for estimate in epochs],
                [(estimate.low, estimate.high) for estimate in epochs],
                [formats.duration(estimate.value) for estimate in epochs],
                _ours(contenders),
                "seconds an epoch, logarithmic (further left is better)",
                logarithmic=True,
            )
        )
    judged = [contender for contender in summary.contenders if contender.test_error]
    if judged:
        errors = [contender.test_error for contender in judged if contender.test_error]
        charts.append(
            plots.horizontal_comparison(
                _labels(judged),
                [100 * estimate.value for estimate in errors],
                [(100 * estimate.low, 100 * estimate.high) for estimate in errors],
                [f"{100 * estimate.value:.2f} %" for estimate in errors],
                _ours(judged),
                "test error in percent, mean over seeds (shorter is better)",
                logarithmic=False,
            )
        )
    return charts


def _labels(contenders: list[ContenderSummary]) -> list[str]:
    return [contender.name for contender in contenders]


def _ours(contenders: list[ContenderSummary]) -> list[bool]:
    return [contender.name in kernels.names() for contender in contenders]


def _svg(figure: Figure) -> str:
    import matplotlib

    # Text stays text: it scales, it can be searched, and the file is small.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "nnkernels", "font.family": "sans-serif"}):
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]
