"""How long does it take to import a package, and to finish the first call?"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from asv_runner.benchmarks.mark import SkipNotImplemented

from ._children import CHECK_WITH_GATE, SAMPLES, compiled_by_numba, few_images, fill_cache, fresh_process, saved_dataset
from ._common import CONTENDERS, DATASETS, dataset, trainable_or_skip

MODULES = ("numpy", "nnkernels", "numba", "tensorflow")
CACHES = ("empty", "warm")
EMPTY_CACHES = [f"empty{sample}" for sample in range(SAMPLES)]  # a new folder for each sample

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
data = LabelledImages(X, y)
contender.prepare(initial_parameters(0, classes=data.classes), data, SGD)
order = np.resize(np.arange(len(X)), 10 * SGD.batch_size)  # from the start again if there are fewer images
contender.advance(order, np.full(10, SGD.learning_rate, np.float32))
seconds = time.perf_counter() - started
{CHECK_WITH_GATE}
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
    """``import X`` in a new interpreter, not including the start of the interpreter itself."""

    params = (MODULES,)
    param_names = ("module",)
    version = "1"
    timeout = 300
    rounds = 1
    repeat = 5
    number = 1
    env = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}  # noqa: RUF012  (asv requires a dict)

    def timeraw_import(self, module: str) -> tuple[str, str]:
        """Return the code to time, and a setup that enables garbage collection, which timeit would disable."""
        if find_spec(module) is None:
            raise SkipNotImplemented(f"{module} is not installed")
        return f"import {module}", "import gc; gc.enable()"


class FirstCall:
    """From ``import nnkernels`` to the end of the first ten batches of real digits, on all threads.

    Compiled contenders start either with an empty Numba cache, as after an installation, or with a warm one. The time
    includes about a millisecond for reading 2,049 images from a file.
    """

    params = (CONTENDERS, CACHES, DATASETS)
    param_names = ("contender", "cache", "dataset")
    version = "1"
    timeout = 600
    unit = "seconds"

    def track_seconds(self, contender: str, cache: str, dataset_name: str) -> dict[str, object]:
        """Return the seconds from import to the end of the first batches; each sample is from a new process."""
        whole = dataset(dataset_name)
        trainable_or_skip(contender)
        if cache == "empty" and not compiled_by_numba(contender):
            raise SkipNotImplemented(f"{contender} does not use Numba's cache")
        with saved_dataset(few_images(whole)) as folder:
            if cache == "warm":
                fill_cache(FIRST_CALL, contender, folder)
            caches = ["" if cache == "warm" else name for name in EMPTY_CACHES]
            return _samples(FIRST_CALL, contender, folder, caches)


class NumbaItself:
    """Numba's share of a first call: its import, and the call of a function that does nothing.

    No contender that uses Numba can start faster than this. The rest of its time in ``FirstCall`` is due to the
    contender itself. The function is cached in a separate folder.
    """

    params = (CACHES,)
    param_names = ("cache",)
    version = "1"
    timeout = 300
    unit = "seconds"

    def track_seconds(self, cache: str) -> dict[str, object]:
        """Return the seconds of importing Numba and calling a function; each sample is from a new process."""
        with TemporaryDirectory() as folder:
            Path(folder, "nothing.py").write_text(NOTHING)
            if cache == "warm":
                fresh_process(CALL_NOTHING, "numba", Path(folder), cache)
            caches = [cache if cache == "warm" else name for name in EMPTY_CACHES]
            return _samples(CALL_NOTHING, "numba", Path(folder), caches)


def _samples(program: str, contender: str, folder: Path, caches: list[str]) -> dict[str, object]:
    """Return asv's samples of a program that prints its seconds, one per cache folder."""
    samples = [fresh_process(program, contender, folder, name)["seconds"] for name in caches]
    return {"samples": samples, "number": 1}
