"""What runs the trainings of a sweep: the protocol, and worker processes on this machine."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError
from nnkernels.sweep.images import write_images
from nnkernels.sweep.plan import Training
from nnkernels.sweep.worker import start_worker, train_in_worker

Result = dict[str, Any]


class Pool(Protocol):
    """Workers that run trainings."""

    @property
    def size(self) -> int:
        """The number of trainings that run at the same time. It may change."""
        ...

    def submit(self, training: Training) -> Future[Result]:
        """Begin a training as soon as a worker is free.

        Parameters
        ----------
        training : Training
            The training.

        Returns
        -------
        future : Future
            Its future result, for :meth:`result`.
        """
        ...

    def result(self, future: Future[Result]) -> Result:
        """Return the result of a training that is done.

        Parameters
        ----------
        future : Future
            What :meth:`submit` returned.

        Returns
        -------
        result : dict
            The result.

        Raises
        ------
        BrokenProcessPool
            If a worker was killed; the pool cannot be used any more, and another one may work.
        MeasurementError
            If workers are killed by this training again and again.
        """
        ...

    def check(self) -> None:
        """Check that results can still arrive.

        Raises
        ------
        MeasurementError
            If they cannot.
        """
        ...


# Opens a pool for the images on which networks are trained and judged.
OpenPool = Callable[[Dataset], AbstractContextManager[Pool]]


class LocalPool:
    """Processes on this machine, each with one thread.

    Parameters
    ----------
    executor : ProcessPoolExecutor
        The processes.
    workers : int
        Their number.

    Attributes
    ----------
    size : int
        Their number.
    """

    def __init__(self, executor: ProcessPoolExecutor, workers: int) -> None:
        self.executor, self.size = executor, workers

    def submit(self, training: Training) -> Future[Result]:
        """Begin a training as soon as a process is free.

        Parameters
        ----------
        training : Training
            The training.

        Returns
        -------
        future : Future
            Its result.
        """
        return self.executor.submit(train_in_worker, training)

    def result(self, future: Future[Result]) -> Result:
        """Return the result of a training that is done.

        Parameters
        ----------
        future : Future
            Its future.

        Returns
        -------
        result : dict
            The result.
        """
        return future.result()

    def check(self) -> None:
        """Do nothing: the future of a killed process has an exception."""


def local_pool(workers: int) -> OpenPool:
    """Return what opens a pool of processes on this machine.

    Parameters
    ----------
    workers : int
        The number of processes.

    Returns
    -------
    open_pool : callable
        Opens the pool. Ctrl-C ends the processes at once.

    Raises
    ------
    ConfigurationError
        If the number is not positive.
    """
    if workers < 1:
        raise ConfigurationError(f"the number of workers is {workers}; expected at least 1")

    @contextmanager
    def open_pool(dataset: Dataset) -> Iterator[Pool]:
        with worker_processes(workers, dataset) as executor:
            yield LocalPool(executor, workers)

    return open_pool


@contextmanager
def worker_processes(workers: int, dataset: Dataset) -> Iterator[ProcessPoolExecutor]:
    """Start worker processes that have the images. Ctrl-C ends them at once.

    Parameters
    ----------
    workers : int
        The number of processes.
    dataset : Dataset
        The images, which :func:`~nnkernels.sweep.worker.images_in_worker` returns there.

    Yields
    ------
    executor : ProcessPoolExecutor
        The processes.
    """
    others = set(multiprocessing.active_children())
    # A new process for each worker: a fork would inherit the threads of Numba and TensorFlow.
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="nnkernels-") as folder:
        path = Path(folder, "images.npz")
        write_images(dataset, path)
        with ProcessPoolExecutor(workers, context, start_worker, (path,)) as executor:
            try:
                yield executor
            except (KeyboardInterrupt, SystemExit):
                for process in set(multiprocessing.active_children()) - others:
                    process.terminate()
                raise
