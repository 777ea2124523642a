"""The workers of an existing Dask cluster as a pool."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError, MeasurementError, MissingDependencyError, one_line
from nnkernels.sweep.plan import Training
from nnkernels.sweep.pool import OpenPool, Pool, Result
from nnkernels.sweep.worker import keep_images, train_on_cluster, versions

_CONNECT_SECONDS = 15


class ClusterPool:
    """The workers of a Dask cluster.

    Parameters
    ----------
    client : distributed.Client
        The connection.
    address : str
        The address of the scheduler, for messages.
    sha256 : str
        The hash of the images.
    killed_worker : type of Exception
        ``distributed.KilledWorker``.
    """

    def __init__(self, client: Any, address: str, sha256: str, killed_worker: type[Exception]) -> None:
        self.client, self.address, self.sha256, self.killed_worker = client, address, sha256, killed_worker
        # Dask gives up a training after it was on so many workers that were killed: the default, 3.
        self.executor = client.get_executor(pure=False)

    @property
    def size(self) -> int:
        """The number of workers at this moment, at least 1. A MeasurementError says that the scheduler was lost."""
        self.check()
        try:
            return max(1, len(self.client.nthreads()))
        except OSError:  # it was lost, and the client does not know yet
            raise self._lost() from None

    def submit(self, training: Training) -> Future[Result]:
        """Begin a training as soon as a worker is free.

        Parameters
        ----------
        training : Training
            The training.

        Returns
        -------
        future : Future
            Its result.
        """
        future: Future[Result] = self.executor.submit(train_on_cluster, training, self.sha256, versions())
        return future

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

        Raises
        ------
        MeasurementError
            If several workers in a row were killed by this training, or if the scheduler was lost.
        """
        try:
            return future.result()
        except self.killed_worker as error:
            raise MeasurementError(
                f"several workers in a row were killed by the same training, perhaps for lack of memory ({error}); "
                "results so far are kept, see --resume"
            ) from error
        except CancelledError:
            raise self._lost() from None

    def check(self) -> None:
        """Check that the scheduler can be reached.

        Raises
        ------
        MeasurementError
            If it cannot.
        """
        if self.client.status != "running":
            raise self._lost()

    def _lost(self) -> MeasurementError:
        return MeasurementError(
            f"the connection to the scheduler {self.address} was lost; results so far are kept. Start the cluster "
            "again, and do the rest with --resume"
        )


def cluster_pool(address: str) -> OpenPool:
    """Return what opens a pool on a Dask cluster.

    Parameters
    ----------
    address : str
        The address of the scheduler, such as ``tcp://host:8786`` or ``tls://host:8786``.

    Returns
    -------
    open_pool : callable
        Connects to the scheduler, and sends the images to every worker, also to those that start later.

    Raises
    ------
    MissingDependencyError
        If Dask is not installed.
    """
    try:
        distributed: Any = import_module("distributed")
    except ImportError as error:
        raise MissingDependencyError("a sweep on a Dask cluster", "distributed", "cluster") from error

    @contextmanager
    def open_pool(dataset: Dataset) -> Iterator[Pool]:
        try:
            client = distributed.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise ConfigurationError(
                f"cannot connect to the scheduler {address} ({one_line(error)}); start it with `dask scheduler`, and "
                "workers with `dask worker ADDRESS --nthreads 1`"
            ) from error
        try:
            threads = client.nthreads()
            if not threads or max(threads.values()) > 1:
                raise ConfigurationError(
                    f"the workers of {address} have {sorted(threads.values())} threads; expected at least one worker, "
                    "with one thread each, because a training uses one: `dask worker ADDRESS --nthreads 1`"
                )
            _send_images(distributed, client, address, dataset)
            yield ClusterPool(client, address, dataset.sha256, distributed.KilledWorker)
        finally:
            client.close(timeout=5)

    return open_pool


def _send_images(distributed: Any, client: Any, address: str, dataset: Dataset) -> None:
    """Send the images to every worker process once, also to those that start later."""

    class Images(distributed.WorkerPlugin):  # type: ignore[misc]  # distributed has no types here
        name = f"nnkernels images {dataset.sha256}"
        idempotent = True

        def setup(self, worker: Any) -> None:
            keep_images(dataset)

    try:
        client.register_plugin(Images())
    except Exception as error:  # whatever a worker raised, such as ModuleNotFoundError
        raise ConfigurationError(
            f"a worker of {address} cannot take the images ({one_line(error)}); install the same versions of nnkernels "
            "and its packages everywhere"
        ) from error
