"""From a recorded run to rows, tables and the page."""

from __future__ import annotations

import io
import json
import platform
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from nnkernels.errors import ConfigurationError, DamagedResultsWarning, ResultsError
from nnkernels.measure.records.run import write_run
from nnkernels.measure.timing.scenarios import ONE_IMAGE, PREPARATION
from nnkernels.report import formats, inventory, readme, side_by_side, tables
from nnkernels.report.headline import headline, preliminary
from nnkernels.report.page import render
from nnkernels.report.ratios import PairedRatios
from nnkernels.report.runs import find_run, load_run, pin
from nnkernels.report.summary import summarise
from nnkernels.report.tidy import FIXED_COLUMNS, RATIOS, keys, tidy
from nnkernels.statistics import Estimate
from tests import synthetic

ROOT = Path(__file__).parents[1]


def test_table_has_documented_columns_and_one_row_per_measurement() -> None:
    rows = tidy(synthetic.run())
    assert set(rows.columns) == {*FIXED_COLUMNS, "batch_size"}
    assert not rows.duplicated(keys(rows)).any()
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
        # Two frameworks share a process only at the same number of threads, which the row states.
        ("keras-graph", "1", 0.16 / 0.4, 4.0 / 0.4),
        # keras-fit is faster on all threads, and never shares a process with keras-fit on one thread.
        ("keras-fit", "1", 0.16 / 4.0, np.nan),
        ("keras-fit", "all", 0.16 / 2.0, 1.0),
    ],
)
def test_paired_ratios_are_against_the_faster_setting(
    contender: str, threads: str, to_numpy: float, to_keras: float
) -> None:
    rows = tidy(synthetic.run()).set_index(["benchmark", "work", "contender", "threads"])
    row = rows.loc[("ratios", "epoch", contender, threads)]
    assert row.ratio_to_numpy == pytest.approx(to_numpy)
    assert row.numpy_threads == "all"
    assert row.ratio_to_keras == pytest.approx(to_keras, nan_ok=True)
    assert row.keras_threads == ("" if np.isnan(to_keras) else "1" if contender == "keras-graph" else "all")


def test_old_one_image_scenario_is_read_but_not_joined_with_new_one() -> None:
    old, new = synthetic.run(), synthetic.run()
    for measured in new.interleaved:
        measured.seconds[ONE_IMAGE] = measured.seconds.pop("one image")
        measured.seconds[PREPARATION] = measured.seconds["epoch"]
    rows = tidy(new)
    assert set(rows[rows.work == ONE_IMAGE].unit) == {"seconds_per_call"}
    assert set(rows[rows.work == PREPARATION].unit) == {"seconds"}
    assert set(tidy(old)[tidy(old).work == "one image"].unit) == {"seconds_per_call"}
    joined = side_by_side.side_by_side(new, old).set_index("work")
    assert joined.loc["10,000 images"][["value", "value_against"]].notna().all().all()
    assert joined.loc[ONE_IMAGE].value.notna().all()
    assert joined.loc[ONE_IMAGE].value_against.isna().all()
    assert joined.loc["one image"].value.isna().all()
    assert joined.loc["one image"].value_against.notna().all()


def test_list_of_backends_names_shared_functions() -> None:
    console = Console(file=io.StringIO(), width=100)
    inventory.show_backends(console)
    rows = {row.split()[0]: " ".join(row.split()[1:]) for row in console.file.getvalue().splitlines() if row.strip()}
    assert rows["numba"] == "yes"
    assert rows["fused"] == "yes numba (kernels)"
    assert rows["fused_dense"] == "yes numba (kernels), fused (predictions)"


def test_paired_ratio_does_not_depend_on_speed_of_process() -> None:
    ratios = PairedRatios(synthetic.run().interleaved)
    found = ratios.against("epoch", ("numba", "1"), "keras-fit")
    assert found is not None
    assert found.estimate.value == pytest.approx(20.0)
    assert found.estimate.low == pytest.approx(20.0)  # the processes differ by 40 %, the ratios not at all
    assert found.estimate.high == pytest.approx(20.0)
    assert found.estimate.samples == 4
    assert ratios.against("epoch", ("numba", "1"), "absent") is None
    assert ratios.against("one thing", ("numba", "1"), "numpy") is None


