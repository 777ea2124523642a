"""How long until it works?"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from asv_runner.benchmarks.mark import SkipNotImplemented

from ._children import PASS_THE_GATE, SAMPLES, compiled_by_numba, few_images, fill_cache, fresh_process, stored
from ._common import CONTENDERS, DATASETS, dataset, trainable

MODULES = ("numpy", "nnkernels", "numba", "tensorflow")
CACHES = ("empty", "warm")
EMPTY_CACHES = [f"empty{sample}" for sample in range(SAMPLES)]  # another one for each sample

FIRST_CALL = f"""
import json, sys, time
started = time.perf_counter()
import nnkernels
import numpy as np
from nnkernels import contenders
from nnkernels.data import LabelledImages
from nnkernels.parameters import initial_parameters
from nnkernels.recipes import SGD

name, folder, threads = sys.argv[1:]
X, y = np.load(f"{{folder}}/X_train.npy"), np.load(f"{{folder}}/y_train.npy")
contender = contenders.create(name)
contender.use_threads(int(threads))
contender.prepare(initial_parameters(0), LabelledImages(X, y), SGD)
contender.advance(np.arange(10 * SGD.batch_size), np.full(10, SGD.learning_rate, np.float32))
seconds = time.perf_counter() - started
{PASS_THE_GATE}
print(json.dumps({{"seconds": seconds}}))
"""

NOTHING = """
from numba import njit

@njit(cache=True)
def nothing(x):
    return x
"""
CALL_NOTHING = """
import json, time
started = time.perf_counter()
from nothing import nothing
nothing(1)
print(json.dumps({"seconds": time.perf_counter() - started}))
"""


class Import:
    """``import X`` in a new interpreter; the start of the interpreter itself is not in it."""

    params = (MODULES,)
    param_names = ("module",)
    version = "1"
    timeout = 300
    rounds = 1
    repeat = 5
    number = 1
    env = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}  # noqa: RUF012  (asv asks for a dict)

    def timeraw_import(self, module: str) -> tuple[str, str]:
        """Import; timeit, which asv times this with, would otherwise keep the garbage collector off."""
        if find_spec(module) is None:
            raise SkipNotImplemented(f"{module} is not installed")
        return f"import {module}", "import gc; gc.enable()"


class FirstCall:
    """From ``import nnkernels`` to the end of the first ten batches of real digits, on all threads.

    Compiled contenders start with Numba's cache empty, as after an installation, or as an earlier process left it.
    The 2,049 images come from a plain file, which takes a millisecond of it.
    """

    params = (CONTENDERS, CACHES, DATASETS)
    param_names = ("contender", "cache", "dataset")
    version = "1"
    timeout = 600
    unit = "seconds"

    def track_seconds(self, contender: str, cache: str, dataset_name: str) -> dict[str, object]:
        """Import, create, set the threads, prepare, compile, train; each sample in a process of its own."""
        whole = dataset(dataset_name)
        trainable(contender)
        if cache == "empty" and not compiled_by_numba(contender):
            raise SkipNotImplemented(f"{contender} keeps nothing in Numba's cache")
        with stored(few_images(whole)) as folder:
            if cache == "warm":
                fill_cache(FIRST_CALL, contender, folder)
            caches = ["" if cache == "warm" else name for name in EMPTY_CACHES]
            return _samples(FIRST_CALL, contender, folder, caches)


class NumbaItself:
    """What Numba itself takes of a first call: its import, and a function that does nothing.

    Compiled contenders cannot start faster; what ``FirstCall`` takes beyond is theirs. The function is kept in a cache
    of its own.
    """

    params = (CACHES,)
    param_names = ("cache",)
    version = "1"
    timeout = 300
    unit = "seconds"

    def track_seconds(self, cache: str) -> dict[str, object]:
        """Import Numba and call a function, compiled anew or from the cache; each sample in a process of its own."""
        with TemporaryDirectory() as folder:
            Path(folder, "nothing.py").write_text(NOTHING)
            if cache == "warm":
                fresh_process(CALL_NOTHING, "numba", Path(folder), cache)
            caches = [cache if cache == "warm" else name for name in EMPTY_CACHES]
            return _samples(CALL_NOTHING, "numba", Path(folder), caches)


def _samples(program: str, contender: str, folder: Path, caches: list[str]) -> dict[str, object]:
    """Return what asv keeps of a program that prints its seconds: a sample for each of the caches."""
    samples = [fresh_process(program, contender, folder, name)["seconds"] for name in caches]
    return {"samples": samples, "number": 1}
