"""The run of a sweep: workers train, and this process alone writes the results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from itertools import islice

from nnkernels.errors import ConfigurationError, MeasurementError
from nnkernels.interrupts import StopRequest, stop_request
from nnkernels.sweep.plan import Plan, Training
from nnkernels.sweep.pool import OpenPool, Pool, Result
from nnkernels.sweep.results import SweepFolder

MAX_BREAKS = 3  # so many times in a row a killed worker is replaced without any result in between

Show = Callable[[int, int, str], None]
Waiting = list[tuple[str, Training]]


def missing(plan: Plan, folder: SweepFolder) -> Waiting:
    """Return the trainings of a plan that have no result yet, or not the network that they keep.

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
    return [(key, training) for key, training in keys if not folder.has(key, training)]


def run(
    plan: Plan,
    folder: SweepFolder,
    open_pool: OpenPool,
    *,
    resume: bool = False,
    show: Show = lambda _done, _total, _text: None,
    stop: StopRequest | None = None,
) -> bool:
    """Run the trainings that have no result yet, on one thread each, and write every result as soon as it is there.

    After Ctrl-C, no further training begins; a second Ctrl-C ends the running ones without a result. If a worker is
    killed, the running trainings are repeated.

    Parameters
    ----------
    plan : Plan
        The plan.
    folder : SweepFolder
        The results so far. New ones are added.
    open_pool : callable
        Opens the pool of workers: :func:`~nnkernels.sweep.pool.local_pool` or
        :func:`~nnkernels.sweep.cluster.cluster_pool`.
    resume : bool, default: False
        Whether the folder may already have results.
    show : callable, optional
        ``show(done, total, text)``, called after each training.
    stop : StopRequest, optional
        That of a caller that handles Ctrl-C itself, because the sweep is a part of its work.

    Returns
    -------
    finished : bool
        Whether all trainings have a result.

    Raises
    ------
    ConfigurationError
        If the folder has results, and ``resume`` is False, or if a training is impossible.
    MeasurementError
        If workers are killed again and again, or if a cluster is lost.
    """
    if folder.rows and not resume:
        raise ConfigurationError(
            f"{folder.path} already has results; continue them (--resume), or choose another folder (--out)"
        )
    total, waiting, breaks = len(plan.trainings), missing(plan, folder), 0
    try:
        with stop_request() if stop is None else nullcontext(stop) as stop:
            while waiting and not stop.requested:
                before = len(waiting)
                try:
                    with open_pool(plan.dataset) as pool:
                        for key, row in _results(pool, waiting, stop):
                            folder.add(key, {"judge": plan.judge, "data": plan.source, **row})
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


def _results(pool: Pool, waiting: Waiting, stop: StopRequest) -> Iterator[tuple[str, Result]]:
    """Yield the key and the result of each training, as they are done."""
    queue = iter(waiting)
    running: dict[Future[Result], str] = {}
    while True:
        for key, training in islice(queue, 0 if stop.requested else max(0, pool.size - len(running))):
            running[pool.submit(training)] = key
        if not running:
            return
        done, _ = wait(running, timeout=1, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=_failed):  # an error ends the sweep, so results that have arrived come first
            yield running.pop(future), pool.result(future)
        if not done:
            pool.check()


def _failed(future: Future[Result]) -> bool:
    return future.cancelled() or future.exception() is not None


def _text(row: Result) -> str:
    recipe = row["recipe"]
    return (
        f"{recipe['name']}, {row['contender']}, width {recipe['hidden']}, seed {row['seed']}: "
        f"{100 * (1 - row['error_rate']):.2f} % in {row['seconds']:.1f} s"
    )
