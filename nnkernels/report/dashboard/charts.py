"""A chart of the page: one Vega-Lite specification, drawn statically and, in the browser, interactively."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Chart:
    """A chart with its text.

    Attributes
    ----------
    name : str
        Unique within the page, of letters, digits and hyphens; the element's id is ``chart-NAME``.
    title : str
        The heading.
    sentence : str
        What the chart shows, with its main numbers.
    alternative : str
        The text alternative: what is drawn on which axis, and the values or where the table of them is.
    spec : dict
        The Vega-Lite specification, as Altair's ``to_dict`` returns it, without theme and width.
    """

    name: str
    title: str
    sentence: str
    alternative: str
    spec: dict[str, Any]


def static_svg(chart: Chart) -> str:
    """Draw a chart as SVG, independently of the fonts of the system.

    Parameters
    ----------
    chart : Chart
        The chart.

    Returns
    -------
    svg : str
        An ``svg`` element, to be embedded in HTML.
    """
    import vl_convert

    return str(vl_convert.vegalite_to_svg(chart.spec))
