"""Each benchmark runs once at a small size, and each profile plans the right benchmarks."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from asv_runner.benchmarks._base import get_setup_cache_key
from asv_runner.benchmarks.mark import SkipNotImplemented

import bench.kernels
from bench import _children, _interleaved, inference, large_data, other_work, ratios
from bench._children import fresh_process
from bench.large_data import write_repeated
from nnkernels import contenders, kernels, steps
from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError, UnknownNameError
from nnkernels.measure.asv_driver.bench_files import BENCH_FILES
from nnkernels.measure.asv_driver.options import BenchOptions
from nnkernels.measure.asv_driver.plan import CLASSES, PROCESSES, PROFILES, make_plan, profile
from nnkernels.measure.asv_driver.request import Request, choose_contenders
from nnkernels.measure.timing.scenarios import FURTHER_SCENARIOS, SCENARIOS, names
from nnkernels.measure.timing.threads import SETTINGS, cgroup_quota, thread_count
from tests.forms import INSTALLED
from tests.processes import python
from tests.sweeps import require_distributed

ROOT = Path(__file__).parents[1]

# Benchmarks that measure every installed contender, at each thread setting if they have a parameter for it.
CONTENDER_BENCHMARKS = (
    "accuracy.ErrorRate.track_test",
    "inference.OneImage.time_predict",
    "inference.Predict.time_predict",
    "memory.Peak.track_beyond_import",
    "memory.Peak.track_peak",
    *(f"scaling.{name}.track_seconds_per_image" for name in ("BatchSize", "HiddenWidth", "Images", "Threads")),
    "startup.FirstCall.track_seconds",
    "training.Epoch.time_epoch",
)

HERE = [name for name in INSTALLED if contenders.entry(name).process == ""]
# Contenders without a framework run every benchmark in one process, because they can change their number of threads.
NO_FRAMEWORK = [name for name in ("fused", "numba", "numpy", "onnxruntime") if name in HERE]
FRESH = "all=memory,startup"
SWEEPS = "1=sweeps"
TOGETHER = (
    "1=inference,kernels,large_data,limits,ratios,scaling,steps,training,transforms",
    "all=accuracy,inference,limits,other_work,scaling,training,transforms",
)
# Start-up and memory are measured in fresh processes, some of which compile for many seconds. Tests of these and of the
# other contenders are `slow` and use one thread setting. Benchmarks that prepare a contender in each call, or start a
# process for it, run one contender of each framework; interleaved runs and error rates include all.
ONE_PER_FRAMEWORK = [name for name in ("jax-scan", "keras-fit", "scikit-learn") if name in HERE]
SLOW_CALLS = {
    "1=inference,scaling,training": ONE_PER_FRAMEWORK,
    "all=accuracy,other_work,ratios": [name for name in HERE if name not in NO_FRAMEWORK],
    FRESH: ["fused", *ONE_PER_FRAMEWORK],
}


def test_every_benchmark_file_is_run_by_these_tests() -> None:
    called = {file for setting in (*TOGETHER, FRESH, SWEEPS) for file in setting.partition("=")[2].split(",")}
    assert called == {file.name for file in BENCH_FILES}


def benchmarks_once(arguments: list[str], chosen: list[str], small_digits: Dataset, folder: Path) -> dict[str, float]:
    environment = os.environ | {
        "NNKERNELS_DATA": str(folder),
        "NNKERNELS_BENCH_CONTENDERS": ",".join(chosen),
        "NNKERNELS_BENCH_DATASET": small_digits.name,
        "NNKERNELS_BENCH_LARGE_IMAGES": "5000",
        "NNKERNELS_BENCH_ROUNDS": "1",
        "NNKERNELS_BENCH_SAMPLES": "1",
        "NNKERNELS_BENCH_SEEDS": "1",
    }
    answer = python("-m", "tests.benchmarks_once", *arguments, folder=ROOT, environment=environment)
    values: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return values


@pytest.mark.slow
@pytest.mark.skipif(not contenders.is_installed("keras-jax-fit"), reason="keras or jax is not installed")
def test_contenders_of_separate_process_are_measured_with_reference_contenders(
    small_digits: Dataset, data_folder: Path
) -> None:
    values = benchmarks_once(
        ["keras-jax", "1=ratios,training"], ["numpy", "keras-graph", "keras-jax-fit"], small_digits, data_folder
    )
    measured = {label for label, value in values.items() if value is not None}
    ratio = "ratios.KerasJaxOneThread.track_relative_time('keras-jax-fit', 'numpy', 'epoch', '{}')"
    assert ratio.format(small_digits.name) in measured
    assert any(label.startswith("training.Epoch.time_epoch('keras-jax-fit'") for label in measured)
    assert not any("keras-graph" in label for label in measured)


def call_all(settings: Sequence[str], chosen: list[str], data: Dataset, folder: Path) -> set[str]:
    """Call the benchmarks, check that they measure all that each contender can do, and return the measured calls."""
    values = benchmarks_once(["", *settings], chosen, data, folder)
    imports = {label: value for label, value in values.items() if label.startswith(("startup.Import", "startup.Numba"))}
    modules_imported = 4 if "keras-fit" in chosen else 3  # TensorFlow is left out with its contenders
    assert len(imports) == (modules_imported + 2 if FRESH in settings else 0)  # and Numba with two caches
    assert None not in imports.values(), imports
    here = {label: value for label, value in values.items() if data.name in label or label in imports}
    # Unavailable data sets are skipped, and never replaced by other data under their name.
    assert all(value is None for label, value in values.items() if label not in here)
    measured = {label for label, value in here.items() if value is not None}
    assert all(0 < here[label] < math.inf for label in measured)
    for threads, _, files in (setting.partition("=") for setting in settings):
        selected_benchmarks = [
            benchmark for benchmark in CONTENDER_BENCHMARKS if benchmark.partition(".")[0] in files.split(",")
        ]
        for name, benchmark in itertools.product(chosen, selected_benchmarks):
            trains = contenders.entry(name).trains  # those that only predict have no training benchmarks
            contender_labels = [label for label in measured if label.startswith(f"{benchmark}('{name}'")]
            at_setting = [label for label in contender_labels if f"'{threads}'" in label]
            has_setting = benchmark.startswith(("inference", "scaling.Threads", "training"))
            is_measured = bool(at_setting if has_setting else contender_labels)
            assert is_measured == (trains or benchmark.startswith("inference")), (benchmark, name, threads)
        if "other_work" in files:
            scenarios = {label.split("'")[5] for label in measured if label.startswith("other_work.")}
            assert scenarios == {scenario.name for scenario in FURTHER_SCENARIOS if scenario.applies_to(data.name)}
        if "ratios" in files:
            assert any(label.startswith("ratios.") for label in measured)
    return measured


def test_every_benchmark_runs(small_digits: Dataset, data_folder: Path) -> None:
    measured = call_all(TOGETHER, NO_FRAMEWORK, small_digits, data_folder)
    for backend in kernels.names():
        for kernel in ("forward", "backward", "step"):
            times = sum(label.startswith(f"kernels.Kernels.time_{kernel}('{backend}'") for label in measured)
            assert times == (0 if backend in ("fused", "fused_dense") else 4)  # both use the kernels of numba
    from_file = {label for label in measured if label.startswith("large_data.")}
    assert from_file == {
        f"large_data.{benchmark}('{contender}', 5000, '{small_digits.name}')"
        for benchmark, benchmark_contenders in {
            "MemoryMap.track_seconds_per_image": ("fused", "numpy"),
            "MemoryMap.track_peak_beyond_import": ("fused", "numpy"),
            "InMemory.track_seconds_per_image": ("fused",),
        }.items()
        for contender in benchmark_contenders
    }
    limits = [label for label in measured if label.startswith("limits.")]
    for threads in SETTINGS:  # peak, 3 levels of reading, 2 bounds of epoch and inference
        assert sum(f"'{threads}'" in label for label in limits) == 1 + 3 + 2 * 2
    assert sum(label.startswith("steps.Steps.track_epoch(") for label in measured) == len(steps.STEPS)
    transforms = [label for label in measured if label.startswith("transforms.")]
    assert len(transforms) == 4 * 3  # SciPy on one thread, and ours at both settings


@pytest.mark.slow
@pytest.mark.parametrize("setting", SLOW_CALLS)
def test_every_benchmark_runs_for_the_slow_contenders(setting: str, small_digits: Dataset, data_folder: Path) -> None:
    call_all([setting], ["numpy", *SLOW_CALLS[setting]], small_digits, data_folder)


@pytest.mark.cluster
def test_sweeps_on_a_cluster_and_in_local_processes_are_measured(small_digits: Dataset, data_folder: Path) -> None:
    require_distributed()
    measured = call_all([SWEEPS], ["fused"], small_digits, data_folder)
    call = "sweeps.OnCluster.track_time_relative_to_local({!r}, {!r})"
    assert measured == {call.format(clock, small_digits.name) for clock in ("whole sweep", "trainings")}


@pytest.mark.parametrize(("module", "scenarios"), [(ratios, SCENARIOS), (other_work, FURTHER_SCENARIOS)])
@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("threads", SETTINGS)
def test_each_interleaved_benchmark_measures_its_scenarios_threads_and_process(
    module: ModuleType, scenarios: object, process: str, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    requested: list[tuple[object, ...]] = []
    monkeypatch.setattr(module, "measure_interleaved", lambda *arguments: requested.append(arguments))
    getattr(module, PROCESSES[process] + CLASSES[threads])().setup_cache()
    assert [(*arguments, "")[:3] for arguments in requested] == [(scenarios, threads, process)]


@pytest.mark.parametrize("images", [100, 2304, 5000])
def test_write_repeated_cycles_through_the_available_images(tmp_path: Path, small_digits: Dataset, images: int) -> None:
    write_repeated(small_digits, images, tmp_path)
    numbers = np.arange(images) % 2304
    np.testing.assert_array_equal(np.load(tmp_path / "images.npy"), small_digits.X_train[numbers])
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), small_digits.y_train[numbers])


def test_memory_map_benchmark_is_skipped_without_enough_disk_space(
    monkeypatch: pytest.MonkeyPatch, small_digits: Dataset
) -> None:
    monkeypatch.setattr(large_data, "available_dataset", lambda: small_digits)
    monkeypatch.setattr(large_data, "dataset", lambda name: small_digits)
    monkeypatch.setattr(large_data, "CHOSEN", (1_000_000,))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1e9))
    benchmark = large_data.MemoryMap()
    measured = large_data._all_measured.__wrapped__()
    with pytest.raises(SkipNotImplemented, match=r"need 1\.6 GB of disk, including a reserve; 1\.0 GB are free"):
        benchmark.track_seconds_per_image(measured, "fused", 1_000_000, small_digits.name)
    with pytest.raises(SkipNotImplemented, match="NNKERNELS_BENCH_LARGE_IMAGES selects other sizes"):
        benchmark.track_peak_beyond_import(measured, "fused", 60_000, small_digits.name)


def test_in_memory_benchmark_is_skipped_without_enough_memory(
    monkeypatch: pytest.MonkeyPatch, small_digits: Dataset
) -> None:
    psutil = pytest.importorskip("psutil")
    ran: list[tuple[str, bool]] = []

    def recorded(program: str, contender: str, folder: Path) -> dict[str, float]:
        compile(program, "program", "exec")
        ran.append((contender, "train_from_file(contender" in program))
        return {"seconds": 0.5, "beyond_import": 2**20}

    monkeypatch.setattr(large_data, "available_dataset", lambda: small_digits)
    monkeypatch.setattr(large_data, "dataset", lambda name: small_digits)
    monkeypatch.setattr(large_data, "CHOSEN", (5_000,))
    for module in (large_data, _children):
        monkeypatch.setattr(module, "fresh_process", recorded)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1e6))
    measured = large_data._all_measured.__wrapped__()
    where = ("fused", 5_000, small_digits.name)
    assert large_data.MemoryMap().track_seconds_per_image(measured, *where)["samples"] == [1e-4] * large_data.SAMPLES
    with pytest.raises(SkipNotImplemented, match=r"need 0\.0 GB of memory, including a reserve; 0\.0 GB are free"):
        large_data.InMemory().track_seconds_per_image(measured, *where)
    assert set(ran) == {("fused", True), ("numpy", True)}
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1e12))
    measured = large_data._all_measured.__wrapped__()
    assert large_data.InMemory().track_seconds_per_image(measured, *where)["samples"] == [1e-4] * large_data.SAMPLES
    assert set(ran) == {("fused", True), ("numpy", True), ("fused", False)}


def test_fresh_process_uses_installed_numba_cache_unless_given_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "import json, os; print(json.dumps({'cache': os.environ['NUMBA_CACHE_DIR']}))"
    monkeypatch.setenv("NUMBA_CACHE_DIR", "shared")
    assert fresh_process(program, "numpy", tmp_path) == {"cache": "shared"}
    assert fresh_process(program, "numpy", tmp_path, "empty0") == {"cache": str(tmp_path / "empty0")}


def selected(patterns: tuple[str, ...], call: str) -> bool:
    return any(re.search(pattern, call) for pattern in patterns)


def test_quick_plan_selects_ratios_and_accuracy_on_one_thread() -> None:
    names = ["numpy", "fused", "keras-fit", "keras-graph", "keras-jax-fit"]
    chosen = PROFILES["quick"]
    first, second, *again = make_plan(chosen, names, "mnist", Request([], "quick", chosen).threads).passes
    assert len(again) == 2  # with the first two: four fresh processes for every paired ratio
    call = "ratios.{}.track_relative_time('{}', 'numpy', 'epoch', '{}')"
    for patterns in (first, second, *again):
        assert selected(patterns, call.format("OneThread", "fused", "mnist"))
        assert selected(patterns, call.format("KerasJaxOneThread", "keras-jax-fit", "mnist"))
        assert not selected(patterns, call.format("OneThread", "fused", "mnist-5k"))
        assert not selected(patterns, call.format("AllThreads", "fused", "mnist"))  # frameworks at one setting only
        assert not selected(patterns, call.format("OneThread", "keras-graph", "mnist"))  # only in the records
    # The ratios are the first results; error rates come later, and nothing else is measured.
    assert all(pattern.startswith("^ratios") for patterns in (first, *again) for pattern in patterns)
    assert selected(second, "accuracy.ErrorRate.track_test('keras-fit', 'mnist')")
    assert all(pattern.startswith(("^ratios", "^accuracy")) for pattern in second)


def test_headline_plan_selects_ratios_and_accuracy_at_both_thread_settings() -> None:
    chosen = PROFILES["headline"]
    passes = make_plan(chosen, ["numpy", "fused", "keras-fit"], "mnist", Request([], "headline", chosen).threads).passes
    for patterns in passes:
        for threads in ("OneThread", "AllThreads"):
            assert selected(patterns, f"ratios.{threads}.track_relative_time('fused', 'numpy', 'epoch', 'mnist')")
        assert all(pattern.startswith(("^ratios", "^accuracy")) for pattern in patterns)
    assert sum(selected(patterns, "accuracy.ErrorRate.track_test('fused', 'mnist')") for patterns in passes) == 1
    assert chosen.minutes <= 6


@pytest.mark.parametrize("name", PROFILES)
def test_plans_skip_benchmarks_already_timed_by_interleaved_runs(name: str) -> None:
    passes = make_plan(PROFILES[name], ["numpy", "keras-fit"], "mnist", SETTINGS).passes
    for call in (
        "training.Epoch.time_epoch('numpy', '1', 'mnist')",
        "training.Preparation.time_prepare('numpy', '1', 'mnist')",
        "inference.OneImage.time_predict('numpy', '1', 'mnist')",
        "inference.Predict.time_predict('numpy', 10000, '1', 'mnist')",
    ):
        assert not any(selected(patterns, call) for patterns in passes)


@pytest.mark.parametrize(
    ("profiles", "has_many_images"), [((), True), (("quick",), False), (("quick", "standard"), True)]
)
def test_interleaved_run_times_the_scenarios_of_its_profiles(
    monkeypatch: pytest.MonkeyPatch, small_digits: Dataset, profiles: tuple[str, ...], has_many_images: bool
) -> None:
    monkeypatch.setattr(_interleaved, "OPTIONS", BenchOptions(profiles=profiles))
    monkeypatch.setattr(_interleaved, "selected_contenders", lambda: ["numpy"])
    monkeypatch.setattr(_interleaved, "available_dataset", lambda: small_digits)
    timed: list[str] = []
    monkeypatch.setattr(
        _interleaved, "run_interleaved", lambda _names, _data, scenarios, *_rest: timed.extend(names(scenarios))
    )
    _interleaved.measure_interleaved(SCENARIOS, "1")
    assert set(timed) == set(names(SCENARIOS)) - (set() if has_many_images else {"10,000 images"})


def test_standard_and_full_plans_add_benchmarks_and_train_for_accuracy_once() -> None:
    for name in ("standard", "full"):
        chosen = PROFILES[name]
        threads = Request([], name, chosen).threads
        passes = make_plan(chosen, ["numpy", "fused", "keras-fit"], "mnist", threads).passes
        assert len(passes) == chosen.ratio_passes
        for call in (
            "kernels.Kernels.time_step('numpy', 2048, 'mnist')",
            "startup.FirstCall.track_seconds('numpy', 'empty', 'mnist')",
            "large_data.MemoryMap.track_seconds_per_image('fused', 60000, 'mnist')",
        ):
            assert sum(selected(patterns, call) for patterns in passes) == chosen.single_passes
        # Results are shown as shares of the limits, and their intervals need several processes of both.
        assert all(selected(patterns, "limits.Bound.track_epoch('sparse', '1', 'mnist')") for patterns in passes)
        assert all(selected(patterns, "steps.Steps.track_epoch('vectors', 'mnist')") for patterns in passes)
        accuracy = [selected(patterns, "accuracy.ErrorRate.track_test('numpy', 'mnist')") for patterns in passes]
        assert sum(accuracy) == 1
        scaling = selected(passes[-1], "scaling.BatchSize.track_seconds_per_image('numpy', 1, 'mnist')")
        assert scaling == (name == "full")
        for call in (
            "ratios.AllThreads.track_relative_time('keras-fit', 'numpy', 'epoch', 'mnist')",
            "other_work.OneThread.track_relative_time('fused', 'numpy', 'epoch, Adam', 'mnist')",
        ):
            assert all(selected(patterns, call) for patterns in passes)
        assert len(passes) >= 4  # fresh processes for every paired ratio
        other = "large_data.MemoryMap.track_seconds_per_image('fused', 60000, 'mnist-5k')"
        assert not any(selected(patterns, other) for patterns in passes)


def test_thread_settings_default_to_those_of_the_profile() -> None:
    assert Request([], "quick", PROFILES["quick"]).threads == ("1",)
    assert Request([], "standard", PROFILES["standard"]).threads == SETTINGS
    assert Request([], "quick", PROFILES["quick"], ["1", "all"]).threads == SETTINGS


def test_kernels_shared_by_backends_are_planned_once() -> None:
    passes = make_plan(PROFILES["standard"], ["numba", "fused", "fused_dense"], "mnist", SETTINGS).passes
    for kernel in ("forward", "backward", "step"):
        calls = {name: f"kernels.Kernels.time_{kernel}('{name}', 32, 'mnist')" for name in ("numba", "fused")}
        assert [name for name, call in calls.items() if selected(passes[-1], call)] == ["numba"]


@pytest.mark.parametrize("kernel", ["forward", "backward", "step"])
def test_shared_kernel_benchmark_is_skipped_naming_the_owner(kernel: str) -> None:
    benchmark = getattr(bench.kernels.Kernels(), f"time_{kernel}")
    with pytest.raises(SkipNotImplemented, match="fused_dense uses the function of numba"):
        benchmark("fused_dense", 32, "mnist")


def test_shared_prediction_benchmark_is_skipped_naming_the_owner(
    monkeypatch: pytest.MonkeyPatch, small_digits: Dataset
) -> None:
    monkeypatch.setattr(inference, "dataset", lambda name: small_digits)
    with pytest.raises(SkipNotImplemented, match="fused_dense uses the function of fused"):
        inference.OneImage().time_predict("fused_dense", "1", small_digits.name)
    with pytest.raises(SkipNotImplemented, match="fused_dense uses the function of fused"):
        inference.Predict().time_predict("fused_dense", 10_000, "1", small_digits.name)


def test_other_work_is_planned_only_for_contenders_that_train(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {
        "numpy": contenders.entry("numpy"),
        "numba": contenders.entry("numba"),
        "only-predicts": contenders.Entry(lambda: pytest.fail("created"), "cannot train", trains=False),
    }
    monkeypatch.setattr(contenders, "_entries", lambda: entries)

    def planned(*names: str) -> list[str]:
        passes = make_plan(PROFILES["standard"], names, "mnist", ["1"]).passes
        return [pattern for pattern in passes[0] if "other_work" in pattern]

    call = "other_work.OneThread.track_relative_time('{}', 'numpy', 'epoch, Adam', 'mnist')"
    (pattern,) = planned(*entries)
    assert selected((pattern,), call.format("numba"))
    assert not selected((pattern,), call.format("only-predicts"))
    (pattern,) = planned("numpy")  # timed even without a contender to compare with
    assert selected((pattern,), call.format("numpy"))
    assert planned("only-predicts") == []


@pytest.mark.parametrize(("threads", "classes"), [(["1"], {"OneThread"}), (["all"], {"AllThreads"})])
def test_plan_for_one_thread_setting_omits_the_other(threads: list[str], classes: set[str]) -> None:
    patterns = make_plan(PROFILES["quick"], ["numpy", "numba"], "mnist", threads).passes[0]
    found = {name for name in ("OneThread", "AllThreads") if any(name in pattern for pattern in patterns)}
    assert found == classes


def test_contenders_of_separate_process_get_a_separate_interleaved_run() -> None:
    names = ["numpy", "numba", "keras-fit", "keras-jax-fit", "keras-jax-fit-steps"]
    patterns = make_plan(PROFILES["standard"], names, "mnist", ["1"]).passes[0]
    apart = "ratios.KerasJaxOneThread.track_relative_time('{}', '{}', 'epoch', 'mnist')"
    beside = "ratios.OneThread.track_relative_time('{}', '{}', 'epoch', 'mnist')"
    assert selected(patterns, apart.format("keras-jax-fit-steps", "numpy"))
    assert not selected(patterns, apart.format("numba", "numpy"))  # measured in the other run
    assert selected(patterns, beside.format("numba", "numpy"))
    assert not selected(patterns, beside.format("keras-jax-fit", "numpy"))
    adam = "other_work.KerasJaxOneThread.track_relative_time('keras-jax-fit', 'numpy', 'epoch, Adam', 'mnist')"
    assert selected(patterns, adam)
    assert not any("Torch" in pattern for pattern in patterns)


def test_plan_rejects_contender_of_unknown_process(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {"strange": contenders.Entry(lambda: pytest.fail("created"), "of a test", process="elsewhere")}
    monkeypatch.setattr(contenders, "_entries", lambda: entries)
    with pytest.raises(ConfigurationError, match=r"strange requires the process 'elsewhere'.*keras-jax, torch"):
        make_plan(PROFILES["quick"], ["strange"], "mnist", ["1"])


def test_profile_excludes_contenders_of_larger_profiles_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {
        name: contenders.Entry(lambda: pytest.fail("created"), "of a test", from_profile=name) for name in PROFILES
    }
    monkeypatch.setattr(contenders, "_entries", lambda: entries)
    assert choose_contenders([], "quick") == (["quick"], {})
    assert choose_contenders([], "standard") == (["quick", "headline", "standard"], {})
    assert choose_contenders([]) == (["quick", "headline", "standard", "full"], {})
    assert choose_contenders(["full"], "quick") == (["full"], {})  # included because it is named


def test_interleaved_benchmarks_have_distinct_setup_cache_keys() -> None:
    # asv identifies a setup cache by its file and line, so two on the same line would be shared.
    for module in (ratios, other_work):
        classes = [getattr(module, prefix + name) for prefix in PROCESSES.values() for name in CLASSES.values()]
        assert len({get_setup_cache_key(found.setup_cache) for found in classes}) == len(classes)


def test_invalid_profile_threads_and_passes_are_rejected() -> None:
    with pytest.raises(UnknownNameError, match="expected one of: quick, headline, standard, full"):
        profile("huge")
    for threads in (["2"], ["1", "many"]):
        with pytest.raises(ConfigurationError, match="expected 1, all or 1,all"):
            Request([], "quick", PROFILES["quick"], threads)
    with pytest.raises(ConfigurationError, match="at least 1"):
        Request([], "quick", replace(PROFILES["quick"], ratio_passes=0))


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "150000 100000"}, 1.5),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "nonsense"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 0.5),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({}, None),
    ],
)
def test_cgroup_quota_limits_thread_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], quota: float | None
) -> None:
    (tmp_path / "cpu").mkdir()
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    assert cgroup_quota(tmp_path) == quota
    monkeypatch.setattr("nnkernels.measure.timing.threads.cgroup_quota", lambda: quota)
    monkeypatch.setattr("nnkernels.measure.timing.threads.affinity", lambda: 8)
    assert thread_count("all") == {1.5: 2, 0.5: 1, None: 8}[quota]
    assert thread_count("1") == 1
