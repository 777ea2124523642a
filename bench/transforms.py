"""How long do deskewing and augmentation take per image, and how long with SciPy?"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import numba
import numpy as np
import numpy.typing as npt
from asv_runner.benchmarks.mark import SkipNotImplemented

from nnkernels.augmentation import Augmentation
from nnkernels.errors import MeasurementError
from nnkernels.measure.correctness.compiled import require_compiled
from nnkernels.measure.timing.threads import thread_count
from nnkernels.process_settings import preserved_thread_counts
from nnkernels.transforms import augment, deskew

from ._common import DATASETS, OPTIONS, THREADS, dataset
from ._scipy_transforms import augmented, deskewed

ByteArray = npt.NDArray[np.uint8]

AFFINE = Augmentation(rotation_radians=0.1, scale=0.1, shear=0.1, shift_pixels=0.6)
ELASTIC = Augmentation(0.1, 0.1, 0.1, 0.6, elastic_alpha=20, elastic_sigma=4)
TRANSFORMS = ("deskew", "normalize-size", "affine", "elastic")
DESKEWING = {"deskew": False, "normalize-size": True}
IMPLEMENTATIONS = ("nnkernels", "scipy")
SCIPY_IMAGES = 500  # each takes a tenth of a millisecond or more
CHECKED_IMAGES = 50
SAMPLES = OPTIONS.samples or 7


def _by_nnkernels(transform: str, X: ByteArray, epoch: int, out: ByteArray) -> None:
    if transform in DESKEWING:
        deskew(X, out, normalize_size=DESKEWING[transform])
    else:
        augment(X, AFFINE if transform == "affine" else ELASTIC, seed=0, epoch=epoch, out=out)


def _by_scipy(transform: str, X: ByteArray, epoch: int, out: ByteArray) -> None:
    for number, image in enumerate(X):
        if transform in DESKEWING:
            result = deskewed(image, DESKEWING[transform])
        else:
            result = augmented(image, AFFINE if transform == "affine" else ELASTIC, 0, epoch, number)
        out[number] = np.floor(result + 0.5)


FUNCTIONS: dict[str, Callable[[str, ByteArray, int, ByteArray], None]] = {
    "nnkernels": _by_nnkernels,
    "scipy": _by_scipy,
}


@cache
def _images(dataset_name: str) -> ByteArray:
    require_compiled()
    X = dataset(dataset_name).X_train.reshape(-1, 28, 28)
    for transform in TRANSFORMS:
        results = [np.empty_like(X[:CHECKED_IMAGES]) for _ in IMPLEMENTATIONS]
        for name, result in zip(IMPLEMENTATIONS, results, strict=True):
            FUNCTIONS[name](transform, X[:CHECKED_IMAGES], 0, result)
        difference = np.abs(np.subtract(*results, dtype=np.int16)).max()
        if difference > 1:  # both are rounded
            raise MeasurementError(f"{transform}: pixels differ from those of SciPy by up to {difference}")
    return X


class Transforms:
    """Transforms of uint8 images in memory.

    These are deskewing, deskewing that also normalises the size, random affine maps, and those with elastic distortion.
    SciPy's functions transform one image per call, on one thread.
    """

    params = (IMPLEMENTATIONS, TRANSFORMS, THREADS, DATASETS)
    param_names = ("implementation", "transform", "threads", "dataset")
    version = "1"
    timeout = 300
    unit = "seconds per image"

    def track_seconds_per_image(
        self, implementation: str, transform: str, threads: str, dataset_name: str
    ) -> dict[str, object]:
        """Return the seconds per image, after the results of both have been compared."""
        if implementation == "scipy" and threads != "1":
            raise SkipNotImplemented("SciPy uses one thread")
        X = _images(dataset_name)
        X = X[:SCIPY_IMAGES] if implementation == "scipy" else X
        out, run = np.empty_like(X), FUNCTIONS[implementation]
        with preserved_thread_counts():
            numba.set_num_threads(thread_count(threads))
            run(transform, X, 0, out)  # touches the memory
            samples = []
            for epoch in range(SAMPLES):
                started = time.perf_counter()
                run(transform, X, epoch, out)
                samples.append((time.perf_counter() - started) / len(X))
        return {"samples": samples, "number": 1}
