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

# Before the clock starts, kernels are compiled and the file is read once, so that it is in the page cache.
EPOCH = f"""
import json, sys, time
import numpy as np
from nnkernels import contenders, train_from_file
from nnkernels.data import LabelledImages
from nnkernels.parameters import initial_parameters
from nnkernels.recipes import SGD
{RESIDENT}
name, folder, _threads = sys.argv[1:]
contender = contenders.create(name)
contender.use_threads(1)
after_import, _ = resident_bytes()
X, y = np.load(f"{{folder}}/X_train.npy"), np.load(f"{{folder}}/y_train.npy")
contender.prepare(initial_parameters(0), LabelledImages(X, y), SGD)
contender.advance(np.arange(10 * SGD.batch_size), np.full(10, SGD.learning_rate, np.float32))
with open(f"{{folder}}/images.npy", "rb") as stream:
    while stream.read(2**20):
        pass
started = time.perf_counter()
train_from_file(contender, f"{{folder}}/images.npy", f"{{folder}}/labels.npy", SGD)
seconds = time.perf_counter() - started
_, peak = resident_bytes()
{PASS_THE_GATE}
print(json.dumps({{"seconds": seconds, "beyond_import": peak - after_import}}))
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
        """Train for an epoch; its seconds by the number of images."""
        samples = [numbers["seconds"] / images for numbers in _samples(measured, images, dataset_name)]
        return {"samples": samples, "number": 1}

    track_seconds_per_image.unit = "seconds"  # type: ignore[attr-defined]

    def track_peak_beyond_import(self, measured: Measured, images: int, dataset_name: str) -> dict[str, object]:
        """Train for an epoch; what that adds at most to the process after it has imported the contender's packages."""
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
