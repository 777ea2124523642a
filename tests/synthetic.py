"""Synthetic runs with known numbers, for tests of reports."""

from __future__ import annotations

from typing import Any

from nnkernels.measure.records.run import RunRecord
from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.report.runs import Run

SPEED = {"numpy@1": 0.20, "numpy@all": 0.16, "numba@1": 0.10, "numba@all": 0.12}
FRAMEWORKS = {"1": {"keras-fit@1": 4.0, "keras-graph@1": 0.4}, "all": {"keras-fit@all": 2.0, "keras-graph@all": 0.8}}


def interleaved_run(threads: str, slowdown: float) -> InterleavedRun:
    """Return an interleaved run in which everything takes ``slowdown`` times as long."""
    epochs = {label: [[slowdown * value] * 10] for label, value in SPEED.items()}
    epochs |= {
        label: [[slowdown * value] * (1 if "fit" in label else 10)] for label, value in FRAMEWORKS[threads].items()
    }
    calls = {label: [[slowdown * value / 1000] * 3] for label, value in (SPEED | FRAMEWORKS[threads]).items()}
    return InterleavedRun(threads, "mnist", {"epoch": epochs, "one image": calls, "10,000 images": calls}, {})


# Seconds of each scenario, contender and thread setting. A quick run has fewer scenarios.
SECONDS: dict[str, dict[str, dict[str, float]]] = {
    "epoch": {
        "numpy": {"1": 0.20, "all": 0.16},
        "numba": {"1": 0.10, "all": 0.12},
        "fused": {"1": 0.016, "all": 0.020},
        "keras-graph": {"1": 0.4, "all": 0.8},
        "keras-fit": {"1": 4.0, "all": 2.0},
    },
    "epoch, Adam": {
        "numpy": {"1": 0.6, "all": 0.5},
        "fused": {"1": 0.048, "all": 0.048},
        "keras-graph": {"1": 0.9, "all": 1.2},
        "keras-fit": {"1": 7.0, "all": 6.0},
    },
    "epoch, batch 1,024": {"numpy": {"1": 0.12, "all": 0.09}, "fused": {"1": 0.045, "all": 0.03}},
    "epoch, hidden 128": {
        "numpy": {"1": 0.5, "all": 0.4},
        "fused": {"1": 0.5, "all": 0.3},
        "keras-graph": {"1": 0.6, "all": 0.9},
        "keras-steps": {"1": 0.9, "all": 0.55},
    },
    "one image": {
        "numpy": {"1": 12e-6, "all": 12e-6},
        "numba": {"1": 7e-6, "all": 7e-6},
        "fused": {"1": 1.5e-6, "all": 1.5e-6},
        "onnxruntime": {"1": 20e-6, "all": 24e-6},
        "keras-graph": {"1": 400e-6, "all": 500e-6},
        "keras-fit": {"1": 0.045, "all": 0.05},
    },
    "10,000 images": {
        "numpy": {"1": 0.036, "all": 0.024},
        "numba": {"1": 0.03, "all": 0.02},
        "fused": {"1": 0.004, "all": 0.004},
        "onnxruntime": {"1": 0.02, "all": 0.008},
        "keras-graph": {"1": 0.05, "all": 0.04},
        "keras-fit": {"1": 0.3, "all": 0.3},
    },
    "time to 8.7 % error": {"fused": {"1": 0.018, "all": 0.02}, "keras-graph": {"1": 1.2, "all": 1.0}},
}
FREE_THREADS = ("numpy", "numba", "fused")  # their threads can change, so each process has both settings


def full_interleaved(threads: str, slowdown: float) -> list[InterleavedRun]:
    """Return two interleaved runs, one per process: of the usual scenarios, and of further ones."""
    seconds = {
        work: {
            f"{name}@{setting}": [[slowdown * value] * (1 if "fit" in name else 2)]
            for name, contender_seconds in scenario_seconds.items()
            for setting, value in contender_seconds.items()
            if name in FREE_THREADS or setting == threads
        }
        for work, scenario_seconds in SECONDS.items()
    }
    usual = ("epoch", "one image", "10,000 images")
    parts = ({work: seconds[work] for work in usual}, {work: seconds[work] for work in SECONDS if work not in usual})
    return [InterleavedRun(threads, "mnist", part, {}) for part in parts]


