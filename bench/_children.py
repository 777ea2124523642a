"""Programs that a benchmark runs in interpreters of their own: for start-up and memory, a process is the subject."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from nnkernels import kernels
from nnkernels.data import Dataset
from nnkernels.errors import MeasurementError
from nnkernels.measure.correctness import gate
from nnkernels.measure.timing.threads import thread_count

from ._common import BACKENDS, OPTIONS

SAMPLES = OPTIONS.samples or 3

# The gate would compile and import what is to be timed, so here it comes after the clock: no passing, no number.
PASS_THE_GATE = """
from nnkernels.data import Dataset
from nnkernels.measure.correctness import gate
gate.require(name, contender, Dataset(X, y, np.load(f"{folder}/X_test.npy"), np.load(f"{folder}/y_test.npy")))
"""

# How a program begins that asks for its memory. Linux hands a parent's peak on to `ru_maxrss` of its child, so there
# the process' own record is asked.
MEMORY_START = """
import json, sys
import numpy as np
from nnkernels import contenders
from nnkernels.data import LabelledImages
from nnkernels.parameters import initial_parameters
from nnkernels.recipes import SGD
from nnkernels.training import batch_order

def resident_bytes():
    if sys.platform == "linux":
        with open("/proc/self/status") as lines:
            status = dict(line.split(":", 1) for line in lines)
        return [1024 * int(status[key].split()[0]) for key in ("VmRSS", "VmHWM")]
    import psutil
    now = psutil.Process().memory_info()
    if sys.platform == "win32":
        return [now.rss, now.peak_wset]
    import resource
    return [now.rss, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]

name, folder, threads = sys.argv[1:]
contender = contenders.create(name)
"""

MIB = 2**20


def resident_is_known() -> bool:
    """Return whether a program that begins with :data:`MEMORY_START` can ask the system on this machine."""
    return find_spec("resource") is not None or find_spec("psutil") is not None


def compiled_by_numba(contender: str) -> bool:
    """Return whether the contender is a backend of ours whose kernels are Numba's."""
    return contender in BACKENDS and hasattr(kernels.load(contender).forward, "py_func")


def few_images(data: Dataset) -> Dataset:
    """Return no more images than the gate needs."""
    return Dataset(
        *(part[: gate.IMAGES] for part in (data.X_train, data.y_train)),
        *(part[: gate.PREDICTED_IMAGES] for part in (data.X_test, data.y_test)),
    )


@contextmanager
def stored(data: Dataset) -> Iterator[Path]:
    """Put the data set into a temporary folder, in files that are read into one array each, without a copy."""
    with TemporaryDirectory() as folder:
        for field in fields(Dataset):
            np.save(Path(folder) / f"{field.name}.npy", getattr(data, field.name))
        yield Path(folder)


def fill_cache(program: str, contender: str, folder: Path) -> None:
    """Run a program once if its contender compiles, so that the next processes find Numba's cache warm."""
    if compiled_by_numba(contender):
        fresh_process(program, contender, folder)


def fresh_process(program: str, contender: str, folder: Path, own_cache: str = "") -> dict[str, float]:
    """Run a program on the stored data set in a new interpreter; return the JSON object that it prints last.

    Numba's cache is the one that all processes of this installation share, or the subfolder ``own_cache``.
    """
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / own_cache)} if own_cache else None
    answer = subprocess.run(
        [sys.executable, "-c", program, contender, str(folder), str(thread_count("all"))],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        reason = answer.stderr.strip().splitlines()[-1:] or [f"exit status {answer.returncode}"]
        raise MeasurementError(f"{contender} has no number. {reason[0]}")
    numbers: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return numbers
