"""Is training from a file that exceeds memory as fast per image as from memory, and how much memory does it use?"""

from __future__ import annotations

import os
import shutil
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import gettempdir

import numpy as np
from asv_runner.benchmarks.mark import SkipNotImplemented
from numpy.lib import format as npy

from nnkernels.data import Dataset

from ._children import (
    CHECK_WITH_GATE,
    MEMORY_START,
    MIB,
    SAMPLES,
    can_measure_memory,
    few_images,
    fill_cache,
    fresh_process,
    saved_dataset,
)
from ._common import DATASETS, OPTIONS, available_dataset, dataset

IMAGES = (60_000, 1_000_000)
# Sizes that the options of the run select instead of `IMAGES`.
CHOSEN = OPTIONS.large_images
SIZES = tuple(dict.fromkeys((*IMAGES, *CHOSEN)))
FROM_FILE, IN_MEMORY = "from file", "in memory"
CONTENDERS = {FROM_FILE: ("fused", "numpy"), IN_MEMORY: ("fused",)}
MEMORY_BYTES_PER_PIXEL = 3  # for the images, the contender's internal layout, and a reserve

START = f"""
import statistics, time
from nnkernels import train_from_file
{MEMORY_START}
contender.use_threads(1)
after_import, _ = resident_bytes()
"""
EPOCHS = {
    FROM_FILE: """
def epoch():
    train_from_file(contender, f"{folder}/images.npy", f"{folder}/labels.npy", SGD)
""",
    IN_MEMORY: """
data = LabelledImages(np.load(f"{folder}/images.npy"), np.load(f"{folder}/labels.npy"))
start, order = initial_parameters(0, classes=data.classes), batch_order(0, 0, len(data.X))
learning_rates = SGD.learning_rates(0, len(order))
def epoch():
    contender.prepare(start, data, SGD)
    contender.advance(order, learning_rates)
""",
}
# The first epoch is not timed: it compiles, reads the file into the page cache, and allocates memory, which a virtual
# machine may have to request from its host. An epoch on a small file takes a tenth of a second and is timed repeatedly.
CLOCK = """
seconds = []
while len(seconds) < 2 or (sum(seconds[1:]) < 1 and len(seconds) < 10):
    started = time.perf_counter()
    epoch()
    seconds.append(time.perf_counter() - started)
_, peak = resident_bytes()
X, y = np.load(f"{folder}/X_train.npy"), np.load(f"{folder}/y_train.npy")
"""
GATES = {
    FROM_FILE: f"""{CHECK_WITH_GATE}
from nnkernels.measure.correctness.from_file import require_from_file
require_from_file(name, contender, f"{{folder}}/X_train.npy", f"{{folder}}/y_train.npy")
""",
    IN_MEMORY: CHECK_WITH_GATE,
}
ANSWER = """
print(json.dumps({"seconds": statistics.median(seconds[1:]), "beyond_import": peak - after_import}))
"""

# For each number of images: for each place and contender, one sample per process, or why there are none.
Samples = list[dict[str, float]]
Measured = dict[int, dict[tuple[str, str], Samples | str] | str]


class _LargeData:
    param_names = ("contender", "images", "dataset")
    timeout = 60
    place: str

    def setup_cache(self) -> Measured:
        """Measure everything together, so that a file is written once and all times are taken within minutes."""
        return _all_measured()

    setup_cache.timeout = 900  # type: ignore[attr-defined]

    def track_seconds_per_image(
        self, measured: Measured, contender: str, images: int, dataset_name: str
    ) -> dict[str, object]:
        """Return the seconds per image in the median epoch of each process."""
        samples = _samples(measured, self.place, contender, images, dataset_name)
        return {"samples": [numbers["seconds"] / images for numbers in samples], "number": 1}

    track_seconds_per_image.unit = "seconds"  # type: ignore[attr-defined]


