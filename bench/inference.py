"""How long does a prediction take, from uint8 pixels to probabilities?"""

from __future__ import annotations

from functools import cache
from typing import Any

from nnkernels.measure.panel import ten_thousand_images

from ._common import CONTENDERS, DATASETS, THREADS, dataset, ready

IMAGES = (1, 10_000)


@cache
def _images(images: int, dataset_name: str) -> Any:
    return ten_thousand_images(dataset(dataset_name))[:images]


class Predict:
    """One call of the contender's own inference. No ``setup``: asv would then time every call by itself."""

    params = (CONTENDERS, IMAGES, THREADS, DATASETS)
    param_names = ("contender", "images", "threads", "dataset")
    version = "1"
    timeout = 120
    rounds = 1
    repeat = (3, 10, 1.0)
    sample_time = 0.05
    warmup_time = 0.1

    def time_predict(self, contender: str, images: int, threads: str, dataset_name: str) -> None:
        """Predict; the first call, in the warm-up, passes the gate and prepares."""
        ready(contender, threads, dataset_name).predict(_images(images, dataset_name))
