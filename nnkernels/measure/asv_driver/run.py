"""A whole run: asv's passes over the benchmarks, merged, with their provenance, and stored."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from nnkernels.data import Dataset
from nnkernels.data.folder import write_folder
from nnkernels.errors import Interruption, MeasurementError
from nnkernels.measure.asv_driver.files import add_to_history, merge_passes
from nnkernels.measure.asv_driver.options import BenchOptions
from nnkernels.measure.asv_driver.plan import Plan, Profile, make_plan
from nnkernels.measure.asv_driver.process import Pass, register_machine, run_pass
from nnkernels.measure.asv_driver.progress import Progress, RecordsSoFar, ShowProgress
from nnkernels.measure.asv_driver.request import Request, choose_contenders
from nnkernels.measure.asv_driver.sole_run import sole_run
from nnkernels.measure.asv_driver.workspace import Workspace, changed_since
from nnkernels.measure.correctness.compiled import require_compiled
from nnkernels.measure.records import provenance
from nnkernels.measure.records.environment import find_settings
from nnkernels.measure.records.process_files import load_interleaved, load_keras, load_steps
from nnkernels.measure.records.run import RunRecord, write_run
from nnkernels.measure.timing.interleaved_run import InterleavedRun


@dataclass(frozen=True)
class Outcome:
    """The result of a run.

    Attributes
    ----------
    folder : Path
        The folder of the run's files.
    record : RunRecord
        Its description.
    """

    folder: Path
    record: RunRecord

    @property
    def interrupted(self) -> bool:
        """Whether the run ended before its last pass."""
        return self.record.passes < self.record.planned_passes


def run_benchmarks(workspace: Workspace, dataset: Dataset, request: Request, show_progress: ShowProgress) -> Outcome:
    """Measure contenders with asv, pass by pass, and store the results.

    Parameters
    ----------
    workspace : Workspace
        The source of the benchmarks and the place of the results.
    dataset : Dataset
        Training and test images.
    request : Request
        What to measure.
    show_progress : callable
        ``show_progress(Progress)``; called whenever asv writes something, and every second otherwise.

    Returns
    -------
    outcome : Outcome
        The folder and the description of the run.

    Raises
    ------
    ConfigurationError
        If Numba's compiler is disabled, or if a variable ``NNKERNELS_BENCH_*`` has an invalid value.
    MeasurementError
        If a benchmark fails; the run is then not stored. Or if another run is in progress in the checkout.
    Interruption
        After Ctrl-C, if no pass is complete or if the run can be resumed. Otherwise the complete passes are stored.
    """
    with sole_run(workspace.root):
        return _run_benchmarks(workspace, dataset, request, show_progress)


def _run_benchmarks(workspace: Workspace, dataset: Dataset, request: Request, show_progress: ShowProgress) -> Outcome:
    names, not_installed = choose_contenders(request.contenders, request.profile_name)
    plan = make_plan(request.profile, names, dataset.name, request.threads)
    options = replace(
        BenchOptions.from_environ(),
        contenders=tuple(names),
        dataset=dataset.name,
        rounds=request.profile.rounds,
        seeds=request.profile.seeds,
        seeds_to_accuracy=request.profile.seeds_to_accuracy,
        samples=request.profile.samples,
        profiles=request.profile.includes,
    )
    started = datetime.now(UTC)
    origin = {**provenance.collect(dataset, timed=True), "seeds": request.profile.seeds}
    require_compiled()
    machine = request.machine or provenance.machine_name()
    with _scratch(workspace, request, options, dataset, machine, origin["machine_code"]) as scratch:
        environment = register_machine(workspace, machine, _machine_information(origin), scratch)
        passes, changed = _measure(
            workspace, machine, dataset, options, plan, scratch, environment, show_progress, request.profile
        )
        workspace = replace(workspace, unrecorded=workspace.unrecorded or changed)
        interleaved = [measured for where in passes for measured in load_interleaved(where.records)]
        if in_use := load_keras(where.records for where in passes):
            origin["keras"] = in_use
        steps = [measured for where in passes for measured in load_steps(where.records)]
        _check_failures([*interleaved, *steps])
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
        merged = merge_passes([where.folder for where in passes], origin)
        folder = workspace.runs / record.run_id
        write_run(folder, record, interleaved, merged.as_json(scratch / "merged"), steps)
        if not workspace.unrecorded:
            add_to_history(merged, passes[0].folder, machine, workspace.root / "results" / "asv")
    return Outcome(folder, record)


def _is_resumable(workspace: Workspace, profile: Profile) -> bool:
    # Without a commit that identifies the code, passes of different versions could be mixed.
    return profile.resumable and not workspace.unrecorded


@contextmanager
def _scratch(
    workspace: Workspace, request: Request, options: BenchOptions, dataset: Dataset, machine: str, machine_code: str
) -> Iterator[Path]:
    """Yield the folder of the passes. If the run is resumable, the folder is kept until the run is complete."""
    if not _is_resumable(workspace, request.profile):
        with tempfile.TemporaryDirectory(prefix="nnkernels-bench-") as folder:
            yield Path(folder)
        return
    purpose = "|".join([workspace.commit, machine, dataset.sha256, request.profile_name, *request.threads])
    # The key keeps passes of other commits, package versions, machine code or options separate.
    versions = "|".join(f"{name}{version}" for name, version in provenance.package_versions().items())
    identity = f"{purpose}|{options}|{versions}|{machine_code}|{request.profile}|{find_settings().kept}"
    key = hashlib.sha256(identity.encode()).hexdigest()[:16]
    resumable = workspace.root / ".asv" / "resumable" / key
    resumable.mkdir(parents=True, exist_ok=True)
    yield resumable
    shutil.rmtree(resumable)


def _measure(
    workspace: Workspace,
    machine: str,
    dataset: Dataset,
    options: BenchOptions,
    plan: Plan,
    scratch: Path,
    environment: dict[str, str],
    show_progress: ShowProgress,
    profile: Profile,
) -> tuple[list[Pass], str]:
    """Return the complete passes, and a description of changes to the checkout during the measurements."""
    # Unpack the data once, so that each of about sixty processes loads them in milliseconds.
    write_folder(scratch / "data", dataset)
    environment = {**environment, "NNKERNELS_DATA": str(scratch / "data"), **options.as_environ()}
    complete: list[Pass] = []
    changed = ""
    records = RecordsSoFar()
    total = sum(len(patterns) for patterns in plan.passes)
    done = 0
    for number, patterns in enumerate(plan.passes):
        where = Pass(scratch / f"pass-{number}", scratch / f"pass-{number}-records")

        def show_pass_progress(
            fraction: float, what: str, number: int = number, done: int = done, where: Pass = where
        ) -> None:
            total_fraction = (done + fraction * len(plan.passes[number])) / total
            so_far = records.read([*(earlier.records for earlier in complete), where.records])
            show_progress(Progress(total_fraction, number + 1, len(plan.passes), what, so_far))

        try:
            if not where.is_complete:
                run_pass(workspace, machine, patterns, where, environment, show_pass_progress)
                changed = changed or changed_since(workspace)
                if changed:
                    where.mark_incomplete()
        except KeyboardInterrupt:
            if _is_resumable(workspace, profile):
                raise Interruption(
                    f"interrupted; {len(complete)} of {len(plan.passes)} passes are saved: "
                    "run the same command again to resume"
                ) from None
            if not complete:
                raise Interruption("interrupted before the first pass was complete; nothing was saved") from None
            return complete, changed
        complete.append(where)
        done += len(patterns)
    return complete, changed


def _check_failures(interleaved: list[InterleavedRun]) -> None:
    failures = {name: reason for measured in interleaved for name, reason in measured.failures.items()}
    if failures:
        reasons = "\n".join(f"  {name}: {reason}" for name, reason in failures.items())
        raise MeasurementError(f"some contenders could not be timed:\n{reasons}")


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
