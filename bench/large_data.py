"""Does an image of a file larger than memory take as long as one of a small file, and how much memory does it take?"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import gettempdir

import numpy as np
from asv_runner.benchmarks.mark import SkipNotImplemented
from numpy.lib import format as npy

from nnkernels.data import Dataset
from nnkernels.measure import gate

from ._children import MIB, PASS_THE_GATE, RESIDENT, SAMPLES, fresh_process, resident_is_known, stored
from ._common import DATASETS, dataset, dataset_at_hand

IMAGES = (60_000, 1_000_000)
# Other sizes, measured in place of these.
CHOSEN = tuple(int(images) for images in os.environ.get("NNKERNELS_BENCH_LARGE_IMAGES", "").split(",") if images)
CONTENDER = "fused"

# The first epoch is not timed: it compiles, brings the file into the page cache, and is handed memory that a virtual
# machine may have to ask its host for. An epoch on a small file, a tenth of a second, is timed several times.
EPOCH = f"""
import json, statistics, sys, time
import numpy as np
from nnkernels import contenders, train_from_file
from nnkernels.recipes import SGD
{RESIDENT}
name, folder, _threads = sys.argv[1:]
contender = contenders.create(name)
contender.use_threads(1)
after_import, _ = resident_bytes()
seconds = []
while len(seconds) < 2 or (sum(seconds[1:]) < 1 and len(seconds) < 10):
    started = time.perf_counter()
    train_from_file(contender, f"{{folder}}/images.npy", f"{{folder}}/labels.npy", SGD)
    seconds.append(time.perf_counter() - started)
_, peak = resident_bytes()
X, y = np.load(f"{{folder}}/X_train.npy"), np.load(f"{{folder}}/y_train.npy")
{PASS_THE_GATE}
print(json.dumps({{"seconds": statistics.median(seconds[1:]), "beyond_import": peak - after_import}}))
"""

# For each number of images a sample a process, or why there is none.
Measured = dict[int, list[dict[str, float]] | str]


class MemoryMap:
    """An epoch on images that stay in their file: SGD, batch 32, on one thread, beside which another reads ahead.

    The images at hand are repeated in a file of 784 bytes an image, which the page cache holds. The time is that from
    opening it to the end of the epoch: reading, conversion into the contender's own form, training. A new process each.
    """

    params = (tuple(dict.fromkeys((*IMAGES, *CHOSEN))), DATASETS)
    param_names = ("images", "dataset")
    version = "1"
    timeout = 60

    def setup_cache(self) -> Measured:
        """Measure once for all: a file is written once, and all numbers are of the same minutes."""
        return {images: _measured(images) for images in CHOSEN or IMAGES}

    setup_cache.timeout = 600  # type: ignore[attr-defined]

    def track_seconds_per_image(self, measured: Measured, images: int, dataset_name: str) -> dict[str, object]:
        """Train; the seconds of a process' median epoch by the number of images."""
        samples = [numbers["seconds"] / images for numbers in _samples(measured, images, dataset_name)]
        return {"samples": samples, "number": 1}

    track_seconds_per_image.unit = "seconds"  # type: ignore[attr-defined]

    def track_peak_beyond_import(self, measured: Measured, images: int, dataset_name: str) -> dict[str, object]:
        """Train; what that adds at most to the process after it has imported the contender's packages."""
        samples = [numbers["beyond_import"] / MIB for numbers in _samples(measured, images, dataset_name)]
        return {"samples": samples, "number": 1}

    track_peak_beyond_import.unit = "MiB"  # type: ignore[attr-defined]


def _samples(measured: Measured, images: int, dataset_name: str) -> list[dict[str, float]]:
    dataset(dataset_name)
    found = measured.get(images, "NNKERNELS_BENCH_LARGE_IMAGES chooses others")
    if isinstance(found, str):
        raise SkipNotImplemented(found)
    return found


def _measured(images: int) -> list[dict[str, float]] | str:
    if not resident_is_known():
        return "needs pip install psutil"
    whole = dataset_at_hand()
    few = Dataset(
        *(part[: gate.IMAGES] for part in (whole.X_train, whole.y_train)),
        *(part[: gate.PREDICTED_IMAGES] for part in (whole.X_test, whole.y_test)),
    )
    needed, free = 2 * images * whole.X_train.shape[1], shutil.disk_usage(gettempdir()).free
    if needed > free:
        return f"{images} images, and room to spare, take {needed / 1e9:.1f} GB of disk; there are {free / 1e9:.1f}"
    with stored(few) as folder:
        write_repeated(whole, images, folder)
        fresh_process(EPOCH, CONTENDER, folder, "warm")  # compiles
        return [fresh_process(EPOCH, CONTENDER, folder, "warm") for _ in range(SAMPLES)]


def write_repeated(data: Dataset, images: int, folder: Path) -> None:
    """Write ``images.npy`` and ``labels.npy``: the training images, again and again, until there are so many."""
    shape = (images, data.X_train.shape[1])
    with open(folder / "images.npy", "wb") as stream:
        npy.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for start in range(0, images, len(data.X_train)):
            stream.write(data.X_train[: images - start].data)
        os.fsync(stream.fileno())  # or the system would write it out while the clock runs
    np.save(folder / "labels.npy", np.resize(data.y_train, images))
