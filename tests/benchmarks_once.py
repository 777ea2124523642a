"""Call every benchmark once, on the data set at hand, at one thread setting; print what each gave as JSON.

A program of its own, because the number of a framework's threads is fixed for the life of a process.
"""

from __future__ import annotations

import inspect
import itertools
import json
import sys
import time
from importlib import import_module

from asv_runner.benchmarks.mark import SkipNotImplemented

MODULES = ("accuracy", "inference", "kernels", "ratios", "training")


def main(threads: str) -> None:
    """Print a JSON object: the call's name to its value, or to null where it was skipped."""
    values: dict[str, float | None] = {}
    for module_name in MODULES:
        module = import_module(f"bench.{module_name}")
        for class_name, cls in inspect.getmembers(module, inspect.isclass):
            if cls.__module__ != module.__name__ or class_name.startswith("_") or not hasattr(cls, "param_names"):
                continue
            if module_name == "ratios" and class_name != {"1": "OneThread", "all": "AllThreads"}[threads]:
                continue
            if module_name == "accuracy" and threads == "1":  # it always runs on all threads
                continue
            instance = cls()
            prefix = (instance.setup_cache(),) if hasattr(instance, "setup_cache") else ()
            for parameters in itertools.product(*cls.params):
                if dict(zip(cls.param_names, parameters, strict=True)).get("threads", threads) != threads:
                    continue
                for name, function in inspect.getmembers(instance, inspect.ismethod):
                    if name.startswith(("time_", "track_")):
                        label = f"{module_name}.{class_name}.{name}{parameters}"
                        values[label] = call(instance, function, prefix, parameters)
    print(json.dumps(values))


def call(
    instance: object, function: object, prefix: tuple[object, ...], parameters: tuple[object, ...]
) -> float | None:
    """Return the seconds of a timed call or the middle sample of a tracked one; None if it is skipped."""
    try:
        if hasattr(instance, "setup"):
            instance.setup(*parameters)
        started = time.perf_counter()
        tracked = function(*prefix, *parameters)
        elapsed = time.perf_counter() - started
    except SkipNotImplemented:
        return None
    return elapsed if tracked is None else tracked["samples"][0]


if __name__ == "__main__":
    main(sys.argv[1])
