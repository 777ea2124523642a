"""What the benchmarks share: the parameter lists, the data, and contenders that have passed the gate."""

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
# The lists name everything everywhere: asv drops the history of a parameter that is no longer listed.
OPTIONS = BenchOptions.from_environ()
DATASETS = tuple(dict.fromkeys(filter(None, ("mnist", "mnist-5k", OPTIONS.dataset))))


class Clock:
    """A clock that stands still while a benchmark prepares.

    The benchmarks of microseconds have no ``setup``, because asv would repeat it before every call and time each
    call by itself. They prepare on their first call instead, and given to asv as ``timer`` this clock leaves that out.
    """

    def __init__(self) -> None:
        self.stood_still_seconds = 0.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return time.perf_counter() - self.stood_still_seconds

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let the time of the block pass by."""
        started = time.perf_counter()
        yield
        self.stood_still_seconds += time.perf_counter() - started


clock = Clock()


@cache
def dataset_at_hand() -> Dataset:
    """Return the data set that this machine has."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the name is in every result
        return load_mnist()


def dataset(name: str) -> Dataset:
    """Return the data set at hand, or skip the benchmark if it is another than ``name``."""
    if dataset_at_hand().name != name:
        raise SkipNotImplemented(f"the data set at hand is {dataset_at_hand().name}, not {name}")
    return dataset_at_hand()


def installed(name: str) -> str:
    """Return the contender's name, or skip the benchmark where its packages are not installed.

    Raises
    ------
    ConfigurationError
        If its kernels are Numba's, and Numba is told not to compile.
    """
    if not contenders.is_installed(name):
        raise SkipNotImplemented(f"{name} is not installed: {contenders.install_command(name)}")
    if name in BACKENDS:
        kernels.load(name)
        require_compiled()
    return name


def trainable(name: str) -> str:
    """Return the contender's name, or skip the benchmark where it is not installed or cannot train."""
    if not contenders.entry(name).trains:
        raise SkipNotImplemented(f"{name} only predicts")
    return installed(name)


def skip_shared(name: str, owner: str) -> None:
    """Skip the benchmark if the functions that it calls are another's, whose row has their time."""
    if owner != name:
        raise SkipNotImplemented(f"{name} has this from {owner}: the same function, timed there")


def selected_contenders() -> list[str]:
    """Return the contenders of this run: those that its options name, or all that are installed."""
    return list(OPTIONS.contenders) or [name for name in CONTENDERS if contenders.is_installed(name)]


@cache
def ready(name: str, threads: str, dataset_name: str) -> Contender:
    """Return a contender on that many threads, past the gate and prepared to train on the whole data set."""
    data = dataset(dataset_name)
    contender = contenders.create(installed(name))
    contender.use_threads(thread_count(threads))
    gate.require(name, contender, data)
    contender.prepare(initial_parameters(0), data.training, SGD)
    return contender
