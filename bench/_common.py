"""Definitions that all benchmarks share: parameter lists, data, and contenders that have passed the gate."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from asv_runner.benchmarks.mark import SkipNotImplemented

from nnkernels import contenders, kernels
from nnkernels.contenders import Contender
from nnkernels.data import Dataset, load_mnist
from nnkernels.measure.asv_driver.options import BenchOptions
from nnkernels.measure.correctness import gate
from nnkernels.measure.correctness.compiled import require_compiled
from nnkernels.measure.timing.threads import SETTINGS, thread_count
from nnkernels.parameters import initial_parameters
from nnkernels.recipes import SGD

BACKENDS = kernels.names()
CONTENDERS = contenders.names()
THREADS = SETTINGS
# The lists always contain all names, installed or not, because asv drops the history of a parameter that is no longer
# listed.
OPTIONS = BenchOptions.from_environ()
DATASETS = tuple(dict.fromkeys(filter(None, ("mnist", "mnist-5k", OPTIONS.dataset))))


class Clock:
    """A clock that can be paused while a benchmark prepares.

    Benchmarks of microseconds have no ``setup``, because asv would repeat it before every call and time each call
    separately. Instead, they prepare during their first call, and asv uses this clock as their ``timer``, which
    excludes the preparation.
    """

    def __init__(self) -> None:
        self.paused_seconds = 0.0

    def __call__(self) -> float:
        """Return the time in seconds, without pauses."""
        return time.perf_counter() - self.paused_seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Pause the clock during the ``with`` block."""
        started = time.perf_counter()
        yield
        self.paused_seconds += time.perf_counter() - started


clock = Clock()


@cache
def available_dataset() -> Dataset:
    """Return the data set that this machine has.

    Returns
    -------
    data : Dataset
        MNIST, or the smaller data set that replaces it without a network.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # every result names its data set
        return load_mnist()


def dataset(name: str) -> Dataset:
    """Return the data set that this machine has, or skip the benchmark if its name is different.

    Parameters
    ----------
    name : str
        Name of the required data set.

    Returns
    -------
    data : Dataset
        The data set of this name.

    Raises
    ------
    SkipNotImplemented
        If this machine has another data set.
    """
    if available_dataset().name != name:
        raise SkipNotImplemented(f"the available data set is {available_dataset().name}, not {name}")
    return available_dataset()


def installed_or_skip(name: str) -> str:
    """Return the name of a contender, or skip the benchmark if it is not installed.

    Parameters
    ----------
    name : str
        Name of the contender.

    Returns
    -------
    name : str
        The same.

    Raises
    ------
    SkipNotImplemented
        If the contender's packages are not installed.
    ConfigurationError
        If the contender needs Numba and Numba's compiler is disabled.
    """
    if not contenders.is_installed(name):
        raise SkipNotImplemented(f"{name} is not installed: {contenders.install_command(name)}")
    if name in BACKENDS:
        kernels.load(name)
        require_compiled()
    return name


def trainable_or_skip(name: str) -> str:
    """Return the name of a contender, or skip the benchmark if it is not installed or cannot train.

    Parameters
    ----------
    name : str
        Name of the contender.

    Returns
    -------
    name : str
        The same.

    Raises
    ------
    SkipNotImplemented
        If the contender is not installed or cannot train.
    ConfigurationError
        If the contender needs Numba and Numba's compiler is disabled.
    """
    if not contenders.entry(name).trains:
        raise SkipNotImplemented(f"{name} cannot train")
    return installed_or_skip(name)


def skip_shared(name: str, owner: str) -> None:
    """Skip a benchmark if its functions belong to another backend, whose row has their time.

    Parameters
    ----------
    name, owner : str
        Names of the backend and of the owner of its functions.

    Raises
    ------
    SkipNotImplemented
        If the two differ.
    """
    if owner != name:
        raise SkipNotImplemented(f"{name} uses the function of {owner}, which is timed instead")


def selected_contenders() -> list[str]:
    """Return the contenders of this run.

    Returns
    -------
    names : list of str
        Those that the run's options name, or all that are installed.
    """
    return list(OPTIONS.contenders) or [name for name in CONTENDERS if contenders.is_installed(name)]


@cache
def ready(name: str, threads: str, dataset_name: str) -> Contender:
    """Return a contender that has passed the gate and is prepared to train on the whole data set.

    Parameters
    ----------
    name : str
        Name of the contender.
    threads : str
        Thread setting, ``1`` or ``all``.
    dataset_name : str
        Name of the data set.

    Returns
    -------
    contender : Contender
        One per combination of arguments and process.

    Raises
    ------
    SkipNotImplemented
        If the contender is not installed, or if this machine has another data set.
    GateError
        If the contender fails the gate.
    """
    data = dataset(dataset_name)
    contender = contenders.create(installed_or_skip(name))
    contender.use_threads(thread_count(threads))
    gate.require(name, contender, data)
    contender.prepare(initial_parameters(0, classes=data.classes), data.training, SGD)
    return contender
