"""Call benchmarks once on the available data set, and print their results as JSON.

This is a separate program because a framework's number of threads is fixed for the life of a process. Its arguments are
the process of the contenders (often an empty string) and the benchmark files of each thread setting, for example
``1=kernels,ratios all=accuracy``. It measures the contenders in ``NNKERNELS_BENCH_CONTENDERS``. Each call of a scaling
benchmark prepares and verifies its contender again, so only the cheapest calls are made. The gate before each timing is
short: tests/test_gate.py runs it in full for every contender. Error rates are those after one epoch.
"""

from __future__ import annotations

import inspect
import itertools
import json
import subprocess
import sys
import time
from importlib import import_module

from asv_runner.benchmarks.mark import SkipNotImplemented

from bench import accuracy, sweeps
from bench._common import selected_contenders
from nnkernels import contenders
from nnkernels.measure.asv_driver.plan import CLASSES, PROCESSES
from nnkernels.measure.correctness import gate, gate_training
from nnkernels.measure.timing import step_times
from nnkernels.recipes import accuracy_recipe

# Parameters of the calls of scaling benchmarks.
CHEAPEST = {"batch_size": 2048, "hidden": 20, "images": 1000}


def main(process: str, *settings: str) -> None:
    """Print a JSON object that maps each call to its value, or to null if it was skipped."""
    gate_training.IMAGES, gate.PREDICTED_TOGETHER, gate.PREDICTED_ALONE = 97, 257, 2
    step_times.SEGMENTS = 1  # the loops in Python take seconds
    sweeps.SEEDS = 2  # one for each worker
    accuracy.accuracy_recipe = lambda _images: accuracy_recipe(60_000)
    values: dict[str, float | None] = {}
    for threads, _, files in (setting.partition("=") for setting in settings):
        for file in files.split(","):
            call_file(file, threads, process, values)
    print(json.dumps(values))


def call_file(file: str, threads: str, process: str, values: dict[str, float | None]) -> None:
    """Call the benchmarks of a file at a thread setting, and add their results to ``values``.

    Benchmarks without a parameter for threads are called once for all settings.
    """
    module = import_module(f"bench.{file}")
    own_process = {prefix + group for prefix in PROCESSES.values() for group in CLASSES.values()}
    for class_name, cls in inspect.getmembers(module, inspect.isclass):
        if cls.__module__ != module.__name__ or class_name.startswith("_") or not hasattr(cls, "param_names"):
            continue
        if class_name in own_process and class_name != PROCESSES[process] + CLASSES[threads]:
            continue
        instance = cls()
        prefix = (instance.setup_cache(),) if hasattr(instance, "setup_cache") else ()
        for parameters in itertools.product(*cls.params):
            given = dict(zip(cls.param_names, parameters, strict=True))
            if given.get("threads", threads) != threads or is_left_out(cls.param_names[0], parameters[0], process):
                continue
            if file == "scaling" and any(given.get(name, value) != value for name, value in CHEAPEST.items()):
                continue
            for name, function in inspect.getmembers(instance, inspect.ismethod):
                label = f"{file}.{class_name}.{name}{parameters}"
                if name.startswith(("time_", "timeraw_", "track_")) and label not in values:
                    values[label] = call(instance, function, prefix, parameters)


def is_left_out(kind: str, first: object, process: str) -> bool:
    """Return whether a benchmark's first parameter is a contender of another process, or one that is not selected.

    A module may have the name of a contender. TensorFlow, whose import takes seconds, is imported only if one of its
    contenders is selected.
    """
    if kind == "module":
        return first == "tensorflow" and "keras-fit" not in selected_contenders()
    if first not in contenders.names():
        return False
    return first not in selected_contenders() or contenders.entry(str(first)).process != process


def call(
    instance: object, function: object, prefix: tuple[object, ...], parameters: tuple[object, ...]
) -> float | None:
    """Return the seconds of a timed call or the first sample of a tracked one; None if it is skipped."""
    try:
        if hasattr(instance, "setup"):
            instance.setup(*parameters)
        started = time.perf_counter()
        tracked = function(*prefix, *parameters)
        elapsed = time.perf_counter() - started
    except SkipNotImplemented:
        return None
    if isinstance(tracked, tuple):  # the statement that asv would time, and its setup code
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "\n".join(reversed(tracked))], check=True, stderr=subprocess.DEVNULL)
        return time.perf_counter() - started
    return elapsed if tracked is None else tracked["samples"][0]


if __name__ == "__main__":
    main(*sys.argv[1:])
