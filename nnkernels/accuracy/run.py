"""The run of the accuracy benchmark, stage by stage. An interrupted run of a clean commit is continued."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from nnkernels.accuracy.design import BEST, Design, Stage, further_stage, stages, sweep_plan
from nnkernels.accuracy.paired_epochs import time_epochs_in_worker
from nnkernels.accuracy.record import (
    FOLDER,
    RECORD,
    AccuracyRecord,
    AccuracyRun,
    read_accuracy_run,
    read_epochs,
    read_record,
    write_epochs,
    write_record,
)
from nnkernels.accuracy.summary import paired_errors
from nnkernels.data import Dataset
from nnkernels.errors import Interruption
from nnkernels.interrupts import StopRequest, stop_request
from nnkernels.measure.asv_driver.sole_run import CHECKOUT_VARIABLE, sole_run
from nnkernels.measure.asv_driver.workspace import Workspace, changed_since
from nnkernels.measure.correctness.compiled import require_compiled
from nnkernels.measure.records import provenance
from nnkernels.measure.records.environment import find_settings, python_path, timed_environment
from nnkernels.statistics import Floats
from nnkernels.sweep.pool import local_pool, worker_processes
from nnkernels.sweep.results import SweepFolder
from nnkernels.sweep.run import Show, run

# Shows the progress of a stage with the given title.
ShowStage = Callable[[str], AbstractContextManager[Show]]


def run_accuracy(
    workspace: Workspace, dataset: Dataset, design: Design, workers: int, show_stage: ShowStage, machine: str = ""
) -> AccuracyRun:
    """Run the accuracy benchmark, or continue it, and store the results.

    Parameters
    ----------
    workspace : Workspace
        The place of the results.
    dataset : Dataset
        The data. Its test images judge.
    design : Design
        What to train.
    workers : int
        Number of trainings at the same time, with one thread each.
    show_stage : callable
        ``show_stage(title)`` returns a context manager that yields ``show(done, total, text)``.
    machine : str, optional
        Name of the machine in the results; by default derived from the processor.

    Returns
    -------
    run : AccuracyRun
        The complete run.

    Raises
    ------
    MissingDependencyError
        If Keras is not installed.
    MeasurementError
        If another run is in progress in the checkout, if a worker is killed again and again, or if a contender fails
        the gate.
    Interruption
        After Ctrl-C.
    """
    require_compiled()
    planned = stages(design, dataset)
    origin = provenance.collect(dataset, timed=True)
    with sole_run(workspace.root), _environment(workspace.root), stop_request() as stop:
        folder = _scratch(workspace, dataset, design, origin)
        record = _begun(folder, workspace, dataset, design, workers, origin, machine)
        running = _Running(folder, record, dataset, workers, show_stage, stop)
        try:
            for stage in planned:
                running.train(stage)
            running.train(further_stage(design, running.planning_differences(design)))
            running.time_epochs(design)
        except (Interruption, KeyboardInterrupt):
            raise Interruption(_interrupted(workspace, folder)) from None
        unrecorded = workspace.unrecorded or changed_since(workspace) or _tainted(running.results, workspace)
        write_record(folder, replace(running.record, unrecorded=unrecorded))
        return read_accuracy_run(_stored(folder, record.run_id, workspace.root, unrecorded))


class _Running:
    """A run in progress: its folder, and how long each stage took."""

    def __init__(
        self,
        folder: Path,
        record: AccuracyRecord,
        dataset: Dataset,
        workers: int,
        show_stage: ShowStage,
        stop: StopRequest,
    ) -> None:
        self.folder, self.record, self.dataset, self.workers = folder, record, dataset, workers
        self.show_stage, self.stop, self.results = show_stage, stop, SweepFolder(folder)

    def train(self, stage: Stage) -> None:
        """Do the missing trainings of a stage."""
        if not stage.trainings:
            return
        with self._clock(stage.name), self.show_stage(stage.title) as show:
            plan, pool = sweep_plan(stage.trainings, self.dataset), local_pool(self.workers)
            run(plan, self.results, pool, resume=True, show=show, stop=self.stop)
        self._end_if_stopped()

    def _end_if_stopped(self) -> None:
        if self.stop.requested:
            raise Interruption("Ctrl-C")

    def planning_differences(self, design: Design) -> dict[str, Floats]:
        """Return the differences from Keras with the seeds of the first stages, from which further ones are planned."""
        found = {}
        for recipe in design.recipes:
            seeds = design.seeds if recipe.name == BEST else design.pilot_seeds
            found[recipe.name] = paired_errors(self.results.rows.values(), recipe).differences[:seeds]
        return found

    def time_epochs(self, design: Design) -> None:
        """Time the missing paired epochs, with nothing else running."""
        epochs = read_epochs(self.folder)
        with self._clock("paired epochs"), self.show_stage(f"paired epochs of {BEST}") as show:
            for number in range(len(epochs), design.processes):
                with worker_processes(1, self.dataset) as executor:
                    future = executor.submit(time_epochs_in_worker, design.best, design.turns, number)
                    epochs.append(future.result())
                write_epochs(self.folder, epochs)
                show(len(epochs), design.processes, f"process {len(epochs)}")
                if len(epochs) < design.processes:
                    self._end_if_stopped()

    @contextmanager
    def _clock(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            seconds = self.record.seconds.get(stage, 0.0) + time.perf_counter() - started
            self.record = replace(self.record, seconds=self.record.seconds | {stage: seconds})
            write_record(self.folder, self.record)


@contextmanager
def _environment(root: Path) -> Iterator[None]:
    """Start processes as those of other benchmarks: without settings that distort, and marked with the checkout."""
    before = dict(os.environ)
    after = {**timed_environment(), "PYTHONPATH": python_path(), CHECKOUT_VARIABLE: str(root)}
    try:
        os.environ.clear()
        os.environ.update(after)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _scratch(workspace: Workspace, dataset: Dataset, design: Design, origin: dict[str, object]) -> Path:
    """Return the folder of the run until it is complete. Only a clean commit has one that a later call finds again."""
    if workspace.unrecorded:
        return workspace.root / ".asv" / "unrecorded" / f"accuracy-{os.getpid()}-{time.time_ns()}"
    parts = (workspace.commit, dataset.sha256, design, origin["packages"], origin["machine_code"], find_settings().kept)
    key = hashlib.sha256("|".join(map(repr, parts)).encode()).hexdigest()[:16]
    return workspace.root / ".asv" / "resumable" / f"accuracy-{key}"


def _begun(
    folder: Path,
    workspace: Workspace,
    dataset: Dataset,
    design: Design,
    workers: int,
    origin: dict[str, object],
    machine: str,
) -> AccuracyRecord:
    """Return the record of the run in a folder, which is begun if it is not there."""
    if (folder / RECORD).exists():
        return read_record(folder)
    started = datetime.now(UTC)
    record = AccuracyRecord(
        run_id=f"{started:%Y%m%dT%H%M%SZ}-{workspace.commit[:8]}",
        unrecorded=workspace.unrecorded,
        recorded_at=f"{started:%Y-%m-%dT%H:%M:%SZ}",
        commit=workspace.commit,
        machine=machine or provenance.machine_name(),
        dataset=dataset.name,
        recipes=[asdict(recipe) for recipe in design.recipes],
        width_recipe=asdict(design.width_recipe),
        workers=workers,
        provenance={**origin, "tree": "not recorded" if workspace.unrecorded else "clean"},
    )
    write_record(folder, record)
    return record


def _tainted(results: SweepFolder, workspace: Workspace) -> str:
    """Return why the results are not those of the commit. The code may have changed while processes were started."""
    for row in results.rows.values():
        if (row["commit"], row["tree"]) != (workspace.commit, "clean"):
            return f"a training ran at commit {row['commit'][:8]}, {row['tree']}"
    return ""


def _interrupted(workspace: Workspace, folder: Path) -> str:
    done = len(SweepFolder(folder).rows)
    if workspace.unrecorded:
        return (
            f"interrupted; {folder} has the results of {done} trainings. To be able to continue a run, start it at a "
            "clean commit"
        )
    return f"interrupted; {done} trainings are saved: run the same command again to continue"


def _stored(folder: Path, run_id: str, root: Path, unrecorded: str) -> Path:
    """Move a complete run to its place."""
    place = (root / ".asv" / "unrecorded" / "accuracy" if unrecorded else root / FOLDER) / run_id
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(folder, place)
    return place
