"""Running the catalogue: each mutant in a process of its own, on a changed copy of the package."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from nnkernels.data import Dataset
from nnkernels.errors import MeasurementError
from nnkernels.files import PACKAGE
from nnkernels.measure.mutants.catalogue import Mutant, unchanged
from nnkernels.measure.mutants.gates import GATES, MOST_THREADS, Verdict
from nnkernels.measure.records.environment import timed_environment

CHILD = "nnkernels.measure.mutants.child"
# Of CPU time, and not of the clock's, which runs on where the machine is busy or asleep: who does not end spins.
CPU_SECONDS = 900
NO_VERDICT = "breaks down"


@dataclass(frozen=True)
class Judged:
    """A mutant and what its gates said.

    Attributes
    ----------
    backend, name, file, equivalent, tolerated : str
        Those of the :class:`~nnkernels.measure.mutants.catalogue.Mutant`.
    verdicts : tuple of Verdict
        One for each of its gates.
    seconds : float
        What that took, compilation included.
    """

    backend: str
    name: str
    file: str
    equivalent: str
    verdicts: tuple[Verdict, ...]
    seconds: float
    tolerated: str = ""

    @property
    def caught(self) -> bool:
        """Whether every gate that precedes times of the changed code refused it."""
        return not any(verdict.passed for verdict in self.verdicts)

    @property
    def survived(self) -> bool:
        """Whether a gate let it pass that should not have."""
        return not self.caught and not self.equivalent

    @property
    def unexplained(self) -> bool:
        """Whether the catalogue does not foresee what became of it."""
        return (self.survived and not self.tolerated) or (self.caught and bool(self.equivalent))


def controls(mutants: Sequence[Mutant]) -> tuple[Mutant, ...]:
    """Return a mutant without a mutation for each backend, at all gates that mutants of it are held against."""
    needed = {
        backend: {gate for mutant in mutants if mutant.backend == backend for gate in mutant.gates}
        for backend in dict.fromkeys(mutant.backend for mutant in mutants)
    }
    return tuple(
        unchanged(backend, tuple(gate for gate in GATES if gate in gates)) for backend, gates in needed.items()
    )


def run_mutants(
    mutants: Sequence[Mutant], dataset: Dataset, jobs: int = 1, package: Path = PACKAGE
) -> Iterator[Judged]:
    """Judge the controls, then every mutant, so many processes at a time; yield the mutants in their order.

    Raises
    ------
    MeasurementError
        If the text that a mutant changes is not there, or a gate refuses a backend in which nothing is changed: then
        no refusal would mean anything.
    """
    for mutant in mutants:
        mutant.mutated(package)  # now, and not after minutes
    with stored(dataset) as folder:
        for control in controls(mutants):
            judged = run_mutant(control, folder, package)
            if refused := [verdict for verdict in judged.verdicts if not verdict.passed]:
                raise MeasurementError(
                    f"{control.backend} is refused with nothing changed ({refused[0].gate}: {refused[0].checks}), so "
                    "no refusal of a mutant would mean anything: `nnkernels verify` says more"
                )
        with ThreadPoolExecutor(jobs) as pool:
            running = [pool.submit(run_mutant, mutant, folder, package) for mutant in mutants]
            try:
                for future in running:
                    yield future.result()
            finally:  # whoever is interrupted does not wait for those that have not begun
                pool.shutdown(cancel_futures=True)


def run_mutant(mutant: Mutant, dataset_folder: Path, package: Path = PACKAGE) -> Judged:
    """Judge one mutant; the package itself, and the user's cache of compiled kernels, stay as they are."""
    started = time.perf_counter()
    with TemporaryDirectory(prefix="nnkernels-mutant-") as scratch:
        root = Path(scratch, "package")
        copy = root / package.name
        shutil.copytree(package, copy, ignore=shutil.ignore_patterns("machine_code"))
        changed = copy / mutant.file
        changed.write_text(mutant.mutated(package), "utf-8")
        for stale in changed.parent.glob(f"__pycache__/{changed.stem}.*"):
            stale.unlink()
        verdicts = _verdicts(mutant, root, Path(scratch, "numba"), dataset_folder)
    seconds = time.perf_counter() - started
    return Judged(mutant.backend, mutant.name, mutant.file, mutant.equivalent, verdicts, seconds, mutant.tolerated)


def _verdicts(mutant: Mutant, root: Path, cache: Path, dataset_folder: Path) -> tuple[Verdict, ...]:
    environment = timed_environment() | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")])),
        "NUMBA_CACHE_DIR": str(cache),
        "NUMBA_NUM_THREADS": str(max(MOST_THREADS, os.cpu_count() or 1)),
    }
    command = [sys.executable, "-m", CHILD, str(CPU_SECONDS), mutant.backend, str(dataset_folder), *mutant.gates]
    answer = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    reason = _reason(answer)
    said = [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{")]
    if said and Path(said[0]["package"]).resolve() != (root / PACKAGE.name).resolve():
        raise MeasurementError(
            f"{sys.executable} imports nnkernels from {said[0]['package']} in spite of PYTHONPATH, so mutants cannot "
            "be judged: run it from an environment where PYTHONPATH comes first"
        )
    verdicts = [Verdict(**one) for one in said[1:]]
    # Who breaks down before a verdict is not timed either.
    return (*verdicts, *(Verdict(gate, {NO_VERDICT: reason}) for gate in mutant.gates[len(verdicts) :]))


def _reason(answer: subprocess.CompletedProcess[str]) -> str:
    if answer.returncode == -getattr(signal, "SIGXCPU", 0):
        return f"no answer within {CPU_SECONDS} s of CPU time"
    last = answer.stderr.strip().splitlines()[-1:]
    return last[0] if last else f"exit status {answer.returncode}"


@contextmanager
def stored(dataset: Dataset) -> Iterator[Path]:
    """Put a data set where the processes of mutants read it."""
    with TemporaryDirectory(prefix="nnkernels-mutants-") as folder:
        for field in fields(Dataset):
            np.save(Path(folder, f"{field.name}.npy"), getattr(dataset, field.name))
        yield Path(folder)
