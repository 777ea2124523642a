"""The dashboard's section on errors shows what `nnkernels errors` recorded of an accuracy run."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nnkernels.accuracy.record import FOLDER
from nnkernels.data import Dataset
from nnkernels.errors import ResultsError
from nnkernels.interchange import Network, Preprocessing
from nnkernels.learn import errors_report
from nnkernels.learn.errors_report import ErrorReport, write_report
from nnkernels.parameters import initial_parameters
from nnkernels.report import formats
from nnkernels.report.dashboard import recorded_errors
from nnkernels.report.dashboard.page import environment
from nnkernels.report.dashboard.recorded_errors import read_errors
from nnkernels.report.dashboard.sections import errors
from tests.made_up_collections import collection

RUN = "20260101T000000Z-0123abcd"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a published accuracy run."""
    folder = tmp_path / FOLDER / RUN
    published = SimpleNamespace(run=SimpleNamespace(folder=folder))
    monkeypatch.setattr(recorded_errors, "published_accuracy", lambda _root: published)
    return folder


@pytest.fixture
def recorded(digits: Dataset, run: Path, monkeypatch: pytest.MonkeyPatch) -> ErrorReport:
    """Record the errors of three untrained networks, which get most of 100 images wrong."""
    folder = run / "errors"
    folder.mkdir(parents=True)
    monkeypatch.setattr(errors_report, "save_figures", lambda *_: None)
    few = Dataset(digits.X_train[:600], digits.y_train[:600], digits.X_test[:100], digits.y_test[:100])
    networks = {f"{seed}.npz": Network(initial_parameters(seed), Preprocessing()) for seed in range(3)}
    return write_report(networks, few, "test", folder)


def damage(root: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = root / FOLDER / RUN / "errors" / "errors.json"
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content))


def html_of(root: Path) -> str:
    section = errors.build(collection(root))
    charts = {chart.name: chart.sentence for chart in section.charts}
    return environment().get_template("errors.html.j2").render(charts=charts, links={}, **section.values)


def test_section_shows_the_numbers_of_the_networks(recorded: ErrorReport, tmp_path: Path) -> None:
    page, found = html_of(tmp_path), recorded.answers
    assert f"error {formats.percent(found.error)} on 100 test images" in page
    assert f"Expected calibration error {formats.percent(recorded.calibration_error['width'])} (15 bins" in page
    shared = int(found.wrong.all(axis=0).sum())
    assert f"{shared} images are misclassified by all networks, {found.wrong.any(axis=0).sum()} by at least" in page
    for digit, error in enumerate(found.error_by_class):
        if error:
            text = re.escape(formats.percent(error, interval=False))
            assert re.search(rf'<th scope="row"[^>]*>{digit}</th>\s*<td[^>]*>\d+</td>\s*<td[^>]*>{text}', page)


def test_digits_are_those_with_the_least_probable_labels(recorded: ErrorReport, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    page, found = html_of(tmp_path), recorded.answers
    cells = re.findall(r'<li title="Image (\d+): (\d), read as (\d) by \d', page)
    assert [int(index) for index, _, _ in cells] == found.wrong_in_all[: errors.DIGITS].tolist()
    for index, true, reading in cells:
        assert int(true) == found.y[int(index)]
        assert int(reading) == found.readings(int(index))[0][0]
    strip = re.search(r"--strip: url\(data:image/png;base64,([^)]*)\)", page)
    assert strip
    pixels = np.asarray(image.open(io.BytesIO(base64.b64decode(strip[1]))).convert("L"), np.int16)
    for place, (index, _, _) in enumerate(cells):
        drawn = pixels[:, 28 * place : 28 * place + 28].ravel()
        assert np.abs(drawn - recorded.images.X[int(index)]).max() <= 9  # half of the distance of two greys


def test_reliability_chart_has_the_filled_bins(recorded: ErrorReport, tmp_path: Path) -> None:
    (chart,) = errors.build(collection(tmp_path)).charts
    bins = recorded.bins
    expected = 100 * bins.accuracy[bins.counts > 0]
    (values,) = [rows for rows in chart.spec["datasets"].values() if "count" in rows[0]]
    np.testing.assert_allclose([one["accuracy"] for one in values], expected, atol=0.006)
    assert [one["count"] for one in values] == bins.counts[bins.counts > 0].tolist()


def test_without_an_accuracy_run_the_section_names_the_command(tmp_path: Path) -> None:
    assert "No accuracy run is recorded; <code>nnkernels bench --profile accuracy</code>" in html_of(tmp_path)


def test_run_without_errors_names_the_command_that_records_them(run: Path, tmp_path: Path) -> None:
    page = html_of(tmp_path)
    assert f"results/accuracy/{RUN}: the errors of its networks are not recorded" in page
    assert f"<code>nnkernels errors results/accuracy/{RUN}/networks/*.safetensors --out" in page


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(version=99), "its version is 99"),
        (lambda content: content.pop("calibration"), "calibration"),
        (lambda content: content["digits"][0]["predicted"].pop(), "answers to image"),
        (lambda content: content["digits"][0].update(true=77), "answers to image"),
        (lambda content: content["digits"].pop() and content.update(columns=7), "not a picture of 196 x"),
        (lambda content: content["class_names"].append("ten"), "11 classes"),
        (lambda content: content.update(columns=0), "0 columns"),
    ],
)
def test_damaged_record_is_named(
    change: Callable[[dict[str, Any]], object], message: str, recorded: ErrorReport, tmp_path: Path
) -> None:
    read_errors(tmp_path)
    damage(tmp_path, change)
    with pytest.raises(ResultsError, match=rf"{RUN}/errors/errors\.json: damaged .*{message}.* records it again"):
        read_errors(tmp_path)


def test_missing_picture_is_an_error(recorded: ErrorReport, tmp_path: Path) -> None:
    (tmp_path / FOLDER / RUN / "errors" / "errors_digits.png").unlink()
    with pytest.raises(ResultsError, match="not recorded"):
        read_errors(tmp_path)