def test_error_rates_are_means_and_have_no_ratio() -> None:
    rows = tidy(synthetic.run())
    errors = rows[rows.benchmark == "accuracy.ErrorRate.track_test"].set_index("contender")
    assert errors.loc["numpy", "value"] == pytest.approx(0.05)
    assert errors.loc["numpy", "samples"] == 2
    assert rows.loc[rows.benchmark != "ratios", list(RATIOS)].isna().all(axis=None)


def without_samples(results: dict[str, Any], samples: list[float] | None) -> str:
    values = results["results"]["accuracy.ErrorRate.track_test"]
    values[results["result_columns"].index("samples")] = [samples, samples]
    return "accuracy.ErrorRate.track_test has no values, one per seed"


def without_processes(results: dict[str, Any], _samples: None) -> str:
    results["processes"] = {"training.Epoch.time_epoch": [[]] * 4}
    return "training.Epoch.time_epoch has no values, one per process"


@pytest.mark.parametrize(
    ("remove", "samples"), [(without_samples, None), (without_samples, []), (without_processes, None)]
)
def test_result_without_the_values_that_it_is_made_of_is_refused(remove: Any, samples: list[float] | None) -> None:
    results = synthetic.asv_results()
    message = remove(results, samples)
    with pytest.raises(ResultsError, match=f"{re.escape(message)}; .*restore it from git"):
        tidy(replace(synthetic.run(), asv_results=results))


def test_unmeasured_parameters_have_no_row() -> None:
    rows = tidy(synthetic.run())
    epochs = rows[rows.benchmark == "training.Epoch.time_epoch"]
    assert sorted(epochs.contender) == ["keras-fit", "numpy"]
    assert set(epochs.threads) == {"1"}


@pytest.mark.parametrize("format_name", ["json", "csv", "md"])
def test_exports_contain_every_row(format_name: str) -> None:
    rows = tidy(synthetic.full_run())
    text = tables.export(rows, format_name)
    if format_name == "json":
        parsed = pd.DataFrame(json.loads(text))
    elif format_name == "csv":
        parsed = pd.read_csv(io.StringIO(text), keep_default_na=False, dtype=str)
    else:
        lines = [line.strip("| ").split(" | ") for line in text.splitlines()]
        parsed = pd.DataFrame(lines[2:], columns=lines[0])
    assert list(parsed.columns) == list(rows.columns)
    assert {*FIXED_COLUMNS, "batch_size", "images", "bound", "cache"} == set(parsed.columns)
    assert len(parsed) == len(rows)
    for column in keys(rows):
        assert [text.strip() for text in parsed[column]] == list(rows[column])
    for column in ("value", "ci_low", "ratio_to_best_keras", "ratio_to_best_keras_ci_high"):
        numbers = pd.to_numeric(parsed[column]).to_numpy(float)
        assert numbers == pytest.approx(rows[column].to_numpy(), rel=1e-5, nan_ok=True)


def test_unknown_export_format_is_rejected() -> None:
    with pytest.raises(ConfigurationError, match="expected one of: table, json, csv, md"):
        tables.export(tidy(synthetic.run()), "xml")


def test_headline_states_ratios_to_numpy_and_keras() -> None:
    text = headline(summarise(synthetic.run()))
    assert "1.60 times as fast as NumPy" in text
    assert "20.0 times as fast as Keras' fit on TensorFlow" in text
    assert "4.00 times as fast as the fastest form of Keras tried (keras-graph, on TensorFlow)" in text


