"""The local run of a sweep: worker processes train, and this process alone writes the results."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any

from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError, MeasurementError
from nnkernels.interrupts import stop_request
from nnkernels.measure.asv_driver import workspace
from nnkernels.measure.records import provenance
from nnkernels.sweep.plan import Plan, Training
from nnkernels.sweep.results import SweepFolder
from nnkernels.sweep.worker import start_worker, train_in_worker

MAX_BREAKS = 3  # so many times in a row a killed worker is replaced without any result in between

Show = Callable[[int, int, str], None]
Waiting = list[tuple[str, Training]]


def missing(plan: Plan, folder: SweepFolder) -> Waiting:
    """Return the trainings of a plan that have no result yet.

    Parameters
    ----------
    plan : Plan
        The plan.
    folder : SweepFolder
        The results so far.

    Returns
    -------
    missing : list of (str, Training)
        With their keys, in the order of the plan.
    """
    keys = ((training.key(plan.images), training) for training in plan.trainings)
    return [(key, training) for key, training in keys if key not in folder.rows]


def run(
    plan: Plan,
    folder: SweepFolder,
    *,
    workers: int,
    resume: bool = False,
    show: Show = lambda _done, _total, _text: None,
) -> bool:
    """Run the trainings that have no result yet, in processes with one thread each, and write every result at once.

    After Ctrl-C, no further training begins; a second Ctrl-C ends the running ones without a result. If a worker is
    killed, the running trainings are repeated.

    Parameters
    ----------
    plan : Plan
        The plan.
    folder : SweepFolder
        The results so far. New ones are added.
    workers : int
        The number of processes.
    resume : bool, default: False
        Whether the folder may already have results.
    show : callable, optional
        ``show(done, total, text)``, called after each training.

    Returns
    -------
    finished : bool
        Whether all trainings have a result.

    Raises
    ------
    ConfigurationError
        If the number of workers is not positive, or if the folder has results, and ``resume`` is False.
    MeasurementError
        If workers are killed again and again.
    """
    if workers < 1:
        raise ConfigurationError(f"the number of workers is {workers}; expected at least 1")
    if folder.rows and not resume:
        raise ConfigurationError(
            f"{folder.path} already has results; continue them (--resume), or choose another folder (--out)"
        )
    total, waiting, breaks = len(plan.trainings), missing(plan, folder), 0
    origin = _origin(plan)
    try:
        with stop_request() as stop:
            while waiting and not stop.requested:
                before = len(waiting)
                try:
                    for key, row in _results(plan.dataset, waiting, min(workers, before), lambda: stop.requested):
                        folder.add(key, {"judge": plan.judge, **row, **origin})
                        waiting = missing(plan, folder)
                        show(total - len(waiting), total, _text(row))
                except BrokenProcessPool as error:
                    breaks = breaks + 1 if len(waiting) == before else 1
                    if breaks == MAX_BREAKS:
                        raise MeasurementError(
                            f"a worker was killed {breaks} times without a result in between, perhaps for lack of "
                            "memory; use fewer workers (--workers). Results so far are kept, see --resume"
                        ) from error
    finally:
        if folder.rows:
            folder.merge()
    return not waiting


def _results(
    dataset: Dataset, waiting: Waiting, workers: int, stopped: Callable[[], bool]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the key and the result of each training, as they are done."""
    others = multiprocessing.active_children()
    # A new process for each worker: a fork would inherit the threads of Numba and TensorFlow.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, start_worker, (dataset,)) as pool:
        queue = iter(waiting)
        running = {pool.submit(train_in_worker, training): key for key, training in islice(queue, workers)}
        try:
            while running:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    key = running.pop(future)
                    for next_key, training in islice(queue, 0 if stopped() else 1):
                        running[pool.submit(train_in_worker, training)] = next_key
                    yield key, future.result()
        except (KeyboardInterrupt, SystemExit):
            for worker in set(multiprocessing.active_children()) - set(others):
                worker.terminate()
            raise


def _text(row: dict[str, Any]) -> str:
    recipe = row["recipe"]
    return (
        f"{recipe['name']}, {row['contender']}, width {recipe['hidden']}, seed {row['seed']}: "
        f"{100 * (1 - row['error_rate']):.2f} % in {row['seconds']:.1f} s"
    )


def _origin(plan: Plan) -> dict[str, Any]:
    """Return the provenance of every result of this run."""
    found = provenance.collect(plan.dataset)
    names = ("python", "packages", "cpu", "microarchitecture", "cpus", "machine_code")
    return {"data": plan.source, **workspace.code_state(), **{name: found[name] for name in names}}
