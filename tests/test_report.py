"""From a recorded run to rows, tables and the page."""

from __future__ import annotations

import io
import json
import platform
import re
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from nnkernels.errors import ConfigurationError, ResultsError
from nnkernels.measure.records import write_run
from nnkernels.measure.works import ONE_IMAGE, PREPARATION
from nnkernels.report import formats, inventory, readme, side_by_side, tables
from nnkernels.report.page import render
from nnkernels.report.runs import find_run, load_run, pin
from nnkernels.report.summary import summarise
from nnkernels.report.tidy import COLUMNS, paired_ratio, tidy
from nnkernels.statistics import Estimate
from tests import synthetic

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"


def test_rows_have_the_documented_columns_and_one_row_a_measurement() -> None:
    rows = tidy(synthetic.run())
    assert list(rows.columns) == COLUMNS
    assert not rows.duplicated(["benchmark", "contender", "parameters", "threads"]).any()
    assert (rows.dataset == "mnist").all()
    assert set(rows.contender) == {"numpy", "numba", "keras-fit", "keras-graph"}


@pytest.mark.parametrize(
    ("contender", "threads", "to_numpy", "to_keras"),
    [
        # Against the other's faster setting: NumPy's is all threads (0.16 s), keras-fit's too (2.0 s).
        ("numba", "1", 0.16 / 0.10, 2.0 / 0.10),
        ("numba", "all", 0.16 / 0.12, 2.0 / 0.12),
        ("numpy", "1", 0.16 / 0.20, 2.0 / 0.20),
        ("numpy", "all", 1.0, 2.0 / 0.16),
        # A framework meets the other framework only at its own setting.
        ("keras-graph", "1", 0.16 / 0.4, 4.0 / 0.4),
        ("keras-fit", "1", 0.16 / 4.0, 1.0),
    ],
)
def test_paired_ratios_are_against_the_faster_setting(
    contender: str, threads: str, to_numpy: float, to_keras: float
) -> None:
    rows = tidy(synthetic.run()).set_index(["benchmark", "parameters", "contender", "threads"])
    row = rows.loc[("ratios", "work=epoch", contender, threads)]
    assert row.ratio_to_numpy == pytest.approx(to_numpy)
    assert row.ratio_to_keras == pytest.approx(to_keras)


def test_one_image_two_hundred_times_is_read_and_never_joined_with_one_image_of_1000() -> None:
    old, new = synthetic.run(), synthetic.run()
    for panel in new.panels:
        panel.seconds[ONE_IMAGE] = panel.seconds.pop("one image")
        panel.seconds[PREPARATION] = panel.seconds["epoch"]
    rows = tidy(new)
    assert set(rows[rows.parameters == f"work={ONE_IMAGE}"].unit) == {"seconds_per_call"}
    assert set(rows[rows.parameters == f"work={PREPARATION}"].unit) == {"seconds"}
    assert set(tidy(old)[tidy(old).parameters == "work=one image"].unit) == {"seconds_per_call"}
    joined = side_by_side.side_by_side(new, old).set_index("parameters")
    assert joined.loc["work=10,000 images"][["value", "value_against"]].notna().all().all()
    assert joined.loc[f"work={ONE_IMAGE}"].value.notna().all()
    assert joined.loc[f"work={ONE_IMAGE}"].value_against.isna().all()
    assert joined.loc["work=one image"].value.isna().all()
    assert joined.loc["work=one image"].value_against.notna().all()


def test_the_list_of_backends_says_whose_functions_are_shared() -> None:
    console = Console(file=io.StringIO(), width=100)
    console.print(inventory.backends_table())
    rows = {row.split()[0]: " ".join(row.split()[1:]) for row in console.file.getvalue().splitlines() if row.strip()}
    assert rows["numba"] == "yes"
    assert rows["fused"] == "yes numba (kernels)"
    assert rows["fused_dense"] == "yes numba (kernels), fused (predictions)"


