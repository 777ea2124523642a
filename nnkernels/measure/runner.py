"""A whole run: asv's passes over the benchmarks, merged, described and kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nnkernels import contenders
from nnkernels.contenders import is_installed
from nnkernels.data import Dataset
from nnkernels.data.folder import write_folder
from nnkernels.errors import MeasurementError, MissingDependencyError
from nnkernels.measure import asv_files, asv_process, provenance, records
from nnkernels.measure.asv_process import Pass
from nnkernels.measure.checkout import Checkout
from nnkernels.measure.panel import Panel
from nnkernels.measure.plan import Plan, quick_plan
from nnkernels.measure.records import RunRecord


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    fraction : float
        Of the whole run, 0 to 1.
    pass_number, passes : int
        The pass that runs, counted from 1, and how many there are.
    what : str
        What runs, in asv's words.
    """

    fraction: float
    pass_number: int
    passes: int
    what: str


ShowProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class Outcome:
    """A run that was measured: where it lies, and why it ended before its last pass, if it did."""

    folder: Path
    record: RunRecord
    interrupted: bool


def choose_contenders(asked: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return the contenders to measure, and those left out for want of a package, with the command that helps.

    Raises
    ------
    UnknownNameError, MissingDependencyError
        If a contender that was asked for is unknown or not installed.
    """
    for name in asked:
        contender = contenders.entry(name)
        if not is_installed(name):
            raise MissingDependencyError(f"the contender {name}", " and ".join(contender.packages), contender.extra)
    if asked:
        return list(dict.fromkeys(asked)), {}
    names = contenders.names()
    missing = {
        name: f"pip install 'nnkernels[{contenders.entry(name).extra}]'" for name in names if not is_installed(name)
    }
    return [name for name in names if name not in missing], missing


def run(
    checkout: Checkout, dataset: Dataset, asked: Sequence[str], progress: ShowProgress, unrecorded_folder: Path
) -> Outcome:
    """Measure the contenders in asv, pass by pass, and keep the results.

    Parameters
    ----------
    asked : sequence of str
        Contenders; none: all that are installed.
    progress : callable
        Is told how far the run is, whenever something new begins.
    unrecorded_folder : Path
        Takes the run's folder if the tree is dirty; it is then no part of the history.

    Raises
    ------
    MeasurementError
        If a benchmark fails: nothing is kept of the run then.
    KeyboardInterrupt
        If interrupted before the first pass is complete; later, the complete passes are kept.
    """
    names, not_installed = choose_contenders(asked)
    plan = quick_plan(names, dataset.name)
    started = datetime.now(UTC)
    machine = provenance.machine_name()
    origin = provenance.collect(dataset)
    asv_process.register_machine(machine, _machine_information(origin))
    with tempfile.TemporaryDirectory(prefix="nnkernels-bench-") as scratch:
        passes, interrupted = _measure(checkout, machine, dataset, names, plan, Path(scratch), progress)
        panels = [panel for where in passes for panel in records.load_panels(where.records)]
        _check_panels(panels)
        record = RunRecord(
            run_id=f"{started:%Y%m%dT%H%M%SZ}-{checkout.commit[:8]}",
            recorded=not checkout.dirty,
            recorded_at=f"{started:%Y-%m-%dT%H:%M:%SZ}",
            commit=checkout.commit,
            machine=machine,
            dataset=dataset.name,
            contenders=names,
            not_installed=not_installed,
            passes=len(passes),
            provenance={**origin, "tree": "dirty" if checkout.dirty else "clean"},
        )
        merged = asv_files.merge_passes([where.folder for where in passes], origin)
        results = checkout.root / "results"
        runs = results / "runs" if record.recorded else unrecorded_folder
        merged_folder = Path(scratch, "merged")
        (merged_folder / machine).mkdir(parents=True)
        records.write_run(runs / record.run_id, record, panels, asv_files.as_json(merged, merged_folder))
        if record.recorded:
            asv_files.record(merged, passes[0].folder, machine, results / "asv")
    return Outcome(runs / record.run_id, record, interrupted)


def _measure(
    checkout: Checkout,
    machine: str,
    dataset: Dataset,
    names: list[str],
    plan: Plan,
    scratch: Path,
    progress: ShowProgress,
) -> tuple[list[Pass], bool]:
    # Unpacked once here, the data load in milliseconds in each of some sixty processes.
    write_folder(scratch / "data", dataset)
    environment = {
        "NNKERNELS_DATA": str(scratch / "data"),
        "NNKERNELS_BENCH_CONTENDERS": ",".join(names),
        "NNKERNELS_BENCH_DATASET": dataset.name,
        "NNKERNELS_BENCH_ROUNDS": str(plan.rounds),
    }
    complete: list[Pass] = []
    total = sum(len(patterns) for patterns in plan.passes)
    done = 0
    for number, patterns in enumerate(plan.passes):
        where = Pass(scratch / f"pass-{number}", scratch / f"pass-{number}-records")

        def pass_progress(fraction: float, what: str, number: int = number, done: int = done) -> None:
            share = len(plan.passes[number])
            progress(Progress((done + fraction * share) / total, number + 1, len(plan.passes), what))

        try:
            asv_process.run_pass(checkout, machine, patterns, where, environment, pass_progress)
        except KeyboardInterrupt:
            if not complete:
                raise
            return complete, True
        complete.append(where)
        done += len(patterns)
    return complete, False


def _check_panels(panels: list[Panel]) -> None:
    failures = {name: reason for panel in panels for name, reason in panel.failures.items()}
    if failures:
        reasons = "\n".join(f"  {name}: {reason}" for name, reason in failures.items())
        raise MeasurementError(f"some contenders have no time:\n{reasons}")


def _machine_information(origin: dict[str, object]) -> dict[str, str]:
    import psutil

    gibibytes = round(psutil.virtual_memory().total / 2**30)
    return {
        "os": str(origin["os"]),
        "arch": str(origin["architecture"]),
        "cpu": f"{origin['cpu']} ({origin['microarchitecture']})",
        "num_cpu": str(origin["cpus"]),
        "ram": f"{gibibytes} GiB",
    }
