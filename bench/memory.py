"""How much memory does it take?"""

from __future__ import annotations

from functools import cache

from asv_runner.benchmarks.mark import SkipNotImplemented

from ._children import MEMORY_START, MIB, PASS_THE_GATE, SAMPLES, fill_cache, fresh_process, resident_is_known, stored
from ._common import CONTENDERS, DATASETS, dataset, trainable

EPOCH = f"""{MEMORY_START}
after_import, _ = resident_bytes()
X, y = np.load(f"{{folder}}/X_train.npy"), np.load(f"{{folder}}/y_train.npy")
contender.use_threads(int(threads))
contender.prepare(initial_parameters(0), LabelledImages(X, y), SGD)
contender.advance(batch_order(0, 0, len(X)), SGD.learning_rates(0, len(X)))
_, peak = resident_bytes()
{PASS_THE_GATE}
print(json.dumps({{"after_import": after_import, "peak": peak}}))
"""


@cache
def _peaks(contender: str, dataset_name: str) -> list[dict[str, float]]:
    data = dataset(dataset_name)
    trainable(contender)
    if not resident_is_known():
        raise SkipNotImplemented("needs pip install psutil")
    with stored(data) as folder:
        fill_cache(EPOCH, contender, folder)  # compiling takes memory of its own
        return [fresh_process(EPOCH, contender, folder) for _ in range(SAMPLES)]


class Peak:
    """The most memory that is resident until the end of an epoch: SGD, batch 32, on all threads.

    A new process each, with Numba's cache warm. The training images are in it, which everybody is given as bytes
    (MNIST's: 45 MiB), and what the contender makes of them.
    """

    params = (CONTENDERS, DATASETS)
    param_names = ("contender", "dataset")
    version = "1"
    timeout = 300
    unit = "MiB"

    def track_peak(self, contender: str, dataset_name: str) -> dict[str, object]:
        """All of the process: the interpreter, its packages, data and training."""
        samples = [numbers["peak"] / MIB for numbers in _peaks(contender, dataset_name)]
        return {"samples": samples, "number": 1}

    def track_beyond_import(self, contender: str, dataset_name: str) -> dict[str, object]:
        """Only what data and training add to the process after it has imported the contender's packages."""
        samples = [(numbers["peak"] - numbers["after_import"]) / MIB for numbers in _peaks(contender, dataset_name)]
        return {"samples": samples, "number": 1}
