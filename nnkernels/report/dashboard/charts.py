"""A chart of the page: one Vega-Lite specification, drawn statically and, in the browser, interactively."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from nnkernels.errors import MissingDependencyError
from nnkernels.report.dashboard import palette
from nnkernels.report.dashboard.legend import Entry

NARROW, WIDE = 320, 680  # pixels; the style sheet shows one of the two static drawings, by the width of the figure
# Static drawings are measured with this font, which comes with Matplotlib, so they do not depend on the fonts of the
# system. It is wider than most others, so the text also fits in the font that the browser chooses.
MEASURED_FONT = "DejaVu Sans"
FONT_SIZE = 12
_COMPOSED = ("facet", "hconcat", "vconcat", "concat", "repeat")
# What an embedded drawing does not need: roles (the figure has one), defaults, and frames that draw nothing.
_DROPPED = re.compile(
    r' (?:role|aria-[a-z]+|pointer-events|font-family|class|opacity="1"|stroke-width="1"|xmlns:xlink|version'
    rf'|font-size="{FONT_SIZE}px")(?:="[^"]*")?(?= |/|>)'
)
_INVISIBLE = re.compile(r'<path class="(?:background|foreground)"(?:(?!fill=|stroke=)[^>])*/>')
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
# Vega draws a point as two arcs. A chart of samples has hundreds of points.
_POINT = re.compile(r'd="M([\d.]+),0A\1,\1,0,1,1,-\1,0A\1,\1,0,1,1,\1,0"')
_TAG = re.compile(r"<[^>]+>")
_ID = re.compile(r'(id="|url\(#|href="#)([A-Za-z_]+)(\d+)')


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
        The Vega-Lite specification of a single or layered view, as Altair's ``to_dict`` returns it, without theme and
        width. Colours are those of :mod:`~nnkernels.report.dashboard.palette`. A composed view (facets, concatenation)
        keeps its own width. It has no legend, which a narrow chart would cut.
    legend : tuple of Entry, optional
        What colours, shapes and dashes mean.
    """

    name: str
    title: str
    sentence: str
    alternative: str
    spec: dict[str, Any]
    legend: tuple[Entry, ...] = ()


def themed(spec: dict[str, Any], font: str) -> dict[str, Any]:
    """Add the theme of the page to a specification.

    Parameters
    ----------
    spec : dict
        The specification. Its own configuration has precedence.
    font : str
        The font family.

    Returns
    -------
    spec : dict
        A new specification, without the width of a single or layered view.
    """
    return fitted(spec) | {"config": _merged(theme(font), spec.get("config", {}))}


def fitted(spec: dict[str, Any]) -> dict[str, Any]:
    """Let a single or layered view fit a given width, with its axes and labels.

    Parameters
    ----------
    spec : dict
        The specification. A composed view (facets, concatenation) keeps its own width.

    Returns
    -------
    spec : dict
        A new specification, with the field ``autosize`` if it fits.
    """
    composed = any(kind in spec for kind in _COMPOSED)
    return spec if composed else {"autosize": {"type": "fit-x", "contains": "padding"}, **spec}


def static_svg(chart: Chart, width: int) -> str:
    """Draw a chart as SVG, independently of the fonts of the system.

    Parameters
    ----------
    chart : Chart
        The chart.
    width : int
        The width of the drawing in pixels. A composed view keeps its own.

    Returns
    -------
    svg : str
        An ``svg`` element, to be embedded in HTML. It takes its colours and its font from the page.
    """
    spec = themed(chart.spec, MEASURED_FONT)
    if "autosize" in spec:
        spec["width"] = width
    svg = str(_converter().vegalite_to_svg(spec))
    return _compact(svg, f"{chart.name}-{width}")


@cache
def browser_bundle() -> str:
    """Return the script that draws charts in the browser: Vega, Vega-Lite and Vega-Embed.

    Returns
    -------
    script : str
        It defines ``window.vegaEmbed``.
    """
    return str(_converter().javascript_bundle("window.vegaEmbed = vegaEmbed;"))


@cache
def _converter() -> Any:
    try:
        import vl_convert
    except ImportError as error:
        raise MissingDependencyError("the dashboard", "vl-convert-python", "publish") from error
    import matplotlib

    vl_convert.register_font_directory(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf"))
    return vl_convert


def theme(font: str) -> dict[str, Any]:
    """Return the theme of the page's charts.

    Parameters
    ----------
    font : str
        The font family.

    Returns
    -------
    config : dict
        Vega-Lite's configuration.
    """
    text = {"labelFontSize": FONT_SIZE, "titleFontSize": FONT_SIZE, "titleFontWeight": "normal"}
    colours = {"labelColor": palette.INK, "titleColor": palette.SOFT}
    return {
        "font": font,
        "background": None,
        "padding": 2,
        "view": {"stroke": None},
        "axis": {
            **text,
            **colours,
            "domainColor": palette.LINE,
            "gridColor": palette.LINE,
            "tickColor": palette.LINE,
            "labelLimit": 240,
            "labelPadding": 6,
            "titlePadding": 8,
        },
        # Beside long names of rows the plot is narrow; from its end, a title may also take the width of the names.
        "axisX": {"titleAnchor": "end"},
        "axisY": {"domain": False, "ticks": False},
        "header": {**text, **colours},
        "title": {"color": palette.INK, "fontSize": FONT_SIZE, "anchor": "start"},
        "text": {"color": palette.INK, "fontSize": FONT_SIZE},
        "rule": {"color": palette.SOFT},
        "point": {"filled": True, "size": 70, "color": palette.SCRATCH},
        "line": {"strokeWidth": 2, "color": palette.SCRATCH},
        "bar": {"color": palette.SCRATCH},
        "area": {"color": palette.BAND},
        "range": {"category": [colour for colour, _dashes in palette.series("1234567").values()]},
    }


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    both = {key: base[key] | changes[key] for key in base if isinstance(base[key], dict) and key in changes}
    return base | changes | both


def _compact(svg: str, prefix: str) -> str:
    """Remove what an embedded drawing does not need, round its numbers, and make its ids unique within the page."""
    numbers: dict[str, str] = {}

    def renumber(match: re.Match[str]) -> str:
        number = numbers.setdefault(match[2] + match[3], str(len(numbers)))
        return f"{match[1]}{prefix}-{match[2]}{number}"

    def clean(match: re.Match[str]) -> str:
        tag = _LONG_NUMBER.sub(lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), match[0])
        tag = _ID.sub(renumber, _DROPPED.sub("", tag))
        point = _POINT.search(tag)
        if point and tag.startswith("<path ") and tag.endswith("/>"):
            return tag.replace("<path ", "<circle ").replace(point[0], f'r="{point[1]}"')
        return tag

    return _TAG.sub(clean, _INVISIBLE.sub("", svg)).replace("<svg ", f'<svg font-size="{FONT_SIZE}px" ', 1)
