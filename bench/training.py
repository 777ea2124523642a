"""How long do an epoch of training and the preparation before it take?"""

from __future__ import annotations

import numpy as np

from nnkernels.measure.timing.tasks import prepare
from nnkernels.parameters import initial_parameters
from nnkernels.recipes import SGD
from nnkernels.training import batch_order

from ._common import CONTENDERS, DATASETS, THREADS, dataset, ready, trainable_or_skip


class _TrainingBenchmark:
    params = (CONTENDERS, THREADS, DATASETS)
    param_names = ("contender", "threads", "dataset")
    version = "1"
    timeout = 300
    number = 1
    rounds = 1
    warmup_time = 0


class Epoch(_TrainingBenchmark):
    """One pass over all training images: SGD, batch size 32. Fetching the shuffled images is included."""

    repeat = 2

    def setup(self, contender: str, threads: str, dataset_name: str) -> None:
        """Check and prepare the contender once per process; asv repeats this call before every sample."""
        self.contender = ready(trainable_or_skip(contender), threads, dataset_name)
        images = len(dataset(dataset_name).X_train)
        self.order = batch_order(0, 0, images)
        self.learning_rates = SGD.learning_rates(0, images)
        # The gate has compiled everything. A few batches warm up the contender on the whole data set's arrays.
        if not self.contender.whole_epochs_only:
            few = np.resize(self.order, 10 * SGD.batch_size)  # from the start again if there are fewer images
            self.contender.advance(few, np.full(10, SGD.learning_rate, np.float32))

    def time_epoch(self, contender: str, threads: str, dataset_name: str) -> None:
        """Train for one epoch."""
        self.contender.advance(self.order, self.learning_rates)


class Preparation(_TrainingBenchmark):
    """From uint8 images in memory to a contender that is ready for its first batch.

    This includes copies, conversions, lists of nonzero pixels, building a model, and everything that is traced or
    compiled each time. ``ratios`` measures the same for all contenders in turns, as the scenario "preparation".
    """

    version = "2"
    repeat = 5

    def setup(self, contender: str, threads: str, dataset_name: str) -> None:
        """Check and prepare the contender once per process, so that one-time compilation is excluded."""
        self.contender = ready(trainable_or_skip(contender), threads, dataset_name)
        self.data = dataset(dataset_name).training

    def time_prepare(self, contender: str, threads: str, dataset_name: str) -> None:
        """Prepare the contender again."""
        prepare(self.contender, initial_parameters(0, classes=self.data.classes), self.data, SGD)