def test_paired_ratio_does_not_see_how_fast_the_processes_were() -> None:
    estimate = paired_ratio(synthetic.run().panels, "epoch", "numba", "1", "keras-fit")
    assert estimate is not None
    assert estimate.value == pytest.approx(20.0)
    assert estimate.low == pytest.approx(20.0)  # the processes differ by 40 %, the ratios not at all
    assert estimate.high == pytest.approx(20.0)
    assert estimate.samples == 4
    assert paired_ratio(synthetic.run().panels, "epoch", "numba", "1", "absent") is None


def test_error_rates_are_means_and_their_ratio_says_who_is_better() -> None:
    rows = tidy(synthetic.run())
    errors = rows[rows.benchmark == "accuracy.ErrorRate.track_test"].set_index("contender")
    assert errors.loc["numpy", "value"] == pytest.approx(0.05)
    assert errors.loc["numpy", "ratio_to_keras"] == pytest.approx(2.0)
    assert errors.loc["numpy", "samples"] == 2


def test_what_was_not_measured_has_no_row() -> None:
    rows = tidy(synthetic.run())
    epochs = rows[rows.benchmark == "training.Epoch.time_epoch"]
    assert sorted(epochs.contender) == ["keras-fit", "numpy"]
    assert set(epochs.threads) == {"1"}


@pytest.mark.parametrize("format_name", ["json", "csv", "md"])
def test_exports_hold_every_row(format_name: str) -> None:
    rows = tidy(synthetic.run())
    text = tables.export(rows, format_name)
    if format_name == "json":
        parsed = pd.DataFrame(json.loads(text))
    elif format_name == "csv":
        parsed = pd.read_csv(io.StringIO(text))
    else:
        lines = [line.strip("| ").split(" | ") for line in text.splitlines()]
        parsed = pd.DataFrame(lines[2:], columns=lines[0])
    assert list(parsed.columns) == COLUMNS
    assert len(parsed) == len(rows)
    assert list(parsed.contender) == list(rows.contender)
    assert pd.to_numeric(parsed.value).to_numpy() == pytest.approx(rows.value.to_numpy(), rel=1e-5)


def test_unknown_format() -> None:
    with pytest.raises(ConfigurationError, match="known are: table, json, csv, md"):
        tables.export(tidy(synthetic.run()), "xml")


@pytest.mark.parametrize("width", [80, 150])
def test_summary_table_fits_and_says_it_all(width: int) -> None:
    summary = summarise(synthetic.run(not_installed={"other": "pip install 'nnkernels[peers]'"}))
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(tables.summary_table(summary, width))
    text = console.export_text()
    assert "…" not in text
    assert "is not installed" in text
    assert max(len(line) for line in text.splitlines()) <= width
    assert [line.split()[0] for line in text.splitlines() if re.match(r" (num|keras)", line)] == [
        "numba",
        "numpy",
        "keras-graph",
        "keras-fit",
    ]
    assert "nnkernels[peers]" in text


def test_headline() -> None:
    headline = summarise(synthetic.run()).headline()
    assert "1.60 times as fast as NumPy" in headline
    assert "20.0 times as fast as Keras' fit" in headline
    assert "4.00 times as fast as the best Keras (keras-graph)" in headline


def test_headline_names_the_kernels_on_blas_beside_the_fused() -> None:
    headline = summarise(synthetic.asked_run()).headline()
    assert headline == (
        "From scratch in Numba, an epoch of training on mnist is 10.0 times as fast as NumPy, 125 times as fast as "
        "Keras' fit and 25.0 times as fast as the best Keras (keras-graph); by matrix products alone (numba in place "
        "of fused), it is 1.60, 20.0 and 4.00 times as fast."
    )


def test_who_only_predicts_comes_last_with_dashes_for_the_rest() -> None:
    summary = summarise(synthetic.asked_run())
    last = summary.contenders[-1]
    assert last.name == "onnxruntime"
    assert last.one_image_seconds == pytest.approx(20e-6 * 1.1**0.5)
    console = Console(width=150, file=io.StringIO(), record=True)
    console.print(tables.summary_table(summary, 150))
    line = next(line for line in console.export_text().splitlines() if "onnxruntime" in line)
    assert line.split() == ["onnxruntime", *["-"] * 5, "21.0", "us", "-"]
    assert "| onnxruntime | - | - | - | - | - | 21.0 us | - |" in readme.section(summary)
    page = render(summary, None)
    assert "onnxruntime" in page
    assert not re.search(r"\bnan\b", page)


