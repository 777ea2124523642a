"""One training run of a sweep, in a process of its own with one thread."""

from __future__ import annotations

import math
import platform
import signal
import time
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from nnkernels import contenders
from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError, NNKernelsError
from nnkernels.measure.asv_driver import workspace
from nnkernels.measure.records import provenance
from nnkernels.parameters import Parameters
from nnkernels.process_settings import preserved_thread_counts
from nnkernels.sweep.images import read_images
from nnkernels.sweep.plan import Training
from nnkernels.training import train

CURVE_POINTS = 5  # evaluations of a training run

_dataset: Dataset | None = None  # of a process of the local pool
_images: dict[str, Dataset] = {}  # of a process of a cluster, by their hashes
loads: list[str] = []  # the hashes, in the order in which this process received the images


def start_worker(path: Path) -> None:
    """Prepare a worker process: read the images, and leave Ctrl-C to the main process.

    They are not sent as an argument: while the parent sends that, it does not notice that the process has died.

    Parameters
    ----------
    path : Path
        What :func:`~nnkernels.sweep.images.write_images` has written.
    """
    global _dataset
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _dataset = read_images(path)


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
    return _checked(training, images_in_worker())


def images_in_worker() -> Dataset:
    """Return the images of a process that :func:`start_worker` has prepared.

    Returns
    -------
    dataset : Dataset
        The images.
    """
    assert _dataset is not None
    return _dataset


def _checked(training: Training, dataset: Dataset) -> dict[str, Any]:
    try:
        return run_training(training, dataset)
    except NNKernelsError as error:  # some of them cannot be pickled
        raise ConfigurationError(f"{training.text}: {error}") from None


def keep_images(dataset: Dataset) -> None:
    """Keep images in this worker process of a cluster.

    Parameters
    ----------
    dataset : Dataset
        Training images, and as test images those on which trainings are judged.
    """
    _images[dataset.sha256] = dataset
    loads.append(dataset.sha256)


def train_on_cluster(training: Training, sha256: str, expected: dict[str, str]) -> dict[str, Any]:
    """Run a training in a worker process of a cluster.

    Parameters
    ----------
    training : Training
        The training.
    sha256 : str
        The hash of the images, which :func:`keep_images` has received.
    expected : dict of str to str
        The :func:`versions` of the process that started the sweep.

    Returns
    -------
    result : dict
        As :func:`run_training`.

    Raises
    ------
    ConfigurationError
        If the versions of this process are others, or if the training is impossible.
    """
    found = versions()
    for name in sorted({*found, *expected}):
        if found.get(name) != expected.get(name):
            raise ConfigurationError(
                f"a worker has {name} {found.get(name, 'missing')}, but the sweep was started with "
                f"{expected.get(name, 'none')}; install the same versions everywhere"
            )
    return _checked(training, _images[sha256])


@cache
def versions() -> dict[str, str]:
    """Return the versions that must be the same in all processes of a sweep.

    Returns
    -------
    versions : dict of str to str
        Those of Python, nnkernels with its commit, and the packages that compute.
    """
    code = workspace.code_state()
    return {"Python": platform.python_version(), **code, **provenance.package_versions()}


@cache
def machine() -> dict[str, Any]:
    """Return on what this process computes, for the provenance of its results.

    Returns
    -------
    machine : dict
        CPU, versions, and the commit of the code.
    """
    return {
        "cpu": provenance.cpu_name(),
        "microarchitecture": provenance.microarchitecture(),
        "machine_code": provenance.machine_code_digest(),
        "python": platform.python_version(),
        "packages": provenance.package_versions(),
        **workspace.code_state(),
    }


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
        Numbers that are not finite, as after a training that diverged, are None. If the training keeps its network,
        ``network`` contains the :class:`~nnkernels.parameters.Parameters`, or None if they are not finite.
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
            network = _network(contender.parameters()) if training.keep_network else {}
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
        **machine(),
        **network,
    }


def _network(params: Parameters) -> dict[str, Parameters | None]:
    return {"network": params if all(np.isfinite(array).all() for array in params) else None}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
