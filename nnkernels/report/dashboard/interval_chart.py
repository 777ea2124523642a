"""Charts of values with intervals on a logarithmic axis: one row each, kinds told apart by shape and colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nnkernels.report.dashboard import palette

STEP = 24  # pixels from row to row
HEADING = "heading"
_AFTER = 44  # pixels kept free for the number that is written after an interval
_CHARACTER = 7  # pixels, about the mean width of a character
_ID = 3  # digits before a label, because several groups may have the same label
_SECONDS = (
    "datum.value < 1e-6 ? format(datum.value * 1e9, ',~r') + ' ns'"
    " : datum.value < 1e-3 ? format(datum.value * 1e6, ',~r') + ' us'"
    " : datum.value < 1 ? format(datum.value * 1e3, ',~r') + ' ms' : format(datum.value, ',~r') + ' s'"
)
TICK_LABELS = {"ratio": "format(datum.value, ',~r') + 'x'", "seconds": _SECONDS}
_STEPS = ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))
MOST_TICKS = 5  # at most, so that they fit a narrow screen


@dataclass(frozen=True)
class Row:
    """A row of an interval chart.

    Attributes
    ----------
    label : str
        The name of the row, or the heading of the rows that follow.
    kind : str
        A key of :data:`~nnkernels.report.dashboard.palette.KINDS`, or :data:`HEADING`.
    value, low, high : float
        The value and the ends of its interval. NaN for the ends if there is no interval.
    text : str
        The formatted value, which is written after the interval.
    detail : str
        What the tooltip says.
    """

    label: str
    kind: str = HEADING
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    text: str = ""
    detail: str = ""


def row_data(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows as data of the chart.

    Parameters
    ----------
    rows : sequence of Row
        The rows.

    Returns
    -------
    data : list of dict
        Their fields, with six digits. The ends of a missing interval are the value itself.
    """
    return [_fields(index, row) for index, row in enumerate(rows)]


def interval_chart(rows: Sequence[Row], title: str, unit: str = "ratio") -> dict[str, Any]:
    """Return the specification of an interval chart.

    Parameters
    ----------
    rows : sequence of Row
        The rows, from top to bottom.
    title : str
        The title of the axis.
    unit : str, default: "ratio"
        ``ratio``, which also draws a line at 1, or ``seconds``.

    Returns
    -------
    spec : dict
        The specification. Its parameter ``ticks`` has the positions of the axis labels, and its data set is named
        ``rows``, so that a script of the page can show other rows.
    """
    import altair as alt

    data = row_data(rows)
    colours, shapes = ([pair[index] for pair in palette.KINDS.values()] for index in range(2))
    kinds = list(palette.KINDS)
    ticks = alt.param(name="ticks", value=tick_values(data, unit))
    axis = alt.Axis(values=alt.ExprRef("ticks"), labelExpr=TICK_LABELS[unit], title=title)
    x = alt.X("low:Q", scale=alt.Scale(type="log", nice=False, padding=_AFTER), axis=axis)
    names = alt.Axis(labelExpr=f"slice(datum.value, {_ID})", labelLimit=170)
    colour = alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=colours), legend=None)
    shape = alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=shapes), legend=None)
    base = alt.Chart(alt.NamedData("rows")).encode(
        y=alt.Y("id:N", sort="ascending", title=None, axis=names), tooltip=alt.Tooltip("detail:N", title=" ")
    )
    shown = base.transform_filter(f"datum.kind !== '{HEADING}'")
    headings = base.transform_filter(f"datum.kind === '{HEADING}'").encode(x=alt.value(0), text="label:N")
    longest = max((len(row.label) for row in rows if row.kind != HEADING), default=0)
    # Headings start where the longest label does, so that they also fit a narrow screen.
    bold: dict[str, Any] = {"align": "left", "fontWeight": "bold", "dx": -_CHARACTER * longest}
    # The style sheet draws it beneath the letters, so that no line crosses them.
    halo: dict[str, Any] = {"stroke": palette.PAGE, "strokeWidth": 5, "strokeJoin": "round"}
    layers: list[Any] = [
        headings.mark_text(**bold, **halo),
        shown.mark_rule(strokeWidth=2, strokeCap="round").encode(x=x, x2="high:Q", color=colour),
        shown.mark_point(size=80, opacity=1).encode(x="value:Q", color=colour, shape=shape),
        shown.mark_text(align="left", dx=9, **halo).encode(x="high:Q", text="text:N"),
    ]
    if unit == "ratio":
        one = alt.Chart(alt.InlineData([{}])).mark_rule(color=palette.SOFT, strokeDash=[4, 3], strokeWidth=1)
        layers.insert(0, one.encode(x=alt.datum(1, type="quantitative")))
    spec = alt.layer(*layers).properties(height=STEP * len(rows)).add_params(ticks).to_dict()
    spec.pop("config", None)
    return spec | {"datasets": {"rows": data} | spec.get("datasets", {})}


def tick_values(data: Sequence[dict[str, Any]], unit: str) -> list[float]:
    """Return the positions of axis labels: round numbers within the range of the intervals, at most :data:`MOST_TICKS`.

    Parameters
    ----------
    data : sequence of dict
        The data of the rows.
    unit : str
        ``ratio``, whose axis always contains 1, or ``seconds``.

    Returns
    -------
    values : list of float
        Ascending.
    """
    ends = [row[end] for row in data for end in ("low", "high") if row["kind"] != HEADING]
    ends += [1.0] if unit == "ratio" or not ends else []
    low, high = min(ends), max(ends)
    within = [[value for value in values if low / 1.05 <= value <= high * 1.05] for values in candidates()]
    return next((values for values in within if len(values) <= MOST_TICKS), within[-1])


def candidates() -> list[list[float]]:
    """Return the positions that axis labels may have, from the densest to the sparsest.

    Returns
    -------
    values : list of list of float
        From a nanosecond to a million, ascending.
    """
    return [[float(f"{step}e{decade}") for decade in range(-9, 7) for step in steps] for steps in _STEPS]


def _fields(index: int, row: Row) -> dict[str, Any]:
    name = "" if row.kind == HEADING else row.label
    fields: dict[str, Any] = {"id": f"{index:0{_ID}d}{name}", "label": row.label, "kind": row.kind}
    if row.kind == HEADING:
        return fields
    known = math.isfinite(row.low) and math.isfinite(row.high)
    ends = {"value": row.value, "low": row.low if known else row.value, "high": row.high if known else row.value}
    return fields | {name: float(f"{end:.6g}") for name, end in ends.items()} | {"text": row.text, "detail": row.detail}