class MemoryMap(_LargeData):
    """An epoch of training on images in a file: SGD, batch size 32, on one thread, while a second thread reads ahead.

    The data set's images are repeated in a file of 784 bytes per image, which fits into the page cache. The time is
    from opening the file to the end of the epoch: reading, conversion to the contender's internal layout, and training.
    Each sample is from a new process.

    While the contender converts one chunk of 65,536 images and trains on it, the next chunk is read. Training has to
    wait for the first chunk. So with 60,000 images, which fit into one chunk, reading never overlaps with training.
    With 1,000,000 images, all but a sixteenth of the reading does. So do not compare the times of the two sizes.
    Times of different contenders are comparable, because the reader is the same. They are also comparable with those of
    :class:`InMemory` for the same number of images, which reads nothing.
    """

    place = FROM_FILE
    params = (CONTENDERS[FROM_FILE], SIZES, DATASETS)
    version = "2"

    def track_peak_beyond_import(
        self, measured: Measured, contender: str, images: int, dataset_name: str
    ) -> dict[str, object]:
        """Return the peak memory of training, beyond the process' memory after importing the contender's packages."""
        samples = _samples(measured, self.place, contender, images, dataset_name)
        return {"samples": [numbers["beyond_import"] / MIB for numbers in samples], "number": 1}

    track_peak_beyond_import.unit = "MiB"  # type: ignore[attr-defined]


class InMemory(_LargeData):
    """An epoch of training on the same images in memory. Each sample is from a new process.

    The time includes conversion to the contender's internal layout and training, on one thread. It is the time that
    training from a file would take if reading overlapped completely.
    """

    place = IN_MEMORY
    params = (CONTENDERS[IN_MEMORY], SIZES, DATASETS)
    version = "1"


def _samples(measured: Measured, place: str, contender: str, images: int, dataset_name: str) -> Samples:
    dataset(dataset_name)
    same_size = measured.get(images, "NNKERNELS_BENCH_LARGE_IMAGES selects other sizes")
    found = same_size if isinstance(same_size, str) else same_size[place, contender]
    if isinstance(found, str):
        raise SkipNotImplemented(found)
    return found


@cache
def _all_measured() -> Measured:
    return {images: _measured(images) for images in CHOSEN or IMAGES}


def _measured(images: int) -> dict[tuple[str, str], Samples | str] | str:
    if not can_measure_memory():
        return "psutil is not installed: pip install psutil"
    whole = available_dataset()
    pixels = images * whole.X_train.shape[1]
    if reason := _why_too_large(images, "disk", 2 * pixels, shutil.disk_usage(gettempdir()).free):
        return reason
    reasons = {FROM_FILE: "", IN_MEMORY: _why_too_large_for_memory(images, MEMORY_BYTES_PER_PIXEL * pixels)}
    with saved_dataset(few_images(whole)) as folder:
        write_repeated(whole, images, folder)
        pairs = [(place, contender) for place, those in CONTENDERS.items() for contender in those]
        measured: dict[tuple[str, str], Samples | str] = {(place, name): reasons[place] or [] for place, name in pairs}
        for contender in CONTENDERS[FROM_FILE]:
            fill_cache(_program(FROM_FILE), contender, folder)
        for _ in range(SAMPLES):
            for (place, contender), samples in measured.items():
                if isinstance(samples, list):
                    samples.append(fresh_process(_program(place), contender, folder))
        return measured


def _program(place: str) -> str:
    return START + EPOCHS[place] + CLOCK + GATES[place] + ANSWER


def _why_too_large_for_memory(images: int, needed: int) -> str:
    if find_spec("psutil") is None:
        return "psutil is not installed: pip install psutil"
    import psutil

    return _why_too_large(images, "memory", needed, psutil.virtual_memory().available)


def _why_too_large(images: int, resource: str, needed: int, free: int) -> str:
    """Return why this number of images does not fit; empty if it does."""
    if needed <= free:
        return ""
    return (
        f"{images:,} images need {needed / 1e9:.1f} GB of {resource}, including a reserve; {free / 1e9:.1f} GB are free"
    )


def write_repeated(data: Dataset, images: int, folder: Path) -> None:
    """Write ``images.npy`` and ``labels.npy``, with the training images repeated.

    Parameters
    ----------
    data : Dataset
        The source of the images.
    images : int
        Number of images to write.
    folder : Path
        An existing folder.
    """
    shape = (images, data.X_train.shape[1])
    with open(folder / "images.npy", "wb") as stream:
        npy.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for start in range(0, images, len(data.X_train)):
            stream.write(data.X_train[: images - start].data)
        os.fsync(stream.fileno())  # otherwise the system might write it during the timing
    np.save(folder / "labels.npy", np.resize(data.y_train, images))
