"""How long does a prediction take, from uint8 pixels to probabilities?"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache
from typing import Any

from nnkernels.contenders import Contender
from nnkernels.measure.timing.distinct import prediction_owner
from nnkernels.measure.timing.tasks import one_image_calls, ten_thousand_images

from ._common import CONTENDERS, DATASETS, THREADS, clock, dataset, ready, skip_shared

IMAGES = (10_000,)


@cache
def _prepared(contender: str, images: int, threads: str, dataset_name: str) -> tuple[Contender, Iterator[Any]]:
    """Return the contender and an endless iterator over the images of its calls."""
    with clock.paused():
        data = dataset(dataset_name)
        skip_shared(contender, prediction_owner(contender))
        calls = one_image_calls(data) if images == 1 else [ten_thousand_images(data)[:images]]
        prepared = ready(contender, threads, dataset_name)
        prepared.predict(calls[0])
        return prepared, itertools.cycle(calls)


class _PredictionBenchmark:
    version = "1"
    timeout = 300  # includes compilation
    rounds = 1
    repeat = (3, 10, 1.0)
    sample_time = 0.05
    warmup_time = 0.1
    timer = clock


class OneImage(_PredictionBenchmark):
    """One call of the contender's own inference on one image, a different one in each call.

    Calls cycle through up to 1,000 test images, in an order in which each part has the mean number of nonzero pixels.
    """

    params = (CONTENDERS, THREADS, DATASETS)
    param_names = ("contender", "threads", "dataset")

    def time_predict(self, contender: str, threads: str, dataset_name: str) -> None:
        """Predict one image."""
        prepared, calls = _prepared(contender, 1, threads, dataset_name)
        prepared.predict(next(calls))


class Predict(_PredictionBenchmark):
    """One call of the contender's own inference on many images, the same ones in each call."""

    params = (CONTENDERS, IMAGES, THREADS, DATASETS)
    param_names = ("contender", "images", "threads", "dataset")

    def time_predict(self, contender: str, images: int, threads: str, dataset_name: str) -> None:
        """Predict all images."""
        prepared, calls = _prepared(contender, images, threads, dataset_name)
        prepared.predict(next(calls))
