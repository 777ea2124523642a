"""How long does a prediction take, from uint8 pixels to probabilities?"""

from __future__ import annotations

from functools import cache
from typing import Any

from nnkernels.contenders import Contender
from nnkernels.measure.panel import ten_thousand_images

from ._common import CONTENDERS, DATASETS, THREADS, clock, dataset, ready

IMAGES = (1, 10_000)


@cache
def _prepared(contender: str, images: int, threads: str, dataset_name: str) -> tuple[Contender, Any]:
    with clock.stopped():
        X = ten_thousand_images(dataset(dataset_name))[:images]
        prepared = ready(contender, threads, dataset_name)
        prepared.predict(X)
        return prepared, X


class Predict:
    """One call of the contender's own inference."""

    params = (CONTENDERS, IMAGES, THREADS, DATASETS)
    param_names = ("contender", "images", "threads", "dataset")
    version = "1"
    timeout = 300  # what compiles does so in it
    rounds = 1
    repeat = (3, 10, 1.0)
    sample_time = 0.05
    warmup_time = 0.1
    timer = clock

    def time_predict(self, contender: str, images: int, threads: str, dataset_name: str) -> None:
        """Predict."""
        prepared, X = _prepared(contender, images, threads, dataset_name)
        prepared.predict(X)