def test_preliminary_ratios_name_contenders_timed_so_far() -> None:
    one, other = synthetic.interleaved_run("1", 1.0), synthetic.interleaved_run("1", 1.1)
    ours = replace(one, seconds={"epoch": {label: one.seconds["epoch"][label] for label in ("numpy@1", "numba@1")}})
    assert preliminary([ours]) == "from 1 process: numba trains an epoch 2.00 times as fast as numpy"
    # 0.10 s against 0.16 s on all threads, 4.0 s and 0.4 s; a process that has no epoch yet does not count.
    assert preliminary([one, other, replace(one, seconds={})]) == (
        "from 2 processes: numba trains an epoch 1.60 times as fast as numpy, 40.0 times as fast as keras-fit and 4.00 "
        "times as fast as keras-graph (the fastest form of Keras so far)"
    )
    assert preliminary([replace(one, seconds={})]) == ""
    assert preliminary([replace(one, seconds={"epoch": {"numpy@1": [[0.2]]}})]) == ""


def test_headline_states_ratios_of_blas_kernels_beside_fused() -> None:
    assert headline(summarise(synthetic.full_run())) == (
        "From scratch in Numba, an epoch of training on mnist is 10.0 times as fast as NumPy, 125 times as fast as "
        "Keras' fit on TensorFlow and 25.0 times as fast as the fastest form of Keras tried (keras-graph, on "
        "TensorFlow). With plain matrix products (numba instead of fused), it is 1.60, 20.0 and 4.00 times as fast. "
        "All are from one run; the variation between hours exceeds its intervals. "
        "The time includes training and fetching the shuffled images, but not preparation."
    )


def test_inference_only_contender_is_last_row_with_dashes() -> None:
    summary = summarise(synthetic.full_run())
    last = summary.contenders[-1]
    assert last.name == "onnxruntime"
    assert last.one_image is not None
    assert last.one_image.value == pytest.approx(20e-6 * (1.3 * 0.9 * 1.1) ** 0.25)
    section = readme.section(summary)
    assert re.search(r"\| onnxruntime \| 1 (\| - ){6}\| 21\.3 us \[[\d., ]+\] \| - \|", section)
    assert "force_spinning_stop" in section
    page = render(summary, None)
    assert "onnxruntime" in page
    assert not re.search(r"\bnan\b", page)


def test_scenarios_of_several_interleaved_runs_are_rows_of_one_table() -> None:
    run = synthetic.full_run()
    assert all(set(measured.seconds) != set(synthetic.SECONDS) for measured in run.interleaved)  # no run has them all
    rows = tidy(run)
    paired = rows[rows.benchmark == "ratios"]
    assert set(paired.work) == set(synthetic.SECONDS)
    units = dict(zip(paired.work, paired.unit, strict=True))
    assert units["epoch, Adam"] == "seconds_per_epoch"
    assert units["time to 8.7 % error"] == "seconds"
    assert units["one image"] == "seconds_per_call"
    adam = paired[(paired.work == "epoch, Adam") & (paired.threads == "1")].set_index("contender")
    assert adam.loc["fused", "ratio_to_keras"] == pytest.approx(6.0 / 0.048)
    # The best form of Keras differs from that for the usual epoch.
    hidden = paired[(paired.work == "epoch, hidden 128") & (paired.threads == "1")].set_index("contender")
    assert hidden.loc["fused", ["best_keras", "best_keras_threads"]].tolist() == ["keras-steps", "all"]
    assert hidden.loc["fused", "ratio_to_best_keras"] == pytest.approx(0.55 / 0.5)


def test_page_is_self_contained_and_names_what_it_shows() -> None:
    page = render(summarise(synthetic.run()), "asv/index.html")
    assert not re.search(r"(src|href)=[\"'](https?:)?//", page)
    assert "<script" not in page
    assert page.count("<svg") == 2
    assert 'href="asv/index.html"' in page
    for text in ("keras-graph", "20.0", "Some Processor", "clean tree"):
        assert text in page
    assert "not recorded in the history" not in page


def test_page_notes_unrecorded_run_and_small_data_set() -> None:
    page = render(summarise(synthetic.run(unrecorded="uncommitted changes in README.md", dataset="mnist-5k")), None)
    assert "not recorded in the history" in page
    assert "5,000 embedded digits" in page
    assert "asv/index.html" not in page


