"""One training run of a sweep, in a process of its own with one thread."""

from __future__ import annotations

import math
import signal
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from nnkernels import contenders
from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError, NNKernelsError
from nnkernels.process_settings import preserved_thread_counts
from nnkernels.sweep.plan import Training
from nnkernels.training import train

CURVE_POINTS = 5  # evaluations of a training run

_dataset: Dataset | None = None


def start_worker(dataset: Dataset) -> None:
    """Prepare a worker process: keep the images, and leave Ctrl-C to the main process.

    Parameters
    ----------
    dataset : Dataset
        Training images, and as test images those on which trainings are judged.
    """
    global _dataset
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _dataset = dataset


def train_in_worker(training: Training) -> dict[str, Any]:
    """Run a training in a process that :func:`start_worker` has prepared.

    Parameters
    ----------
    training : Training
        The training.

    Returns
    -------
    result : dict
        As :func:`run_training`.

    Raises
    ------
    ConfigurationError
        If the training is impossible, for example because the contender lacks something that the recipe needs.
    """
    assert _dataset is not None
    try:
        return run_training(training, _dataset)
    except NNKernelsError as error:  # some of them cannot be pickled
        raise ConfigurationError(f"{training.text}: {error}") from None


def run_training(training: Training, dataset: Dataset) -> dict[str, Any]:
    """Run a training on one thread, and evaluate it at five points on the way.

    Parameters
    ----------
    training : Training
        The training.
    dataset : Dataset
        Training images, and as test images those on which the training is judged.

    Returns
    -------
    result : dict
        For JSON: error rates and losses at the end, the seconds of training without evaluation, and the learning curve.
        Numbers that are not finite, as after a training that diverged, are None.
    """
    import numba

    recipe = training.recipe
    started, clock = datetime.now(UTC), time.perf_counter()
    with preserved_thread_counts():
        numba.set_num_threads(1)  # of the transforms, whatever the contender computes with
        contender = contenders.create_anywhere(training.contender)
        try:
            contender.use_threads(1)
            history = train(
                contender,
                dataset.training,
                recipe,
                seed=training.seed,
                validation=dataset.test,
                evaluate_every=1 if recipe.patience is not None else math.ceil(recipe.epochs / CURVE_POINTS),
            )
        finally:
            contender.close()
    final, curve = history.final, history.epochs
    return {
        "started": started.isoformat(timespec="seconds"),
        "seconds": history.seconds,
        "seconds_with_evaluation": time.perf_counter() - clock,
        "epochs_done": history.epochs_done,
        "error_rate": final.validation_error_rate,
        "loss": _finite(final.validation_loss),
        "train_error_rate": final.train_error_rate,
        "train_loss": _finite(final.train_loss),
        "curve": {
            "epoch": [record.epoch for record in curve],
            "error_rate": [record.validation_error_rate for record in curve],
            "train_error_rate": [record.train_error_rate for record in curve],
            "loss": [_finite(record.validation_loss) for record in curve],
        },
        "contender": training.contender,
        "seed": training.seed,
        "recipe": asdict(recipe),
        "threads": 1,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
