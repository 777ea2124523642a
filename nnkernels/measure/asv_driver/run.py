"""A whole run: asv's passes over the benchmarks, merged, described and kept."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nnkernels import contenders
from nnkernels.contenders import is_installed
from nnkernels.data import Dataset
from nnkernels.data.folder import write_folder
from nnkernels.errors import ConfigurationError, Interruption, MeasurementError, MissingDependencyError
from nnkernels.measure.asv_driver import files as asv_files
from nnkernels.measure.asv_driver import process as asv_process
from nnkernels.measure.asv_driver.plan import Plan, Profile, make_plan, takes_part
from nnkernels.measure.asv_driver.process import Pass
from nnkernels.measure.asv_driver.workspace import Workspace
from nnkernels.measure.correctness.compiled import require_compiled
from nnkernels.measure.records import provenance
from nnkernels.measure.records import run as records
from nnkernels.measure.records.environment import find_settings
from nnkernels.measure.records.run import RunRecord
from nnkernels.measure.timing.interleaved_run import Panel
from nnkernels.measure.timing.threads import SETTINGS


@dataclass(frozen=True)
class Request:
    """What a run is asked for.

    Attributes
    ----------
    contenders : sequence of str
        Empty: all that are installed and take part in the profile.
    profile_name, profile : str, Profile
    threads : sequence of str
        Of ``1`` and ``all``.
    machine : str
        Name of the machine in the results; empty: one made from the processor.
    """

    contenders: Sequence[str]
    profile_name: str
    profile: Profile
    threads: Sequence[str] = SETTINGS
    machine: str = ""

    def __post_init__(self) -> None:
        if not self.threads or set(self.threads) - set(SETTINGS):
            raise ConfigurationError(f"threads are {','.join(self.threads)!r}; expected 1, all or 1,all")
        if self.profile.ratio_passes < 1:
            raise ConfigurationError("rounds must be at least 1")


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
    """A run that was measured, and where it lies."""

    folder: Path
    record: RunRecord

    @property
    def interrupted(self) -> bool:
        """Whether it ended before its last pass."""
        return self.record.passes < self.record.planned_passes


def choose_contenders(asked: Sequence[str], profile_name: str = "full") -> tuple[list[str], dict[str, str]]:
    """Return the contenders to measure, and those left out for want of a package, with the command that helps.

    Parameters
    ----------
    asked : sequence of str
        Empty: all that are installed and take part in the profile.
    profile_name : str

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
    names = [name for name in contenders.names() if takes_part(name, profile_name)]
    missing = {name: contenders.install_command(name) for name in names if not is_installed(name)}
    return [name for name in names if name not in missing], missing


def run(workspace: Workspace, dataset: Dataset, request: Request, progress: ShowProgress) -> Outcome:
    """Measure the contenders in asv, pass by pass, and keep the results.

    Parameters
    ----------
    progress : callable
        Is told how far the run is, whenever something new begins.

    Raises
    ------
    ConfigurationError
        If Numba is told not to compile.
    MeasurementError
        If a benchmark fails: nothing is kept of the run then.
    Interruption
        After Ctrl-C, if no pass is complete or the profile can be resumed; else the complete passes are kept.
    """
    names, not_installed = choose_contenders(request.contenders, request.profile_name)
    plan = make_plan(request.profile, names, dataset.name, request.threads)
    started = datetime.now(UTC)
    origin = provenance.collect(dataset, timed=True)
    require_compiled()
    machine = request.machine or provenance.machine_name()
    with _scratch(workspace, request, names, dataset, machine, origin["machine_code"]) as scratch:
        environment = asv_process.register_machine(workspace, machine, _machine_information(origin), scratch)
        passes = _measure(workspace, machine, dataset, names, plan, scratch, environment, progress, request.profile)
        panels = [panel for where in passes for panel in records.load_panels(where.records)]
        if in_use := records.load_keras(where.records for where in passes):
            origin["keras"] = in_use
        _check_panels(panels)
        record = RunRecord(
            run_id=f"{started:%Y%m%dT%H%M%SZ}-{workspace.commit[:8]}",
            unrecorded=workspace.unrecorded,
            recorded_at=f"{started:%Y-%m-%dT%H:%M:%SZ}",
            commit=workspace.commit,
            machine=machine,
            dataset=dataset.name,
            contenders=names,
            not_installed=not_installed,
            profile=request.profile_name,
            threads=list(request.threads),
            passes=len(passes),
            planned_passes=len(plan.passes),
            provenance={**origin, "tree": "not recorded" if workspace.unrecorded else "clean"},
        )
        merged = asv_files.merge_passes([where.folder for where in passes], origin)
        folder = workspace.runs / record.run_id
        records.write_run(folder, record, panels, merged.as_json(scratch / "merged"))
        if not workspace.unrecorded:
            asv_files.add_to_history(merged, passes[0].folder, machine, workspace.root / "results" / "asv")
    return Outcome(folder, record)


def _is_resumable(workspace: Workspace, profile: Profile) -> bool:
    # Where the code has no commit to know it by, passes of one version could be mixed with those of another.
    return profile.resumable and not workspace.unrecorded


@contextmanager
def _scratch(
    workspace: Workspace, request: Request, names: list[str], dataset: Dataset, machine: str, machine_code: str
) -> Iterator[Path]:
    """Yield the folder of the passes; that of a resumable run stays until the run is complete."""
    if not _is_resumable(workspace, request.profile):
        with tempfile.TemporaryDirectory(prefix="nnkernels-bench-") as folder:
            yield Path(folder)
        return
    asked = "|".join([workspace.commit, machine, dataset.sha256, request.profile_name, *request.threads, *names])
    # Passes of another commit, of other versions of anything, or of other machine code are never mixed with these.
    versions = "|".join(f"{name}{version}" for name, version in provenance.package_versions().items())
    identity = f"{asked}|{versions}|{machine_code}|{request.profile}|{find_settings().kept}"
    key = hashlib.sha256(identity.encode()).hexdigest()[:16]
    kept = workspace.root / ".asv" / "resumable" / key
    kept.mkdir(parents=True, exist_ok=True)
    yield kept
    shutil.rmtree(kept)


def _measure(
    workspace: Workspace,
    machine: str,
    dataset: Dataset,
    names: list[str],
    plan: Plan,
    scratch: Path,
    environment: dict[str, str],
    progress: ShowProgress,
    profile: Profile,
) -> list[Pass]:
    # Unpacked once here, the data load in milliseconds in each of some sixty processes.
    write_folder(scratch / "data", dataset)
    environment = {
        **environment,
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
            if not where.is_complete:
                asv_process.run_pass(workspace, machine, patterns, where, environment, pass_progress)
        except KeyboardInterrupt:
            if _is_resumable(workspace, profile):
                raise Interruption(
                    f"interrupted; {len(complete)} of {len(plan.passes)} passes are kept: "
                    "the same command goes on there"
                ) from None
            if not complete:
                raise Interruption("interrupted before the first pass was complete; nothing is kept") from None
            return complete
        complete.append(where)
        done += len(patterns)
    return complete


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