def test_written_runs_are_found_as_newest_by_id_and_as_published(tmp_path: Path) -> None:
    run = synthetic.run()
    for run_id in ("20260101T000000Z-a", "20260102T000000Z-b"):
        write_run(tmp_path / "runs" / run_id, synthetic.record(run_id=run_id), run.interleaved, run.asv_results)
    (tmp_path / "runs" / "20260103T000000Z-incomplete").mkdir()
    found = find_run(tmp_path)
    assert found.record.run_id == "20260102T000000Z-b"
    assert found.interleaved == run.interleaved
    pd.testing.assert_frame_equal(tidy(found), tidy(run))
    assert find_run(tmp_path, "20260101").record.run_id == "20260101T000000Z-a"
    with pytest.raises(ResultsError, match="2 runs begin with '2026'"):
        find_run(tmp_path, "2026")
    with pytest.raises(ResultsError, match="no run is published yet"):
        find_run(tmp_path, "published")
    pin(tmp_path, find_run(tmp_path, "20260101"))
    assert find_run(tmp_path, "published").record.run_id == "20260101T000000Z-a"
    for content in ("{}", "[" * 10_000, '{"version": 2, "runs": [1e999]}'):
        (tmp_path / "published.json").write_text(content)
        with pytest.raises(ResultsError, match="damaged"):
            find_run(tmp_path, "published")


def test_error_without_recorded_runs_names_bench_command(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="nnkernels bench"):
        find_run(tmp_path)


@pytest.mark.parametrize("damage", ["{", "[]", '{"version": 99}', '{"version": 1}', None])
def test_damaged_run_is_rejected(tmp_path: Path, damage: str | None) -> None:
    run = synthetic.run()
    write_run(tmp_path / "run", run.record, run.interleaved, run.asv_results)
    if damage is None:
        (tmp_path / "run" / "panels.json").unlink()
    else:
        (tmp_path / "run" / "run.json").write_text(damage)
    with pytest.raises(ResultsError, match="run"):
        load_run(tmp_path / "run")


@pytest.mark.parametrize("damage", ["rounds", "segments"])
def test_run_with_rounds_that_cannot_be_paired_is_rejected(tmp_path: Path, damage: str) -> None:
    run = synthetic.run()
    rounds = run.interleaved[0].seconds["epoch"]["numpy@1"]
    for others in run.interleaved[0].seconds["epoch"].values():
        if others is rounds or damage == "segments":
            others.append(others[0][:3] if others is rounds else others[0])
    write_run(tmp_path / "run", run.record, run.interleaved, run.asv_results)
    with pytest.raises(ResultsError, match=r"panels\.json: damaged, ValueError: epoch: .*(rounds|lengths)"):
        load_run(tmp_path / "run")


@pytest.mark.parametrize("damage", ["", "[]", "<<<<<<< HEAD\n{}", "{}"])
def test_damaged_newest_run_is_left_out_with_a_warning_that_names_the_file(tmp_path: Path, damage: str) -> None:
    for run_id in ("20260101T000000Z-a", "20260102T000000Z-b"):
        run = synthetic.run(run_id=run_id)
        write_run(tmp_path / "runs" / run_id, run.record, run.interleaved, run.asv_results)
    (tmp_path / "runs" / "20260102T000000Z-b" / "panels.json").write_text(damage)
    with pytest.warns(DamagedResultsWarning, match=r"20260102T000000Z-b.panels\.json: damaged.*restore it"):
        assert find_run(tmp_path).record.run_id == "20260101T000000Z-a"
    with pytest.raises(ResultsError, match=r"panels\.json"):
        find_run(tmp_path, "20260102")


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
def test_durations_are_formatted_with_suitable_unit(seconds: float, text: str) -> None:
    assert formats.duration(seconds) == text


