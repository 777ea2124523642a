"""What was asked and what a run reached: numbers computed by hand, verdicts, and where they are shown."""

from __future__ import annotations

import io
import json
import math
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from nnkernels.report import readme, tables, targets
from nnkernels.report.evidence import KEY_COLUMNS, Difference, Evidence, Quotient, Value
from nnkernels.report.page import render
from nnkernels.report.runs import Run, find_run
from nnkernels.report.summary import summarise
from nnkernels.report.targets import Row
from nnkernels.report.tidy import PAIRED
from nnkernels.statistics import Estimate
from tests import synthetic

ROOT = Path(__file__).parents[1]
MARKS = (readme.TARGETS_BEGIN, readme.TARGETS_END)


def of(run: Run) -> dict[tuple[str, str], Row]:
    return {(row.target.work, row.against): row for row in targets.rows(run)}


BATCH, IMAGES = "epoch, SGD, batch 1,024, all threads", "10,000 images, from uint8, same number of threads"
FIRST = "first ten batches of a process"
TIME = "time to 91.3 % test from uint8, preparation included"


@pytest.mark.parametrize(
    ("work", "against", "reached", "verdict"),
    [
        # The other's faster setting counts: NumPy's is all threads, keras-graph's is one.
        ("epoch, SGD, batch 32", "NumPy", 0.16 / 0.016, "reached"),
        ("epoch, SGD, batch 32", "JAX scan", None, "not measured"),
        ("epoch, SGD, batch 32", "best Keras (keras-graph)", 0.4 / 0.016, "reached"),
        ("epoch, SGD, batch 32", "keras-fit", 2.0 / 0.016, "reached"),
        ("epoch, Adam, batch 32", "NumPy", 0.5 / 0.048, "stretch reached"),
        ("epoch, Adam, batch 32", "best Keras (keras-graph)", 0.9 / 0.048, "stretch reached"),
        ("epoch, Adam, batch 32", "keras-fit", 6.0 / 0.048, "stretch reached"),
        # All threads against all threads, though NumPy might be faster on one.
        (BATCH, "NumPy on all threads", 0.09 / 0.03, "missed"),
        (BATCH, "fused on one thread", 0.045 / 0.03, "missed"),
        ("one image, from Python", "ONNX Runtime", 20 / 1.5, "reached"),
        ("one image, from Python", "a tf.function (keras-graph)", None, None),
        ("one image, from Python", "a tf.function", 400 / 1.5, "reached"),
        ("one image, from Python", "Keras' predict", 45_000 / 1.5, "reached"),
        # The smaller of the ratios on one thread (5) and on all (2).
        (IMAGES, "ONNX Runtime", 0.008 / 0.004, "missed"),
        (IMAGES, "NumPy", 0.024 / 0.004, "reached"),
        ("epoch, SGD, batch 128, hidden 128", "NumPy", 0.4 / 0.5, "missed"),
        # The best form at this work is another than at the epoch.
        ("epoch, SGD, batch 128, hidden 128", "best Keras (keras-steps)", 0.55 / 0.5, "reached"),
        ("epoch, SGD, batch 128, hidden 512", "best Keras", None, "not measured"),
        # The median of the processes' speeds, 1.0, 1.3, 0.9 and 1.1, is the root of 1.1.
        ("epoch, SGD, batch 32", "share of the sparsity-aware limit", 100 * 0.004 / 0.016 / 1.1**0.5, "missed"),
        (TIME, "best Keras (keras-graph)", 1.0 / 0.018, "reached"),
        ("1,000,000 images from a memory map", "time per image of 60,000", 1.1, "reached"),
        ("1,000,000 images from a memory map", "peak memory beyond the import", 390 * 2**20 / 1e6, "missed"),
        (FIRST, "seconds, nothing compiled before", 4.75, "reached"),
        (FIRST, "seconds beyond Numba's own, compiled before", 0.75 - 0.5, "reached"),
    ],
)
def test_each_row_is_what_the_hand_computes(
    work: str, against: str, reached: float | None, verdict: str | None
) -> None:
    found = of(synthetic.asked_run()).get((work, against))
    if verdict is None:
        assert found is None
        return
    assert found is not None
    assert found.verdict == verdict
    if reached is None:
        assert found.reached is None
        assert found.cpu == "-"
    else:
        assert found.reached is not None
        assert found.reached.value == pytest.approx(reached)
        assert found.cpu == "Some Processor"


