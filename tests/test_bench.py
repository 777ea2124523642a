"""Each benchmark, run once at a small size."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nnkernels import contenders, kernels
from nnkernels.data import Dataset
from nnkernels.data.folder import write_folder
from nnkernels.measure.plan import quick_plan

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def small_folder(small_digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small-digits")
    write_folder(folder, small_digits)
    return folder


@pytest.mark.parametrize("threads", ["1", "all"])
def test_every_benchmark_runs(threads: str, small_digits: Dataset, small_folder: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks_once", threads],
        cwd=ROOT,
        env={
            **os.environ,
            "NNKERNELS_DATA": str(small_folder),
            "NNKERNELS_BENCH_DATASET": small_digits.name,
            "NNKERNELS_BENCH_ROUNDS": "1",
            "NNKERNELS_BENCH_SEEDS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    values = json.loads(answer.stdout.splitlines()[-1])
    here = {label: value for label, value in values.items() if small_digits.name in label}
    # What is not at hand is skipped, never measured on something else under its name.
    assert all(value is None for label, value in values.items() if label not in here)
    measured = {label for label, value in here.items() if value is not None}
    assert all(here[label] > 0 for label in measured)
    for name in filter(contenders.is_installed, contenders.names()):
        benchmarks = ["inference.Predict.time_predict", "training.Epoch.time_epoch"]
        benchmarks += ["accuracy.ErrorRate.track_test"] if threads == "all" else []
        for benchmark in benchmarks:
            assert any(label.startswith(f"{benchmark}('{name}'") for label in measured), (benchmark, name)
    for backend in kernels.names():
        for kernel in ("forward", "backward", "step"):
            assert sum(label.startswith(f"kernels.Kernels.time_{kernel}('{backend}'") for label in measured) == 4
    assert any("ratios" in label for label in measured)


def test_quick_plan_selects_calls_as_asv_writes_them() -> None:
    plan = quick_plan(["numpy", "keras-fit"], "mnist")
    everything, *again = plan.passes
    assert len(again) == 3  # with the first, four fresh processes of every paired ratio

    def selected(call: str) -> bool:
        return any(re.search(pattern, call) for pattern in everything)

    assert selected("training.Epoch.time_epoch('keras-fit', '1', 'mnist')")
    assert not selected("training.Epoch.time_epoch('keras-fit', '1', 'mnist-5k')")
    assert not selected("training.Epoch.time_epoch('numba', '1', 'mnist')")
    assert selected("kernels.Kernels.time_step('numpy', 2048, 'mnist')")
    assert selected("ratios.AllThreads.track_relative_time('numpy', 'keras-fit', 'epoch', 'mnist')")
    assert all(pattern.startswith("^ratios") for passes in again for pattern in passes)
