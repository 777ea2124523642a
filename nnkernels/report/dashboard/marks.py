"""Vega-Lite specifications that several sections use: points with intervals, and curves."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nnkernels.report.dashboard import palette
from nnkernels.report.dashboard.legend import Entry, of_groups
from nnkernels.statistics import Estimate

if TYPE_CHECKING:
    import altair as alt

ROW_HEIGHT = 26  # pixels
CURVE_DASHES = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3))


@dataclass(frozen=True)
class Point:
    """A point with its interval.

    Attributes
    ----------
    row : str
        Its row, for example a contender.
    group : str
        What its colour and shape mean, for example its kind or its machine.
    estimate : Estimate
        The value and its interval, in the unit of the axis.
    text : str
        The value for people.
    name : str
        What it is, for the tooltip.
    """

    row: str
    group: str
    estimate: Estimate
    text: str
    name: str


def intervals(
    points: Sequence[Point],
    title: str,
    log: bool = False,
    reference: float | None = None,
    apart: bool = False,
    styles: dict[str, tuple[str, str]] | None = None,
) -> dict[str, Any]:
    """Return a chart of points with intervals, one row for each name.

    Parameters
    ----------
    points : sequence of Point
        The points. Rows are shown in the order in which they first appear.
    title : str
        The title of the axis, with its unit.
    log : bool, default: False
        Whether the axis is logarithmic.
    reference : float, optional
        Where to draw a vertical line, for example at a ratio of 1.
    apart : bool, default: False
        Whether the groups of a row are drawn below each other.
    styles : dict of str to (str, str), optional
        The colour and the shape of each group. By default those of the kinds of contenders.

    Returns
    -------
    spec : dict
        A Vega-Lite specification.
    """
    import altair as alt

    rows = list(dict.fromkeys(point.row for point in points))
    used = _groups(points)
    values = [_values(point) for point in points]
    scale = alt.Scale(type="log", nice=False, padding=12) if log else alt.Scale(zero=False)
    y: dict[str, Any] = {"y": alt.Y("row:N", sort=rows, title=None, scale=alt.Scale(paddingInner=0.2))}
    if apart and len(used) > 1:
        y["yOffset"] = alt.YOffset("group:N", sort=used)
    color, shape = _group_scales(used, styles or palette.KINDS)
    base = alt.Chart(alt.InlineData(values=values)).encode(color=color, **y)
    low = alt.X("low:Q", scale=scale, title=title)
    ranges = base.mark_rule(strokeWidth=2, aria=False).encode(x=low, x2="high:Q")
    dots = base.mark_point(aria=False, filled=True, opacity=1).encode(
        x=alt.X("value:Q", scale=scale, title=title, axis=_axis(values, log)),
        shape=shape,
        tooltip=[alt.Tooltip("name:N", title="what"), alt.Tooltip("text:N", title="value")],
    )
    layers = [ranges, dots]
    if reference is not None:
        line = alt.Chart(alt.InlineData(values=[{"value": reference}])).mark_rule(strokeDash=[3, 3], aria=False)
        layers.insert(0, line.encode(x=alt.X("value:Q", scale=scale, title=title)))
    height = ROW_HEIGHT * (1 + 0.5 * (len(used) - 1) * apart)
    return dict(alt.layer(*layers).properties(height=round(height * len(rows))).to_dict())


def group_legend(points: Sequence[Point], styles: dict[str, tuple[str, str]] | None = None) -> tuple[Entry, ...]:
    """Return the legend of a chart of :func:`intervals`.

    Parameters
    ----------
    points : sequence of Point
        The points.
    styles : dict of str to (str, str), optional
        The colour and the shape of each group. By default those of the kinds of contenders.

    Returns
    -------
    legend : tuple of Entry
        Empty for a single group.
    """
    return of_groups(_groups(points), styles or palette.KINDS)


def _groups(points: Sequence[Point]) -> list[str]:
    return list(dict.fromkeys(point.group for point in points))


def _axis(values: Sequence[dict[str, Any]], log: bool) -> alt.Axis:
    import altair as alt

    if not log:
        return alt.Axis(tickCount=5, labelOverlap=True)
    return alt.Axis(values=log_ticks([end for one in values for end in (one["low"], one["high"])]), labelOverlap=True)


def curves(rows: Sequence[dict[str, Any]], x: tuple[str, str], y: tuple[str, str], series: str) -> dict[str, Any]:
    """Return a chart of curves, which differ by colour and by dashes.

    Parameters
    ----------
    rows : sequence of dict
        The values.
    x, y : tuple of (str, str)
        The key of the values on each axis, and its title.
    series : str
        The key of the name of a curve.

    Returns
    -------
    spec : dict
        A Vega-Lite specification.
    """
    import altair as alt

    legend = curve_legend(rows, series)
    names = [entry.name for entry in legend]
    colours = alt.Scale(domain=names, range=[entry.colour for entry in legend])
    dashes = alt.Scale(domain=names, range=[list(entry.dashes) for entry in legend])
    chart = alt.Chart(alt.InlineData(values=list(rows))).mark_line(aria=False)
    encoded = chart.encode(
        x=alt.X(f"{x[0]}:Q", title=x[1], axis=alt.Axis(tickCount=6, grid=False, labelOverlap=True)),
        y=alt.Y(f"{y[0]}:Q", title=y[1], scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=5)),
        color=alt.Color(f"{series}:N", scale=colours, legend=None),
        strokeDash=alt.StrokeDash(f"{series}:N", scale=dashes, legend=None),
    )
    return dict(encoded.properties(height=240).to_dict())


def curve_legend(rows: Sequence[dict[str, Any]], series: str) -> tuple[Entry, ...]:
    """Return the legend of a chart of :func:`curves`.

    Parameters
    ----------
    rows : sequence of dict
        The values.
    series : str
        The key of the name of a curve.

    Returns
    -------
    legend : tuple of Entry
        One entry for each curve.
    """
    styles = palette.series(list(dict.fromkeys(row[series] for row in rows)))
    return tuple(
        Entry(name, colour, dashes=CURVE_DASHES[index % len(CURVE_DASHES)])
        for index, (name, (colour, _dashes)) in enumerate(styles.items())
    )


def log_ticks(values: Sequence[float]) -> list[float]:
    """Return where a logarithmic axis has ticks: at 1, 2 and 5 times powers of ten, or only at these powers.

    Parameters
    ----------
    values : sequence of float
        Positive values that the axis shows.

    Returns
    -------
    ticks : list of float
        At most about eight; those between the least and the greatest value, and one beyond each of them.
    """
    low, high = min(values), max(values)
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    steps = (1, 2, 5) if high / low < 100 else (1,)
    ticks = [float(f"{step}e{power}") for power in powers for step in steps]
    inside = [tick for tick in ticks if low <= tick <= high]
    before, after = ticks[bisect(ticks, low) - 1], ticks[bisect(ticks, high)]
    return inside if len(inside) > 2 else [before, *inside, after]


def _values(point: Point) -> dict[str, Any]:
    found = point.estimate
    # An interval of a single sample is unknown. JSON has no NaN, and a rule without length is not seen.
    low, high = (found.low, found.high) if found.low == found.low else (found.value, found.value)
    return {
        "row": point.row,
        "group": point.group,
        "value": found.value,
        "low": low,
        "high": high,
        "text": point.text,
        "name": point.name,
    }


def _group_scales(used: list[str], styles: dict[str, tuple[str, str]]) -> tuple[alt.Color, alt.Shape]:
    import altair as alt

    color = alt.Scale(domain=used, range=[styles[name][0] for name in used])
    shape = alt.Scale(domain=used, range=[styles[name][1] for name in used])
    return alt.Color("group:N", scale=color, legend=None), alt.Shape("group:N", scale=shape, legend=None)