def test_paired_ratios_have_the_interval_of_their_processes() -> None:
    found = of(synthetic.asked_run())["epoch, SGD, batch 32", "NumPy"].reached
    assert found is not None
    assert (found.low, found.high) == pytest.approx((10, 10))  # the processes differ in speed, not in the ratio
    assert found.samples == 8  # NumPy is in each process at both settings


def test_each_row_of_what_was_asked_is_there() -> None:
    asked = {
        (target.work, target.against): (target.asked, target.stretch, target.at_most) for target in targets.TARGETS
    }
    assert len(asked) == len(targets.TARGETS) == 26
    assert asked["epoch, SGD, batch 32", "best Keras"] == (14, 30, False)
    assert asked[BATCH, "fused on one thread"] == (1.6, 1.9, False)
    assert asked["one image, from Python", "Keras' predict"] == (20_000, 50_000, False)
    assert asked["epoch, SGD, batch 32", "share of the sparsity-aware limit"] == (25, 50, False)
    assert asked["1,000,000 images from a memory map", "peak memory beyond the import"][::2] == (400, True)
    assert asked[FIRST, "seconds, nothing compiled before"][::2] == (5, True)
    assert asked[FIRST, "seconds beyond Numba's own, compiled before"][::2] == (0.3, True)


def test_each_benchmark_that_is_read_is_there() -> None:
    measures = [target.measure for target in targets.TARGETS]
    keys = [measure.row for measure in measures if isinstance(measure, Value)]
    keys += [
        key for measure in measures if isinstance(measure, Quotient) for key in (measure.numerator, measure.denominator)
    ]
    keys += [key for measure in measures if isinstance(measure, Difference) for key in (measure.whole, measure.part)]
    named = {name for name, *_parameters in keys if name != PAIRED}
    assert len(named) == 5
    for name in named:
        module, class_name, function = name.split(".")
        if (ROOT / "bench" / f"{module}.py").is_file():
            assert hasattr(getattr(import_module(f"bench.{module}"), class_name), function)


def test_a_difference_has_the_intervals_of_both() -> None:
    fields = ("value", "ci_low", "ci_high", "samples")
    rows = pd.DataFrame(
        [
            ("whole", "", "", "all", 10.0, 7.0, 18.0, 8),
            ("part", "", "", "all", 4.0, -2.0, 8.0, 3),
        ],
        columns=[*KEY_COLUMNS, *fields],
    )
    difference = Difference(("whole", "", "", "all"), ("part", "", "", "all"), "s")
    found, _form = difference.reached(Evidence(synthetic.run(), rows))
    assert found == Estimate(6.0, 6 - 5.0, 6 + 10.0, 3)  # the roots of 3^2 + 4^2 and of 8^2 + 6^2
    assert difference.reached(Evidence(synthetic.run(), rows[:1])) == (None, "")


def test_a_run_without_the_fused_kernels_has_nothing_of_it() -> None:
    of_run = targets.rows(synthetic.run())
    assert {row.verdict for row in of_run} == {"not measured"}
    assert not targets.any_measured(of_run)


def test_a_ratio_against_the_faster_setting_needs_both_settings() -> None:
    run = synthetic.asked_run()
    run = Run(run.record, [panel for panel in run.panels if panel.framework_threads == "1"], run.asv_results)
    rows = of(run)
    assert rows["epoch, SGD, batch 32", "NumPy"].reached
    assert rows["epoch, SGD, batch 32", "keras-fit"].verdict == "not measured"  # on all threads it may be faster
    assert rows["epoch, SGD, batch 32", "best Keras"].verdict == "not measured"


@pytest.mark.parametrize(
    ("at_most", "value", "verdict"),
    [
        (False, 5.9, "missed"),
        (False, 6.0, "reached"),
        (False, 12.0, "stretch reached"),
        (False, math.nan, "missed"),
        (True, 12.1, "missed"),
        (True, 12.0, "stretch reached"),
        (True, math.nan, "missed"),
    ],
)
def test_verdicts(at_most: bool, value: float, verdict: str) -> None:
    measure = targets.TARGETS[0].measure
    target = targets.Target("work", "other", measure, 6, 12, at_most)
    assert target.verdict(Estimate(value, value, value, 4)) == verdict
    assert targets.Target("work", "other", measure, 6, at_most=at_most).verdict(None) == "not measured"


