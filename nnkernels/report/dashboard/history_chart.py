"""The chart of a series over the runs of a machine: intervals, the band that the past predicts, and breaks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nnkernels.report.dashboard import palette
from nnkernels.report.dashboard.commits import SHORT
from nnkernels.report.dashboard.history import IMPROVEMENT, REGRESSION
from nnkernels.report.dashboard.series import Point, Series
from nnkernels.report.formats import ratio, significant

HEIGHT = 260
NEXT = "next"  # short, because it stands at the edge
TOO_FEW, WITHIN, OUTSIDE = "too few past runs", "as expected", "outside the band, not significant"
# Colour, shape and whether the mark is filled.
VERDICTS = {
    WITHIN: (palette.INK, "circle"),
    TOO_FEW: (palette.SOFT, "cross"),
    OUTSIDE: (palette.SOFT, "diamond"),
    IMPROVEMENT: (palette.BETTER, "triangle-up"),
    REGRESSION: (palette.WORSE, "triangle-down"),
}
_ID = 4  # digits before a label, because several runs may have the same date


def point_data(series: Series, directions: Mapping[str, str], most: int) -> list[dict[str, Any]]:
    """Return the newest points of a series as data of the chart, and the band of the next run.

    Parameters
    ----------
    series : Series
        The series.
    directions : mapping of str to str
        The direction of the change of each run in which the series has one.
    most : int
        How many points.

    Returns
    -------
    data : list of dict
        Oldest first.
    """
    points = series.points[-most:]
    data = [_fields(place, point, directions.get(point.run_id, "")) for place, point in enumerate(points)]
    if found := next_band(series):
        low, high, text = found
        data.append(
            {"id": f"{len(points):0{_ID}d}{NEXT}", "detail": text, "breaks": "", "bandLow": low, "bandHigh": high}
        )
    return data


def next_band(series: Series) -> tuple[float, float, str] | None:
    """Return what is expected of the next run.

    Parameters
    ----------
    series : Series
        The series.

    Returns
    -------
    band : tuple of (float, float, str) or None
        The ends of the prediction interval, and a text. None with too few runs.
    """
    if series.next_band is None:
        return None
    text = f"expected of the next run: {ratio(series.next_band)}"
    return _rounded(series.next_band.low), _rounded(series.next_band.high), text


def compact(
    series: Series, directions: Mapping[str, str], most: int, places: Mapping[str, int]
) -> list[list[float | int | str]]:
    """Return the newest points of a series for the page's script, without what all series of a machine share.

    Parameters
    ----------
    series : Series
        The series.
    directions : mapping of str to str
        The direction of the change of each run in which the series has one.
    most : int
        How many points.
    places : mapping of str to int
        The place of each run in the list of runs.

    Returns
    -------
    points : list of list
        For each point, oldest first: place of the run, value, low, high, low and high of the band, place of the verdict
        in :data:`VERDICTS`, segment, text, and what changed since the run before.
    """
    found: list[list[float | int | str]] = []
    for point in series.points[-most:]:
        direction = directions.get(point.run_id, "")
        fields = _fields(0, point, direction)
        numbers = [fields[name] for name in ("value", "low", "high", "bandLow", "bandHigh")]
        judged = list(VERDICTS).index(verdict(point, direction))
        found.append([places[point.run_id], *numbers, judged, point.segment, _text(point), fields["breaks"]])
    return found


def run_text(recorded_at: str, commit: str, profile: str) -> str:
    """Return a name of a run for tooltips.

    Parameters
    ----------
    recorded_at, commit, profile : str
        Of the record of the run.

    Returns
    -------
    text : str
        For example ``2026-11-28 21:43, 54a7b111dfeb, standard``.
    """
    return f"{recorded_at[:16].replace('T', ' ')}, {commit[:SHORT]}, {profile}"


def verdict(point: Point, direction: str) -> str:
    """Return what the past says about a point.

    Parameters
    ----------
    point : Point
        The point.
    direction : str
        The direction of its change; empty if there is none.

    Returns
    -------
    verdict : str
        A key of :data:`VERDICTS`.
    """
    if direction:
        return direction
    if point.band is None:
        return TOO_FEW
    return OUTSIDE if point.outside else WITHIN


def history_chart(data: Sequence[dict[str, Any]], title: str) -> dict[str, Any]:
    """Return the specification of the chart.

    Parameters
    ----------
    data : sequence of dict
        As :func:`point_data` returns it.
    title : str
        The title of the axis.

    Returns
    -------
    spec : dict
        The specification. Its data set is named ``points``, so that a script of the page can show another series.
    """
    import altair as alt

    names = list(VERDICTS)
    colours, shapes = ([style[index] for style in VERDICTS.values()] for index in range(2))
    axis = alt.Axis(
        labelExpr=f"slice(datum.value, {_ID})",
        labelAngle=0,
        labelOverlap="greedy",
        labelSeparation=12,
        title=None,
        grid=False,
    )
    x = alt.X("id:O", axis=axis, scale=alt.Scale(padding=0))
    y = alt.Y("low:Q", scale=alt.Scale(zero=False), title=title, axis=alt.Axis(tickCount=5))
    base = alt.Chart(alt.NamedData("points")).encode(x=x, tooltip=alt.Tooltip("detail:N", title=" "))
    shown = base.transform_filter("isValid(datum.value)")
    colour = alt.Color("verdict:N", scale=alt.Scale(domain=names, range=colours), legend=None)
    shape = alt.Shape("verdict:N", scale=alt.Scale(domain=names, range=shapes), legend=None)
    layers = [
        base.mark_bar(color=palette.BAND, opacity=1).encode(y="bandLow:Q", y2="bandHigh:Q"),
        base.transform_filter("datum.breaks !== ''")
        .mark_rule(color=palette.SOFT, strokeDash=[3, 3])
        .encode(x=alt.X("id:O", bandPosition=0)),
        shown.mark_line(color=palette.SOFT, strokeWidth=1).encode(y="value:Q", detail="segment:N"),
        shown.mark_rule(strokeWidth=2).encode(y=y, y2="high:Q", color=colour),
        shown.mark_point(size=70, opacity=1).encode(y="value:Q", color=colour, shape=shape),
    ]
    spec = alt.layer(*layers).properties(height=HEIGHT).to_dict()
    spec.pop("config", None)
    return spec | {"datasets": {"points": list(data)}}


def _fields(place: int, point: Point, direction: str) -> dict[str, Any]:
    estimate = point.estimate
    known = math.isfinite(estimate.low)
    low, high = (estimate.low, estimate.high) if known else (estimate.value, estimate.value)
    # Without a band, a bar of no height, so that the chart of each series has the same layers.
    band = _band(point.band.low, point.band.high) if point.band else _band(estimate.value, estimate.value)
    found = verdict(point, direction)
    breaks = "; ".join(point.breaks)
    run = run_text(point.recorded_at, point.commit, point.profile)
    return {
        "id": f"{place:0{_ID}d}{point.recorded_at[5:10]}",
        **{name: _rounded(end) for name, end in (("value", estimate.value), ("low", low), ("high", high))},
        **band,
        "verdict": found,
        "segment": point.segment,
        "breaks": breaks,
        "detail": f"{run}: {_text(point)}; {found}" + (f"; changed since: {breaks}" if breaks else ""),
    }


def _text(point: Point) -> str:
    expected = f", expected {significant(point.band.low)} to {significant(point.band.high)}" if point.band else ""
    return f"{ratio(point.estimate)}{expected}"


def _band(low: float, high: float) -> dict[str, float]:
    return {"bandLow": _rounded(low), "bandHigh": _rounded(high)}


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
