"""How much longer does a sweep take on a Dask cluster than in processes of this machine?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from asv_runner.benchmarks.mark import SkipNotImplemented

from nnkernels import contenders
from nnkernels.data import Dataset
from nnkernels.errors import MeasurementError
from nnkernels.measure.correctness import gate
from nnkernels.recipes import named_recipe
from nnkernels.sweep.cluster import cluster_pool
from nnkernels.sweep.plan import Plan, make_plan
from nnkernels.sweep.pool import OpenPool, local_pool
from nnkernels.sweep.results import SweepFolder
from nnkernels.sweep.run import run

from ._common import DATASETS, OPTIONS, available_dataset, dataset

CONTENDER, RECIPE = "fused", "adam"
WORKERS = 2
SEEDS = 8  # trainings of a sweep
LOCAL, CLUSTER = "local", "cluster"
CLOCKS = ("whole sweep", "trainings")
SAMPLES = OPTIONS.samples or 5

Ratios = dict[str, list[float]]


class OnCluster:
    """A sweep by two workers of a Dask cluster on this machine, and by two processes without Dask, in turns.

    Both run the same trainings of ``fused``, on one thread per worker, and this process writes the results. Numba's
    cache is warm. "whole sweep" is what a user waits for: the local processes start and receive the images; the
    cluster, which already runs, is connected, and its new workers import the package and receive the images.
    "trainings" begins when both kinds of workers have done all that, and have finished a sweep. Each sample is from a
    new cluster. Its scheduler runs in this process.
    """

    params = (CLOCKS, DATASETS)
    param_names = ("clock", "dataset")
    version = "1"
    timeout = 60
    unit = "relative time"

    def setup_cache(self) -> Ratios | str:
        """Measure by both clocks; a text says why nothing is measured."""
        if find_spec("distributed") is None:
            return "distributed is not installed: pip install 'nnkernels[cluster]'"
        return _ratios(available_dataset())

    setup_cache.timeout = 900  # type: ignore[attr-defined]

    def track_time_relative_to_local(self, measured: Ratios | str, clock: str, dataset_name: str) -> dict[str, object]:
        """Return the cluster's time divided by the local one; above 1 if the cluster is slower."""
        dataset(dataset_name)
        if isinstance(measured, str):
            raise SkipNotImplemented(measured)
        return {"samples": measured[clock], "number": 1}


def _ratios(data: Dataset) -> Ratios:
    recipe = named_recipe(RECIPE, len(data.X_train))
    with closing(contenders.create(CONTENDER)) as contender:
        gate.require(CONTENDER, contender, data, recipe)
    plan = make_plan(data, [recipe], seeds=range(SEEDS), names=(CONTENDER,))
    ratios: Ratios = {clock: [] for clock in CLOCKS}
    for sample in range(SAMPLES):
        with _cluster() as address, ExitStack() as stack:
            pools = {LOCAL: local_pool(WORKERS), CLUSTER: cluster_pool(address)}
            ratios["whole sweep"].append(_ratio(plan, pools, sample))
            opened = {name: _kept_open(stack, pool, plan) for name, pool in pools.items()}
            _seconds(plan, opened[LOCAL])  # the workers of the cluster have finished a sweep already
            ratios["trainings"].append(_ratio(plan, opened, sample))
    return ratios


@contextmanager
def _cluster() -> Iterator[str]:
    """Start a cluster, and yield the address of its scheduler."""
    distributed = import_module("distributed")
    with distributed.LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=":0") as cluster:
        yield cluster.scheduler_address


def _kept_open(stack: ExitStack, pool: OpenPool, plan: Plan) -> OpenPool:
    opened = stack.enter_context(pool(plan.dataset))
    return lambda _dataset: nullcontext(opened)


def _ratio(plan: Plan, pools: dict[str, OpenPool], seed: int) -> float:
    """Run the sweep in both pools, in a random order, and return the cluster's time divided by the local one."""
    seconds, errors = {}, {}
    for name in np.random.default_rng(seed).permutation(list(pools)).tolist():
        seconds[name], errors[name] = _seconds(plan, pools[name])
    if errors[LOCAL] != errors[CLUSTER]:
        raise MeasurementError("the trainings of the cluster have other results than the local ones")
    return seconds[CLUSTER] / seconds[LOCAL]


def _seconds(plan: Plan, pool: OpenPool) -> tuple[float, dict[str, float]]:
    """Return the seconds of a sweep, and the error rate of each training."""
    with TemporaryDirectory() as path:
        folder = SweepFolder(Path(path))
        started = time.perf_counter()
        run(plan, folder, pool)
        return time.perf_counter() - started, {key: row["error_rate"] for key, row in folder.rows.items()}