def test_a_quotient_is_as_uncertain_as_its_two_rows_together() -> None:
    run = synthetic.asked_run()
    name = "large_data.MemoryMap.track_seconds_per_image"
    run.asv_results["processes"] = {name: [[1.0e-6, 1.2e-6], [1.1e-6, 1.3e-6]]}
    found = of(run)["1,000,000 images from a memory map", "time per image of 60,000"].reached
    assert found is not None
    assert found.value == pytest.approx((1.1 * 1.3 / (1.0 * 1.2)) ** 0.5)
    rows = summarise(run).rows
    margins = [math.log(row.ci_high / row.value) for row in rows[rows.benchmark == name].itertuples()]
    assert math.log(found.high / found.value) == pytest.approx(math.hypot(*margins))
    assert found.low * found.high == pytest.approx(found.value**2)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "ARM and macOS: not measured."),
        ({"architecture": "aarch64"}, "macOS: not measured."),
        ({"architecture": "arm64", "os": "Darwin 25"}, ""),
    ],
)
def test_where_nothing_was_measured_is_said(changes: dict[str, str], told: str) -> None:
    run = synthetic.asked_run()
    run.record.provenance.update(changes)
    assert targets.elsewhere(run) == told


def test_table_fits_the_terminal_and_has_every_row() -> None:
    run = synthetic.asked_run()
    console = Console(width=150, file=io.StringIO(), record=True)
    console.print(tables.targets_table(targets.rows(run), run))
    text = " ".join(console.export_text().split())
    assert "…" not in text
    assert text.count("not measured") == sum(row.reached is None for row in targets.rows(run)) + 1  # and elsewhere
    for part in ("stretch reached", "missed", "at most 400 MB", "409 MB", "ARM and macOS: not measured.", "20,000 x"):
        assert part in text


@pytest.mark.parametrize("format_name", ["json", "csv", "md"])
def test_exports_keep_the_numbers(format_name: str) -> None:
    of_run = targets.rows(synthetic.asked_run())
    text = tables.export(targets.frame(of_run), format_name)
    if format_name == "json":
        parsed = pd.DataFrame(json.loads(text))
        assert list(parsed.verdict) == [row.verdict for row in of_run]
        assert parsed.reached.notna().tolist() == [row.reached is not None for row in of_run]
    else:
        assert "stretch reached" in text
        assert len(text.splitlines()) == len(of_run) + (2 if format_name == "md" else 1)


def test_page_shows_what_was_asked_where_any_of_it_was_measured() -> None:
    page = render(summarise(synthetic.asked_run()), None)
    assert "Asked and reached" in page
    assert "stretch reached" in page
    assert "ARM and macOS: not measured." in page
    assert "Asked and reached" not in render(summarise(synthetic.run()), None)


def test_readme_block_is_written_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(f"{readme.BEGIN}\n{readme.END}\nbetween\n{MARKS[0]}\nold\n{MARKS[1]}\nafter\n")
    summary = summarise(synthetic.asked_run())
    readme.update(path, summary)
    before, block, after = readme.split(path.read_text(), *MARKS)
    assert block == readme.targets_section(summary)
    assert before == f"{readme.section(summary)}\nbetween\n"
    assert after == "\nafter\n"
    assert "old" not in block
    row = "| epoch, SGD, batch 32 | NumPy | reached | 10.0 x [10.0, 10.0] | 6 x | 12 x | Some Processor |"
    assert row in block
    assert block.count("\n| ") == len(targets.TARGETS) + 1  # and the heading
    assert "not measured | - |" in block
    readme.update(path, summarise(synthetic.run()))
    _before, block, after = readme.split(path.read_text(), *MARKS)
    assert "measured none of what was asked" in block
    assert after == "\nafter\n"


def test_readme_shows_what_the_published_run_reached() -> None:
    _before, block, _after = readme.split((ROOT / "README.md").read_text("utf-8"), *MARKS)
    published = find_run(ROOT / "results", "published")
    assert block == readme.targets_section(summarise(published)), "stale: run `nnkernels publish --pin RUN`"