def test_works_of_several_panels_are_rows_of_one_table() -> None:
    run = synthetic.asked_run()
    assert all(set(panel.seconds) != set(synthetic.ASKED) for panel in run.panels)  # none did all of it
    rows = tidy(run)
    paired = rows[rows.benchmark == "ratios"]
    assert {text.removeprefix("work=") for text in paired.parameters} == set(synthetic.ASKED)
    units = dict(zip(paired.parameters, paired.unit, strict=True))
    assert units["work=epoch, Adam"] == "seconds_per_epoch"
    assert units["work=time to 8.7 % error"] == "seconds"
    adam = paired[(paired.parameters == "work=epoch, Adam") & (paired.threads == "1")].set_index("contender")
    assert adam.loc["fused", "ratio_to_keras"] == pytest.approx(6.0 / 0.048)
    assert paired_ratio(run.panels, "one thing", "fused", "1", "numpy") is None


def test_page_is_self_contained_and_names_what_it_shows() -> None:
    page = render(summarise(synthetic.run()), "asv/index.html")
    assert not re.search(r"(src|href)=[\"'](https?:)?//", page)
    assert "<script" not in page
    assert page.count("<svg") == 2
    assert 'href="asv/index.html"' in page
    for text in ("keras-graph", "20.0", "Some Processor", "clean tree"):
        assert text in page
    assert "not recorded as history" not in page


def test_page_says_when_a_run_is_not_history_and_when_the_data_are_few() -> None:
    page = render(summarise(synthetic.run(unrecorded="uncommitted changes in README.md", dataset="mnist-5k")), None)
    assert "not recorded as history" in page
    assert "5,000 embedded digits" in page
    assert "asv/index.html" not in page


def test_runs_are_read_as_written_and_the_newest_is_found(tmp_path: Path) -> None:
    run = synthetic.run()
    for run_id in ("20260101T000000Z-a", "20260102T000000Z-b"):
        write_run(tmp_path / "runs" / run_id, synthetic.record(run_id=run_id), run.panels, run.asv_results)
    (tmp_path / "runs" / "20260103T000000Z-incomplete").mkdir()
    found = find_run(tmp_path)
    assert found.record.run_id == "20260102T000000Z-b"
    assert found.panels == run.panels
    pd.testing.assert_frame_equal(tidy(found), tidy(run))
    assert find_run(tmp_path, "20260101").record.run_id == "20260101T000000Z-a"
    with pytest.raises(ResultsError, match="2 runs begin with '2026'"):
        find_run(tmp_path, "2026")
    with pytest.raises(ResultsError, match="no run is published yet"):
        find_run(tmp_path, "published")
    pin(tmp_path, find_run(tmp_path, "20260101"))
    assert find_run(tmp_path, "published").record.run_id == "20260101T000000Z-a"
    (tmp_path / "published.json").write_text("{}")
    with pytest.raises(ResultsError, match="damaged"):
        find_run(tmp_path, "published")


def test_no_run_yet(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="nnkernels bench"):
        find_run(tmp_path)


