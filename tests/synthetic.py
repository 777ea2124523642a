"""A run whose numbers are made up, and so known: for tests of what is made of them."""

from __future__ import annotations

from typing import Any

from nnkernels.measure.panel import Panel
from nnkernels.measure.records import RunRecord
from nnkernels.report.runs import Run

SPEED = {"numpy@1": 0.20, "numpy@all": 0.16, "numba@1": 0.10, "numba@all": 0.12}
FRAMEWORKS = {"1": {"keras-fit@1": 4.0, "keras-graph@1": 0.4}, "all": {"keras-fit@all": 2.0, "keras-graph@all": 0.8}}


def panel(threads: str, slowdown: float) -> Panel:
    """Return a panel of a process in which everything takes ``slowdown`` times as long."""
    epochs = {label: [[slowdown * value] * 10] for label, value in SPEED.items()}
    epochs |= {
        label: [[slowdown * value] * (1 if "fit" in label else 10)] for label, value in FRAMEWORKS[threads].items()
    }
    calls = {label: [[slowdown * value / 1000] * 3] for label, value in (SPEED | FRAMEWORKS[threads]).items()}
    return Panel(threads, "mnist", {"epoch": epochs, "one image": calls, "10,000 images": calls}, {})


def record(**changes: Any) -> RunRecord:
    """Return the description of the run."""
    fields: dict[str, Any] = {
        "run_id": "20260101T000000Z-0123abcd",
        "unrecorded": "",
        "recorded_at": "2026-01-01T00:00:00Z",
        "commit": "0123abcd" * 5,
        "machine": "some-processor-2-cpus",
        "dataset": "mnist",
        "contenders": ["numpy", "numba", "keras-fit", "keras-graph"],
        "not_installed": {},
        "profile": "quick",
        "threads": ["1", "all"],
        "passes": 4,
        "planned_passes": 4,
        "provenance": {
            "python": "3.11.7",
            "implementation": "CPython",
            "packages": {"numpy": "2.4.0", "numba": "0.68.0"},
            "os": "Linux 6",
            "architecture": "x86_64",
            "cpu": "Some Processor",
            "microarchitecture": "haswell",
            "cpus": 2,
            "blas": [
                {"internal_api": "openblas", "version": "0.3", "architecture": "Haswell", "threading_layer": "pthreads"}
            ],
            "dataset": {"name": "mnist", "sha256": "00ff", "training_images": 60000, "test_images": 10000},
            "tree": "clean",
        },
    }
    return RunRecord(**(fields | changes))


def asv_results() -> dict[str, Any]:
    """Return results in asv's form: error rates of two contenders, an epoch's seconds, a kernel's."""
    columns = ["result", "params", "version", "started_at", "duration", "samples"]
    contenders = ["'numpy'", "'keras-fit'"]
    return {
        "result_columns": columns,
        "results": {
            "accuracy.ErrorRate.track_test": [
                [0.05, 0.10],
                [contenders, ["'mnist'"]],
                "1",
                0,
                0,
                [[0.04, 0.06], [0.08, 0.12]],
            ],
            "training.Epoch.time_epoch": [
                [0.2, None, 4.0, None],
                [contenders, ["'1'", "'all'"], ["'mnist'"]],
                "1",
                0,
                0,
                None,
            ],
            "kernels.Kernels.time_step": [[1e-5], [["'numpy'"], ["32"], ["'mnist'"]], "1"],
            "ratios.OneThread.track_relative_time": [[0.5], [["'numba'"], ["'numpy'"], ["'epoch'"], ["'mnist'"]], "1"],
        },
    }


def run(**changes: Any) -> Run:
    """Return the whole run: four processes at each thread setting, each at a speed of its own."""
    panels = [panel(threads, slowdown) for threads in ("1", "all") for slowdown in (1.0, 1.3, 0.9, 1.1)]
    return Run(record(**changes), panels, asv_results())
