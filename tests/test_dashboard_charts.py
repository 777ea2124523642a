"""Charts of the dashboard: static drawings that do not depend on the system and are themed by the page."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from nnkernels.report.dashboard import charts, palette
from nnkernels.report.dashboard.charts import Chart
from nnkernels.report.dashboard.interval_chart import HEADING, STEP, Row, interval_chart, row_data, tick_values

ROWS = [
    Row("some machine"),
    Row("fused", "from scratch", 9.1, 8.3, 10.0, "9.10", "fused is 9.10 times as fast"),
    Row("<script>alert(1)</script>", "framework", 0.5, math.nan, math.nan, "0.500"),
    Row("another machine"),
    Row("fused", "from scratch", 6.0, 5.5, 6.5, "6.00"),
]
CHART = Chart("speed", "Speed", "It is fast.", "Intervals.", interval_chart(ROWS, "times as fast"))
DRAW = """
import json, sys
from nnkernels.report.dashboard.charts import Chart, static_svg
sys.stdout.write(static_svg(Chart("speed", "", "", "", json.load(sys.stdin)), 320))
"""


def drawn(width: int = charts.NARROW) -> ElementTree.Element:
    return ElementTree.fromstring(charts.static_svg(CHART, width))


def texts(svg: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in svg.iter("{http://www.w3.org/2000/svg}text")]


def test_drawing_shows_every_row_with_its_number() -> None:
    found = texts(drawn())
    for row in ROWS:
        assert row.label in found
        assert row.text == "" or row.text in found


@pytest.mark.parametrize("width", [charts.NARROW, charts.WIDE])
def test_drawing_has_given_width_and_no_text_beyond_it(width: int) -> None:
    svg = drawn(width)
    assert svg.get("viewBox", "").split()[2] == str(width)
    assert int(svg.get("height", 0)) >= STEP * len(ROWS)


def test_drawing_takes_colours_and_fonts_from_page() -> None:
    svg = charts.static_svg(CHART, charts.WIDE)
    colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', svg))
    assert palette.SCRATCH in colours
    assert palette.FRAMEWORK in colours
    assert {colour for colour in colours if not colour.startswith("var(--")} <= {"none", "transparent"}
    assert set(re.findall(r"var\(--([\w-]+)\)", svg)) <= palette.VARIABLES.keys()
    assert "font-family" not in svg


def test_kinds_differ_by_shape_and_by_colour() -> None:
    assert len({colour for colour, _shape in palette.KINDS.values()}) == len(palette.KINDS)
    assert len({shape for _colour, shape in palette.KINDS.values()}) == len(palette.KINDS)


def test_drawing_does_not_depend_on_fonts_of_system_nor_on_earlier_drawings() -> None:
    drawn()  # ids count up within a process
    alone = subprocess.run(
        [sys.executable, "-c", DRAW],
        input=json.dumps(CHART.spec),
        env={
            **os.environ,
            "HOME": "/nonexistent",
            "FONTCONFIG_PATH": "/nonexistent",
            "FONTCONFIG_FILE": "/nonexistent",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert alone.stdout == charts.static_svg(CHART, 320)


def test_points_of_samples_are_circles() -> None:
    values = [{"x": number, "y": number % 3} for number in range(5)]
    axes = {name: {"field": name, "type": "quantitative"} for name in ("x", "y")}
    mark = {"type": "point", "shape": "circle", "filled": True, "size": 16}
    spec = {"mark": mark, "data": {"values": values}, "encoding": axes}
    svg = ElementTree.fromstring(charts.static_svg(Chart("points", "", "", "", spec), charts.NARROW))
    circles = list(svg.iter("{http://www.w3.org/2000/svg}circle"))
    assert [circle.get("r") for circle in circles] == ["2"] * 5
    assert len({circle.get("transform") for circle in circles}) == 5


def test_ids_are_unique_within_page() -> None:
    clipped = {
        "mark": {"type": "point", "clip": True},
        "data": {"values": [{"a": 1}]},
        "encoding": {"x": {"field": "a"}},
    }
    found = [
        re.findall(r'id="([^"]+)"', charts.static_svg(Chart(name, "", "", "", clipped), width))
        for name in ("one", "two")
        for width in (320, 680)
    ]
    assert all(found)
    ids = [name for names in found for name in names]
    assert len(set(ids)) == len(ids)


def test_own_configuration_has_precedence_over_theme() -> None:
    themed = charts.themed({"mark": "bar", "config": {"axis": {"labelFontSize": 20}}}, "serif")
    assert themed["config"]["axis"]["labelFontSize"] == 20
    assert themed["config"]["axis"]["titleFontSize"] == charts.FONT_SIZE
    assert themed["config"]["font"] == "serif"


def test_composed_view_keeps_its_width() -> None:
    assert "autosize" not in charts.themed({"hconcat": []}, "serif")


def test_rows_with_equal_labels_stay_apart_and_in_order() -> None:
    data = row_data(ROWS)
    ids = [row["id"] for row in data]
    assert ids == sorted(set(ids))
    assert [row["kind"] for row in data].count(HEADING) == 2
    assert "value" not in data[0]


def test_missing_interval_is_no_interval() -> None:
    found = row_data(ROWS)[2]
    assert found["low"] == found["value"] == found["high"] == 0.5


@pytest.mark.parametrize(
    ("ends", "unit", "expected"),
    [
        ((2, 10), "ratio", [1, 2, 5, 10]),
        ((1.1, 1.6), "ratio", [1, 1.5]),
        ((0.001, 1000), "ratio", [0.001, 0.01, 0.1, 1, 10, 100, 1000]),
        ((0.02, 0.5), "seconds", [0.02, 0.05, 0.1, 0.2, 0.5]),
    ],
)
def test_axis_has_few_round_labels(ends: tuple[float, float], unit: str, expected: list[float]) -> None:
    assert tick_values([{"low": ends[0], "high": ends[1], "kind": "framework"}], unit) == expected


def test_series_repeat_colours_only_with_other_dashes() -> None:
    styles = palette.series([f"series {number}" for number in range(20)])
    assert len({(colour, tuple(dashes)) for colour, dashes in styles.values()}) == 20
