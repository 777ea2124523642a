"""Call every benchmark once, on the data set at hand, at one thread setting; print what each gave as JSON.

A program of its own, because the number of a framework's threads is fixed for the life of a process. It takes the
thread setting, the files of benchmarks, and the process of an entry (often empty); of the contenders it takes those of
``NNKERNELS_BENCH_CONTENDERS``.
The benchmarks of scaling, each of whose calls prepares and passes a gate of its own, give one value a contender:
that of the last of their parameters that is to be had.
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

from bench._common import selected_contenders
from nnkernels import contenders
from nnkernels.measure.asv_driver.plan import CLASSES, PROCESSES

# What is always on all threads, and what is always on one.
FIXED_THREADS = {
    "accuracy": "all",
    "large_data": "1",
    "memory": "all",
    "steps": "1",
    "startup": "all",
    **{
        f"{module}.{prefix}{group}": threads
        for module in ("other_work", "ratios")
        for prefix in PROCESSES.values()
        for threads, group in CLASSES.items()
    },
    "scaling.BatchSize": "1",
    "scaling.HiddenWidth": "1",
    "scaling.Images": "1",
}


def main(threads: str, modules: str, process: str = "") -> None:
    """Print a JSON object: the call's name to its value, or to null where it was skipped."""
    values: dict[str, float | None] = {}
    for module_name in modules.split(","):
        module = import_module(f"bench.{module_name}")
        for class_name, cls in inspect.getmembers(module, inspect.isclass):
            if cls.__module__ != module.__name__ or class_name.startswith("_") or not hasattr(cls, "param_names"):
                continue
            fixed = FIXED_THREADS.get(module_name) or FIXED_THREADS.get(f"{module_name}.{class_name}")
            if fixed not in (None, threads):
                continue
            if module_name in ("other_work", "ratios") and class_name != PROCESSES[process] + CLASSES[threads]:
                continue
            instance = cls()
            prefix = (instance.setup_cache(),) if hasattr(instance, "setup_cache") else ()
            done = set()
            for parameters in reversed(list(itertools.product(*cls.params))):
                if dict(zip(cls.param_names, parameters, strict=True)).get("threads", threads) != threads:
                    continue
                if is_left_out(cls.param_names[0], parameters[0], process):
                    continue
                for name, function in inspect.getmembers(instance, inspect.ismethod):
                    if name.startswith(("time_", "timeraw_", "track_")) and (name, parameters[0]) not in done:
                        label = f"{module_name}.{class_name}.{name}{parameters}"
                        values[label] = call(instance, function, prefix, parameters)
                        if module_name == "scaling" and values[label] is not None:
                            done.add((name, parameters[0]))
    print(json.dumps(values))


def is_left_out(of_what: str, first: object, process: str) -> bool:
    """Return whether a benchmark's first parameter is a contender of another process, or one that was not chosen.

    A module may be called as a contender is. TensorFlow, whose import takes seconds, is left out with its contenders.
    """
    if of_what == "module":
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
    if isinstance(tracked, tuple):  # the statement that asv would time, and what comes before it
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "\n".join(reversed(tracked))], check=True, stderr=subprocess.DEVNULL)
        return time.perf_counter() - started
    return elapsed if tracked is None else tracked["samples"][0]


if __name__ == "__main__":
    main(*sys.argv[1:])
