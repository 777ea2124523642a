"""The list of benchmark files, and the options that a run passes to them."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from nnkernels.errors import ConfigurationError
from nnkernels.measure.asv_driver import bench_files, plan
from nnkernels.measure.asv_driver.bench_files import BENCH_FILES, BenchFile
from nnkernels.measure.asv_driver.options import BenchOptions
from nnkernels.measure.asv_driver.plan import PROFILES, make_plan
from nnkernels.measure.asv_driver.run import Progress
from nnkernels.report.inventory import show_benchmarks
from nnkernels.report.tables import show_rows
from nnkernels.report.terminal import bench_progress
from nnkernels.report.tidy import tidy
from tests import synthetic

BENCH = Path(__file__).parents[1] / "bench"
NEW_FILE = """\"\"\"How long does something new take?\"\"\"

class Thing:
    def track_seconds(self, contender, dataset_name):
        return 1.0
"""
CALL = "novelty.Thing.track_seconds"


def test_each_benchmark_file_is_listed_once() -> None:
    assert sorted(file.name for file in BENCH_FILES) == sorted(path.stem for path in BENCH.glob("[!_]*.py"))


def test_new_benchmark_needs_only_a_file_and_a_list_entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "novelty.py").write_text(NEW_FILE)
    for module in (bench_files, plan):
        monkeypatch.setattr(
            module, "BENCH_FILES", (*BENCH_FILES, BenchFile("novelty", "novelty: something new", "all"))
        )

    for name, is_planned in {"quick": False, "standard": True, "full": True}.items():
        passes = make_plan(PROFILES[name], ["numpy", "numba"], "mnist", ["1"]).passes
        patterns = [pattern for patterns_of_pass in passes for pattern in patterns_of_pass]
        calls = {
            f"{CALL}('{contender}', '{data}')" for contender in ("numpy", "fused") for data in ("mnist", "mnist-5k")
        }
        found = {call for call in calls if any(re.search(pattern, call) for pattern in patterns)}
        assert found == ({f"{CALL}('numpy', 'mnist')"} if is_planned else set())

    console = Console(file=io.StringIO(), width=100)
    show_benchmarks(console, tmp_path)
    with bench_progress(console) as show:
        show(Progress(0.5, 1, 4, f"{CALL}('numpy', 'mnist')"))
    run = synthetic.run()
    run.asv_results["results"][CALL] = [[0.25], [["'numpy'"], ["'mnist'"]], "1"]
    run.asv_results["parameter_names"][CALL] = ["contender", "dataset"]
    run.asv_results["units"][CALL] = "seconds"
    rows = tidy(run)
    show_rows(console, rows)
    text = console.file.getvalue()
    assert "novelty: How long does something new take?" in text
    assert "Thing.track_seconds" in text
    assert "pass 1 of 4, novelty: something new" in text
    assert f"\n{CALL}\n" in text
    row = rows[rows.benchmark == CALL].iloc[0]
    assert (row.value, row.unit, row.threads) == (0.25, "seconds", "all")


@pytest.mark.parametrize("file", BENCH_FILES, ids=lambda file: file.name)
@pytest.mark.parametrize("what", ["{}.Some.track_thing('numpy')", "Setting up {}:59"])
def test_progress_shows_description_of_benchmark_file(file: BenchFile, what: str) -> None:
    console = Console(file=io.StringIO(), width=100)
    with bench_progress(console) as show:
        show(Progress(0.0, 2, 3, what.format(file.name)))
    assert f"pass 2 of 3, {file.description}" in console.file.getvalue()


OPTIONS = BenchOptions(("numpy", "keras-fit"), "some", 2, 3, 5, 4, ("quick", "standard"), (5000, 60_000), "records")


def test_options_round_trip_through_environment() -> None:
    environ = OPTIONS.as_environ()
    assert environ == {
        "NNKERNELS_BENCH_CONTENDERS": "numpy,keras-fit",
        "NNKERNELS_BENCH_DATASET": "some",
        "NNKERNELS_BENCH_ROUNDS": "2",
        "NNKERNELS_BENCH_SEEDS": "3",
        "NNKERNELS_BENCH_SEEDS_TO_ACCURACY": "5",
        "NNKERNELS_BENCH_SAMPLES": "4",
        "NNKERNELS_BENCH_PROFILES": "quick,standard",
        "NNKERNELS_BENCH_LARGE_IMAGES": "5000,60000",
        "NNKERNELS_BENCH_RECORDS": "records",
    }
    assert BenchOptions.from_environ(environ | {"OTHER": "1"}) == OPTIONS
    assert BenchOptions.from_environ({"NNKERNELS_BENCH_SEEDS": ""}) == BenchOptions()
    assert BenchOptions().as_environ() == {}
    assert set(replace(OPTIONS, seeds=None).as_environ()) == environ.keys() - {"NNKERNELS_BENCH_SEEDS"}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ROUNDS", "many", "NNKERNELS_BENCH_ROUNDS is 'many'; expected a positive integer"),
        ("SEEDS", "0", "NNKERNELS_BENCH_SEEDS is '0'"),
        ("SAMPLES", "2.5", "NNKERNELS_BENCH_SAMPLES is '2.5'"),
        ("LARGE_IMAGES", "5000,-1", "NNKERNELS_BENCH_LARGE_IMAGES is '5000,-1'; expected positive integers"),
    ],
)
def test_invalid_option_in_environment_is_rejected_by_name(name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        BenchOptions.from_environ({f"NNKERNELS_BENCH_{name}": value})