def test_ratios_and_percentages_are_formatted() -> None:
    estimate = Estimate(1.234, 1.1, 1.5, 4)
    assert formats.ratio(estimate) == "1.23 [1.10, 1.50]"
    assert formats.ratio(estimate, interval=False) == "1.23"
    assert formats.ratio(None) == "-"
    assert formats.percent(Estimate(0.0578, float("nan"), float("nan"), 1)) == "5.78 %"
    assert formats.significant(0.99999) == "1.00"
    assert formats.significant(12345.6) == "12,346"


@pytest.mark.parametrize("version", [1, 3])
def test_run_of_other_format_version_is_rejected(tmp_path: Path, version: int) -> None:
    run = synthetic.run()
    write_run(tmp_path / "run", run.record, run.interleaved, run.asv_results)
    path = tmp_path / "run" / "run.json"
    path.write_text(path.read_text("utf-8").replace('"version": 2', f'"version": {version}'), encoding="utf-8")
    with pytest.raises(ResultsError, match=rf"run\.json: has format version {version}; this release reads version 2"):
        load_run(tmp_path / "run")


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
    assert list(joined.benchmark) == list(tidy(run).benchmark)  # ratios first
    assert joined.benchmark[0] == "ratios"


def test_runs_on_different_data_share_no_row() -> None:
    joined = side_by_side.side_by_side(synthetic.run(), synthetic.run(dataset="mnist-5k"))
    assert len(joined) == 2 * len(tidy(synthetic.run()))
    assert (joined.value.isna() ^ joined.value_against.isna()).all()


def test_side_by_side_accepts_parameter_that_one_run_lacks() -> None:
    joined = side_by_side.side_by_side(synthetic.run(), synthetic.full_run())
    bound = joined[(joined.bound == "sparse") & (joined.benchmark == "limits.Bound.track_epoch")]
    assert bound.value.isna().all()
    assert bound.value_against.tolist() == pytest.approx([0.004])


def test_side_by_side_prints_values_and_ratios_of_both_runs() -> None:
    console = Console(file=io.StringIO(), record=True)
    side_by_side.show_side_by_side(console, synthetic.run(), synthetic.run(machine="other"), everything=True)
    text = console.export_text()
    assert re.search(
        r"numba +1 +x Keras fit +20\.0 \[[\d., ]+\] +20\.0 \[[\d., ]+\] +\+0\.0 % +intervals overlap", text
    )
    assert re.search(r"numba +1 +value +107 ms \[\d.*\] +107 ms \[\d.*\] +\+0\.0 %", text)


def test_different_best_forms_of_keras_are_named_but_not_compared() -> None:
    console = Console(file=io.StringIO(), record=True)
    side_by_side.show_side_by_side(console, synthetic.keras_run(), synthetic.run(), everything=True)
    text = console.export_text()
    assert "Best Keras at epoch: keras-jax-fit-steps against keras-graph." in text
    assert re.search(r"numba +1 +x best Keras +2\.13 \[[\d., ]+\] +4\.00 \[[\d., ]+\] +best Keras differs *\n", text)


def test_readme_section_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(f"before\n{readme.BLOCK.begin}\nold\n{readme.BLOCK.end}\nafter\n")
    readme.update(path, summarise(synthetic.run()))
    text = path.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "\nold\n" not in text
    assert re.search(r"\| numba \| 1 \| 107 ms \[[\d., ]+\] \| 1\.60", text)
    path.write_text("no section")
    with pytest.raises(ResultsError, match="markers of the block 'published run' are missing"):
        readme.update(path, summarise(synthetic.run()))


def test_readme_shows_the_published_run() -> None:
    _before, section, _after = readme.BLOCK.split((ROOT / "README.md").read_text("utf-8"), "README.md")
    published = find_run(ROOT / "results", "published")
    assert section == readme.section(summarise(published)), "stale: run `nnkernels publish --pin RUN`"


def test_committed_results_contain_no_path_or_host_name() -> None:
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
def test_quantities_are_formatted_by_unit(value: float, unit: str, text: str) -> None:
    assert formats.quantity(value, unit) == text
