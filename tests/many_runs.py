"""Many synthetic runs on several machines, as real run folders of realistic size, for tests of the dashboard."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from nnkernels.measure.records.run import VERSION
from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.measure.timing.interleaving import SecondsByRound
from nnkernels.measure.timing.turns import Turns
from nnkernels.report.runs import Run
from tests import synthetic

MACHINES = (
    ("amd-epyc-znver3-2-cpus", "AMD EPYC", "znver3"),
    ("intel-xeon-processor-cascadelake-2-cpus", "Intel(R) Xeon(R) Processor @ 2.50GHz", "cascadelake"),
    ("intel-xeon-processor-rocketlake-2-cpus", "Intel(R) Xeon(R) Processor", "rocketlake"),
)
START = datetime(2026, 1, 1, tzinfo=UTC)
# Seconds of each contender on one thread, and on all; names that no registry knows are contenders of other packages.
SECONDS = {
    "epoch": {
        "numpy": (0.40, 0.39),
        "fused": (0.045, 0.040),
        "fused_dense": (0.09, 0.06),
        "numba": (0.13, 0.12),
        "keras-fit": (3.9, 4.4),
        "keras-graph": (0.5, 0.8),
        "keras-graph-xla": (0.30, 0.26),
        "jax-scan": (0.28, 0.25),
    },
    "one image of 1,000": {
        "numpy": (12e-6, 12e-6),
        "fused": (1.5e-6, 1.5e-6),
        "numba": (7e-6, 7e-6),
        "keras-fit": (0.045, 0.05),
        "keras-graph": (400e-6, 500e-6),
        "keras-graph-xla": (380e-6, 420e-6),
        "jax-scan": (90e-6, 95e-6),
        "onnxruntime": (20e-6, 24e-6),
    },
    "10,000 images": {
        "numpy": (0.036, 0.024),
        "fused": (0.004, 0.003),
        "numba": (0.03, 0.02),
        "keras-fit": (0.3, 0.3),
        "keras-graph": (0.05, 0.04),
        "onnxruntime": (0.02, 0.01),
    },
}
FREE_THREADS = ("numpy", "fused", "fused_dense", "numba")
SEGMENTS = 4
NOISE = {"run": 0.02, "process": 0.01, "segment": 0.01}  # standard deviations of logarithms


def write_runs(
    root: Path, count: int, machines: int = 3, seed: int = 0, factors: Mapping[int, Mapping[str, float]] | None = None
) -> list[Path]:
    """Write runs, an eighth of a day apart, on the machines in turn, and return their folders.

    From the run with the number ``n`` on, each contender in ``factors[n]`` takes that many times as long.
    """
    return [write_run(root, run) for run in made_up_runs(count, machines, seed, factors)]


def made_up_runs(
    count: int, machines: int = 3, seed: int = 0, factors: Mapping[int, Mapping[str, float]] | None = None
) -> Iterator[Run]:
    """Yield runs as :func:`write_runs` writes them."""
    rng = np.random.default_rng(seed)
    current: dict[str, float] = {}
    for number in range(count):
        current |= (factors or {}).get(number, {})
        yield made_up_run(number, MACHINES[number % machines], rng, current)


def made_up_run(
    number: int,
    machine: tuple[str, str, str] = MACHINES[0],
    rng: np.random.Generator | None = None,
    factors: Mapping[str, float] | None = None,
    **changes: Any,
) -> Run:
    """Return a run of eight processes; keyword arguments replace fields of its record."""
    rng = rng or np.random.default_rng(number)
    commit = hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest()
    started = START + timedelta(hours=3 * number)
    slow = {name: (factors or {}).get(name, 1.0) * np.exp(rng.normal(0, NOISE["run"])) for name in _names()}
    interleaved = [_process(threads, slow, rng) for _pass in range(4) for threads in ("1", "all")]
    base = synthetic.record()
    fields = {
        "run_id": f"{started:%Y%m%dT%H%M%SZ}-{commit[:8]}",
        "recorded_at": f"{started:%Y-%m-%dT%H:%M:%SZ}",
        "commit": commit,
        "machine": machine[0],
        "contenders": _names(),
        "profile": "standard",
        "provenance": {**base.provenance, "cpu": machine[1], "microarchitecture": machine[2]},
    }
    return Run(synthetic.record(**(fields | changes)), interleaved, _asv_results(rng))


def write_run(root: Path, run: Run) -> Path:
    """Write the folder of a run, as ``nnkernels bench`` does but without indentation, which takes most of the time."""
    folder = root / "results" / "runs" / run.record.run_id
    folder.mkdir(parents=True)
    panels = {"version": VERSION, "panels": [vars(one) for one in run.interleaved]}
    for name, content in (
        ("asv.json", run.asv_results),
        ("panels.json", panels),
        ("run.json", {"version": VERSION, **vars(run.record)}),
    ):
        (folder / name).write_text(json.dumps(content), "utf-8")
    return folder


def publish(root: Path, *folders: Path) -> None:
    """Pin runs."""
    content = {"version": 2, "runs": [folder.name for folder in folders]}
    (root / "results" / "published.json").write_text(json.dumps(content), "utf-8")


def _names() -> list[str]:
    return list(dict.fromkeys(name for seconds in SECONDS.values() for name in seconds))


def _process(threads: str, slow: Mapping[str, float], rng: np.random.Generator) -> InterleavedRun:
    process = np.exp(rng.normal(0, 10 * NOISE["process"]))  # cancels in ratios
    seconds: dict[str, SecondsByRound] = {}
    turns: dict[str, Turns | str] = {}
    for work, contenders in SECONDS.items():
        seconds[work] = {}
        for name, by_setting in contenders.items():
            own = np.exp(rng.normal(0, NOISE["process"]))
            for setting, value in zip(("1", "all"), by_setting, strict=True):
                if name in FREE_THREADS or setting == threads:
                    times = value * slow[name] * process * own * np.exp(rng.normal(0, NOISE["segment"], SEGMENTS))
                    kept = 1 if name == "keras-fit" else SEGMENTS
                    seconds[work][f"{name}@{setting}"] = [times[:kept].tolist()]
        turns[work] = _turns(seconds[work], rng)
    return InterleavedRun(threads, "mnist", seconds, {}, turns)


def _turns(seconds: SecondsByRound, rng: np.random.Generator) -> Turns:
    tasks = list(seconds)
    rounds: list[Any] = [[]]
    for segment in range(SEGMENTS):
        present = [place for place, name in enumerate(tasks) if segment < len(seconds[name][0])]
        count = len(present)
        rounds[0].append(
            {
                "order": rng.permutation(present).tolist(),
                "elapsed_ms": [100] * count,
                "steal_ms": [0] * count,
                "others_ms": rng.integers(0, 3, count).tolist(),
                "switches": rng.integers(0, 9, count).tolist(),
                "not_at_rest": [],
            }
        )
    return Turns(seed=int(rng.integers(1 << 31)), tasks=tasks, cpus=2, rounds=rounds)


def _asv_results(rng: np.random.Generator) -> dict[str, Any]:
    names, errors = _names(), [0.058] * len(_names())
    bounds = [["'dense'", "'sparse'"], ["'1'", "'all'"], ["'mnist'"]]
    limits = [[float(value * np.exp(rng.normal(0, 0.03)))] * 4 for value in (0.04, 0.02, 0.008, 0.004)]
    return {
        "result_columns": ["result", "params", "version", "started_at", "duration", "samples"],
        "parameter_names": {
            "accuracy.ErrorRate.track_test": ["contender", "dataset"],
            "limits.Bound.track_epoch": ["bound", "threads", "dataset"],
            "ratios.OneThread.track_relative_time": ["contender", "against", "work", "dataset"],
        },
        "units": {"accuracy.ErrorRate.track_test": "error rate"},
        "processes": {"limits.Bound.track_epoch": limits},
        "results": {
            "accuracy.ErrorRate.track_test": [
                errors,
                [[f"'{name}'" for name in names], ["'mnist'"]],
                "1",
                0,
                0,
                [[error - 0.001, error, error + 0.001] for error in errors],
            ],
            "limits.Bound.track_epoch": [[values[0] for values in limits], bounds, "1"],
            "ratios.OneThread.track_relative_time": [
                [0.5],
                [["'numba'"], ["'numpy'"], ["'epoch'"], ["'mnist'"]],
                "4",
            ],
        },
    }