def full_run(**changes: Any) -> Run:
    """Return a run with further scenarios, a contender that only predicts, and further asv benchmarks."""
    interleaved = [
        measured
        for threads in ("1", "all")
        for slowdown in (1.0, 1.3, 0.9, 1.1)
        for measured in full_interleaved(threads, slowdown)
    ]
    results = asv_results()
    results["units"] |= {"large_data.MemoryMap.track_peak_beyond_import": "MiB"}
    images = [["60000", "1000000"], ["'mnist'"]]
    caches = ["'empty'", "'warm'"]
    results["results"] |= {
        "limits.Bound.track_epoch": [[0.03, 0.004], [["'dense'", "'sparse'"], ["'1'"], ["'mnist'"]], "1"],
        "large_data.MemoryMap.track_seconds_per_image": [[1.0e-6, 1.1e-6], images, "1"],
        "large_data.MemoryMap.track_peak_beyond_import": [[150.0, 390.0], images, "1"],
        "startup.FirstCall.track_seconds": [[4.75, 0.75], [["'fused'"], caches, ["'mnist'"]], "1"],
        "startup.NumbaItself.track_seconds": [[0.625, 0.5], [caches], "1"],
    }
    contenders = ["numpy", "numba", "fused", "onnxruntime", "keras-fit", "keras-graph"]
    return Run(record(**({"contenders": contenders} | changes)), interleaved, results)


# Seconds per epoch with Keras on two backends, which never share a process. NumPy is slower in the processes with JAX,
# so that a quotient across both kinds of processes differs from the paired ratio.
KERAS = {
    "TensorFlow": {"numpy@1": 0.2, "numpy@all": 0.25, "fused@1": 0.02, "numba@1": 0.1, "jax-scan@1": 0.15}
    | {"keras-fit@1": 4.0, "keras-fit-steps@1": 0.8, "keras-graph@1": 0.4},
    "JAX": {"numpy@1": 0.4, "numpy@all": 0.5, "fused@1": 0.02, "numba@1": 0.15}
    | {"keras-jax-fit@1": 0.84, "keras-jax-fit-steps@1": 0.32},
}
NOT_COMPILED = "not compiled within 120 s"


def keras_run() -> Run:
    """Return a run with one interleaved run per pass and backend of Keras, each with preparation times."""
    interleaved = [
        InterleavedRun(
            "1",
            "mnist",
            {
                "epoch": {label: [[slowdown * value] * 2] for label, value in seconds.items()},
                "preparation": {
                    label: [[slowdown * value / 10]] if label.startswith("numpy") else [[slowdown * 0.1]]
                    for label, value in seconds.items()
                },
            },
            {"keras-graph-xla: epoch": NOT_COMPILED} if backend == "TensorFlow" else {},
        )
        for slowdown in (1.0, 1.3, 0.9, 1.1)
        for backend, seconds in KERAS.items()
    ]
    return Run(record(), interleaved, asv_results())


def record(**changes: Any) -> RunRecord:
    """Return the record of a run; keyword arguments replace its fields."""
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
    """Return results in asv's format: error rates, times of an epoch and of a kernel, and a ratio."""
    columns = ["result", "params", "version", "started_at", "duration", "samples"]
    contenders = ["'numpy'", "'keras-fit'"]
    return {
        "result_columns": columns,
        "parameter_names": {
            "accuracy.ErrorRate.track_test": ["contender", "dataset"],
            "training.Epoch.time_epoch": ["contender", "threads", "dataset"],
            "kernels.Kernels.time_step": ["backend", "batch_size", "dataset"],
            "limits.Bound.track_epoch": ["bound", "threads", "dataset"],
            "large_data.MemoryMap.track_seconds_per_image": ["images", "dataset"],
            "large_data.MemoryMap.track_peak_beyond_import": ["images", "dataset"],
            "startup.FirstCall.track_seconds": ["contender", "cache", "dataset"],
            "startup.NumbaItself.track_seconds": ["cache"],
            "ratios.OneThread.track_relative_time": ["contender", "against", "work", "dataset"],
        },
        "units": {"accuracy.ErrorRate.track_test": "error rate"},
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
    """Return a run of four processes at each thread setting, each at a different speed."""
    interleaved = [interleaved_run(threads, slowdown) for threads in ("1", "all") for slowdown in (1.0, 1.3, 0.9, 1.1)]
    return Run(record(**changes), interleaved, asv_results())
