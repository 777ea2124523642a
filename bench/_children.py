"""Programs that benchmarks of start-up and memory run in new interpreters, because they measure a whole process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from nnkernels import kernels
from nnkernels.data import Dataset
from nnkernels.data.dataset import PARTS
from nnkernels.errors import MeasurementError
from nnkernels.measure.correctness import gate, gate_training
from nnkernels.measure.timing.threads import thread_count

from ._common import BACKENDS, OPTIONS

SAMPLES = OPTIONS.samples or 3

# The gate would import and compile what is to be timed, so these programs run it after the measurement. If a contender
# fails, its number is discarded.
CHECK_WITH_GATE = """
from nnkernels.data import Dataset
from nnkernels.measure.correctness import gate, gate_training
gate.require(name, contender, Dataset(X, y, np.load(f"{folder}/X_test.npy"), np.load(f"{folder}/y_test.npy")))
"""

# The beginning of programs that measure memory. On Linux, a child inherits its parent's peak in `ru_maxrss`, so
# /proc/self/status is read instead.
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


def can_measure_memory() -> bool:
    """Return whether a program that begins with :data:`MEMORY_START` can read its memory use on this system.

    Returns
    -------
    known : bool
        Whether the standard library or psutil provides it.
    """
    return find_spec("resource") is not None or find_spec("psutil") is not None


def compiled_by_numba(contender: str) -> bool:
    """Return whether a contender is one of this package's backends with kernels compiled by Numba.

    Parameters
    ----------
    contender : str
        Name of the contender.

    Returns
    -------
    compiled : bool
        False for frameworks and for NumPy.
    """
    return contender in BACKENDS and hasattr(kernels.load(contender).forward, "py_func")


def few_images(data: Dataset) -> Dataset:
    """Return a subset of a data set with just enough images for the gate.

    Parameters
    ----------
    data : Dataset
        Training and test images.

    Returns
    -------
    few : Dataset
        The first images of each part.
    """
    return Dataset(
        *(part[: gate_training.IMAGES] for part in (data.X_train, data.y_train)),
        *(part[: gate.PREDICTED_IMAGES] for part in (data.X_test, data.y_test)),
    )


@contextmanager
def saved_dataset(data: Dataset) -> Iterator[Path]:
    """Save a data set in a temporary folder, as ``.npy`` files.

    Parameters
    ----------
    data : Dataset
        Training and test images.

    Yields
    ------
    folder : Path
        Contains one file per array of the data set. It is removed at the end.
    """
    with TemporaryDirectory() as folder:
        for name in PARTS:
            np.save(Path(folder) / f"{name}.npy", getattr(data, name))
        yield Path(folder)


def fill_cache(program: str, contender: str, folder: Path) -> None:
    """Run a program once if its contender compiles, so that the following processes find Numba's cache warm.

    Parameters
    ----------
    program : str
        Source text of the program.
    contender : str
        Name of the contender.
    folder : Path
        The folder of the data.
    """
    if compiled_by_numba(contender):
        fresh_process(program, contender, folder)


def fresh_process(program: str, contender: str, folder: Path, own_cache: str = "") -> dict[str, float]:
    """Run a program in a new interpreter, and return the JSON object that it prints last.

    Parameters
    ----------
    program : str
        Source text of the program. Its arguments are the contender, the folder and the number of all threads.
    contender : str
        Name of the contender.
    folder : Path
        The folder of the data.
    own_cache : str
        Subfolder of ``folder`` for Numba's cache; empty for the cache that this installation uses.

    Returns
    -------
    numbers : dict
        The printed numbers by name.

    Raises
    ------
    MeasurementError
        If the program fails.
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
        raise MeasurementError(f"{contender} could not be measured: {reason[0]}")
    numbers: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return numbers
