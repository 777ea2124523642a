"""How long does an epoch of training take, and how long what precedes the first?"""

from __future__ import annotations

import numpy as np

from nnkernels.measure.timing.tasks import prepare
from nnkernels.parameters import initial_parameters
from nnkernels.recipes import SGD
from nnkernels.training import batch_order

from ._common import CONTENDERS, DATASETS, THREADS, dataset, ready, trainable


class _OfContender:
    params = (CONTENDERS, THREADS, DATASETS)
    param_names = ("contender", "threads", "dataset")
    version = "1"
    timeout = 300
    number = 1
    rounds = 1
    warmup_time = 0


class Epoch(_OfContender):
    """One pass over all training images: SGD, batch 32, the shuffled images fetched inside the clock."""

    repeat = 2

    def setup(self, contender: str, threads: str, dataset_name: str) -> None:
        """Pass the gate and prepare, once a process; asv repeats this before every sample."""
        self.contender = ready(trainable(contender), threads, dataset_name)
        images = len(dataset(dataset_name).X_train)
        self.order = batch_order(0, 0, images)
        self.learning_rates = SGD.learning_rates(0, images)
        # The gate has compiled everything; a few batches bring the data set itself into reach.
        if not self.contender.whole_epochs_only:
            self.contender.advance(self.order[:320], np.full(10, SGD.learning_rate, np.float32))

    def time_epoch(self, contender: str, threads: str, dataset_name: str) -> None:
        """Train on the whole order."""
        self.contender.advance(self.order, self.learning_rates)


class Preparation(_OfContender):
    """From uint8 images in memory to a contender that is ready for its first batch.

    Copies, conversions, lists of nonzero pixels, building a model, and what is traced or compiled each time. ``ratios``
    measures the same for all contenders in turns, as the scenario "preparation".
    """

    version = "2"
    repeat = 5

    def setup(self, contender: str, threads: str, dataset_name: str) -> None:
        """Pass the gate and prepare, once a process: what is compiled is compiled then."""
        self.contender = ready(trainable(contender), threads, dataset_name)
        self.data = dataset(dataset_name).training

    def time_prepare(self, contender: str, threads: str, dataset_name: str) -> None:
        """Prepare once more."""
        prepare(self.contender, initial_parameters(0), self.data, SGD)