@pytest.mark.parametrize("damage", ["{", "[]", '{"version": 99}', '{"version": 1}', None])
def test_damaged_runs_are_told(tmp_path: Path, damage: str | None) -> None:
    run = synthetic.run()
    write_run(tmp_path / "run", run.record, run.panels, run.asv_results)
    if damage is None:
        (tmp_path / "run" / "panels.json").unlink()
    else:
        (tmp_path / "run" / "run.json").write_text(damage)
    with pytest.raises(ResultsError, match="run"):
        load_run(tmp_path / "run")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2.5, "2.50 s"),
        (0.0637, "63.7 ms"),
        (6.86e-6, "6.86 us"),
        (5e-9, "5.00 ns"),
        (123.4, "123 s"),
        (9.999e-3, "10.0 ms"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert formats.duration(seconds) == text


def test_ratios_and_percentages() -> None:
    estimate = Estimate(1.234, 1.1, 1.5, 4)
    assert formats.ratio(estimate) == "1.23 [1.10, 1.50]"
    assert formats.ratio(estimate, interval=False) == "1.23"
    assert formats.ratio(None) == "-"
    assert formats.percent(Estimate(0.0578, float("nan"), float("nan"), 1)) == "5.78 %"
    assert formats.significant(0.99999) == "1.00"
    assert formats.significant(12345.6) == "12,346"


@pytest.mark.parametrize("version", [1, 2])
def test_runs_of_every_version_are_read(version: int) -> None:
    # The files are as that version wrote them, of the made-up run of synthetic.py.
    run = load_run(GOLDEN / f"version-{version}")
    assert run.record.profile == "quick"
    assert run.record.unrecorded == ""
    assert run.record.planned_passes == run.record.passes == 4
    rows = tidy(run).set_index(["benchmark", "parameters", "contender", "threads"])
    assert rows.loc[("ratios", "work=epoch", "numba", "1"), "ratio_to_keras"] == pytest.approx(20.0)
    assert rows.loc[("accuracy.ErrorRate.track_test", "", "numpy", "all"), "value"] == pytest.approx(0.05)


def test_side_by_side_names_every_difference() -> None:
    run = synthetic.run()
    other = synthetic.run(threads=["1"], machine="other-machine")
    other.record.provenance["packages"]["numpy"] = "2.5.0"
    other.record.provenance["dataset"]["sha256"] = "ff00"
    found = {what: (here, there) for what, here, there in side_by_side.differences(run, other)}
    assert found == {
        "threads": ("1, all", "1"),
        "machine": ("some-processor-2-cpus", "other-machine"),
        "packages.numpy": ("2.4.0", "2.5.0"),
        "dataset.sha256": ("00ff", "ff00"),
    }
    assert side_by_side.differences(run, synthetic.run()) == []
    joined = side_by_side.side_by_side(run, other)
    assert len(joined) == len(tidy(run))
    assert (joined.value == joined.value_against).all()


def test_runs_on_other_data_never_share_a_line() -> None:
    joined = side_by_side.side_by_side(synthetic.run(), synthetic.run(dataset="mnist-5k"))
    assert len(joined) == 2 * len(tidy(synthetic.run()))
    assert (joined.value.isna() ^ joined.value_against.isna()).all()


def test_side_by_side_tables_fit() -> None:
    console = Console(width=160, file=io.StringIO(), record=True)
    console.print(side_by_side.differences_table(synthetic.run(), synthetic.run(machine="other")))
    console.print(side_by_side.rows_table(synthetic.run(), synthetic.run(machine="other")))
    text = console.export_text()
    assert "other" in text
    assert "+0.0 %" in text


def test_readme_section_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    targets = f"{readme.TARGETS_BEGIN}\n{readme.TARGETS_END}"
    path.write_text(f"before\n{readme.BEGIN}\nold\n{readme.END}\n{targets}\nafter\n")
    readme.update(path, summarise(synthetic.run()))
    text = path.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "| numba | 1 | 105 ms | 1.60" in text
    path.write_text("no section")
    with pytest.raises(ResultsError, match="lacks the lines"):
        readme.update(path, summarise(synthetic.run()))


def test_readme_shows_the_published_run() -> None:
    _before, section, _after = readme.split((ROOT / "README.md").read_text("utf-8"))
    published = find_run(ROOT / "results", "published")
    assert section == readme.section(summarise(published)), "stale: run `nnkernels publish --pin RUN`"


def test_committed_results_hold_no_path_and_no_name_of_a_host() -> None:
    for path in (ROOT / "results").rglob("*"):
        if path.suffix not in {".json", ".md", ".csv"} or "html" in path.parts:
            continue
        text = path.read_text("utf-8")
        assert not re.search(r"[\"'\s=:](/(home|root|Users|tmp|usr|opt|work)/|[A-Z]:\\\\)", text), path
        assert not re.search(rf"\b{re.escape(platform.node())}\b", text), path


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.5, "seconds_per_epoch", "500 ms"),
        (0.05, "error_rate", "5.00 %"),
        (321.5, "MiB", "322 MiB"),
        (float("nan"), "MiB", ""),
    ],
)
def test_quantities(value: float, unit: str, text: str) -> None:
    assert formats.quantity(value, unit) == text
