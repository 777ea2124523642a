"""How much memory does each contender use?"""

from __future__ import annotations

from functools import cache

from asv_runner.benchmarks.mark import SkipNotImplemented

from ._children import (
    CHECK_WITH_GATE,
    MEMORY_START,
    MIB,
    SAMPLES,
    can_measure_memory,
    fill_cache,
    fresh_process,
    saved_dataset,
)
from ._common import CONTENDERS, DATASETS, dataset, trainable_or_skip

EPOCH = f"""{MEMORY_START}
after_import, _ = resident_bytes()
X, y = np.load(f"{{folder}}/X_train.npy"), np.load(f"{{folder}}/y_train.npy")
contender.use_threads(int(threads))
data = LabelledImages(X, y)
contender.prepare(initial_parameters(0, classes=data.classes), data, SGD)
contender.advance(batch_order(0, 0, len(X)), SGD.learning_rates(0, len(X)))
_, peak = resident_bytes()
{CHECK_WITH_GATE}
print(json.dumps({{"after_import": after_import, "peak": peak}}))
"""


@cache
def _peaks(contender: str, dataset_name: str) -> list[dict[str, float]]:
    data = dataset(dataset_name)
    trainable_or_skip(contender)
    if not can_measure_memory():
        raise SkipNotImplemented("psutil is not installed: pip install psutil")
    with saved_dataset(data) as folder:
        fill_cache(EPOCH, contender, folder)  # because compilation needs additional memory
        return [fresh_process(EPOCH, contender, folder) for _ in range(SAMPLES)]


class Peak:
    """Peak resident memory until the end of an epoch: SGD, batch size 32, all threads.

    Each sample is from a new process, with a warm Numba cache. It includes the training images, which every contender
    receives as bytes (45 MiB for MNIST), and the contender's internal layout of them.
    """

    params = (CONTENDERS, DATASETS)
    param_names = ("contender", "dataset")
    version = "1"
    timeout = 300
    unit = "MiB"

    def track_peak(self, contender: str, dataset_name: str) -> dict[str, object]:
        """Return the memory of the whole process: interpreter, packages, data and training."""
        samples = [numbers["peak"] / MIB for numbers in _peaks(contender, dataset_name)]
        return {"samples": samples, "number": 1}

    def track_beyond_import(self, contender: str, dataset_name: str) -> dict[str, object]:
        """Return the memory of data and training, beyond the memory after importing the contender's packages."""
        samples = [(numbers["peak"] - numbers["after_import"]) / MIB for numbers in _peaks(contender, dataset_name)]
        return {"samples": samples, "number": 1}
