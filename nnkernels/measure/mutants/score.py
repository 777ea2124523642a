"""Checks of all mutants, each in a separate process on a changed copy of the package."""

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
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from nnkernels.data import Dataset
from nnkernels.data.dataset import PARTS
from nnkernels.errors import MeasurementError
from nnkernels.files import PACKAGE
from nnkernels.kernels.fused.paths import SETTING
from nnkernels.measure.mutants.catalogue import DEFAULT_PATHS, Mutant, code_label, unchanged
from nnkernels.measure.mutants.gates import GATES, MAX_THREADS, Verdict
from nnkernels.measure.records.environment import timed_environment

CHILD = "nnkernels.measure.mutants.child"
# The limit is CPU time, because wall-clock time also passes while the machine is busy or asleep. A mutant that does not
# terminate is in an infinite loop, which uses CPU time.
CPU_SECONDS = 900
NO_VERDICT = "breaks down"


@dataclass(frozen=True)
class Judged:
    """A mutant and the verdicts of its gates.

    Attributes
    ----------
    backend, name, file, equivalent, tolerated, paths : str
        As in :class:`~nnkernels.measure.mutants.catalogue.Mutant`.
    verdicts : tuple of Verdict
        One per gate.
    seconds : float
        Wall-clock time of the checks, including compilation.
    """

    backend: str
    name: str
    file: str
    equivalent: str
    verdicts: tuple[Verdict, ...]
    seconds: float
    tolerated: str = ""
    paths: str = DEFAULT_PATHS

    @property
    def code(self) -> str:
        """The backend, with the paths that it took if they are not the usual ones."""
        return code_label(self.backend, self.paths)

    @property
    def caught(self) -> bool:
        """Whether every gate of the mutant rejected it."""
        return not any(verdict.passed for verdict in self.verdicts)

    @property
    def survived(self) -> bool:
        """Whether a gate passed the mutant although it is not equivalent."""
        return not self.caught and not self.equivalent

    @property
    def unexplained(self) -> bool:
        """Whether the result contradicts the catalogue."""
        return (self.survived and not self.tolerated) or (self.caught and bool(self.equivalent))


def controls(mutants: Sequence[Mutant]) -> tuple[Mutant, ...]:
    """Return a control for each backend and setting of its paths: a mutant without a change.

    Parameters
    ----------
    mutants : sequence of Mutant
        The mutants.

    Returns
    -------
    controls : tuple of Mutant
        One per backend and setting, with all gates of their mutants.
    """
    needed: dict[tuple[str, str], set[str]] = {}
    for mutant in mutants:
        needed.setdefault((mutant.backend, mutant.paths), set()).update(mutant.gates)
    return tuple(
        unchanged(backend, tuple(gate for gate in GATES if gate in gates), paths)
        for (backend, paths), gates in needed.items()
    )


def run_mutants(
    mutants: Sequence[Mutant], dataset: Dataset, jobs: int = 1, package: Path = PACKAGE
) -> Iterator[Judged]:
    """Check the controls, then every mutant, in parallel processes.

    Parameters
    ----------
    mutants : sequence of Mutant
        The mutants.
    dataset : Dataset
        The source of the images.
    jobs : int
        Number of processes at a time.
    package : Path
        Folder of the unchanged package.

    Yields
    ------
    judged : Judged
        The next mutant with its verdicts, in the given order.

    Raises
    ------
    MeasurementError
        If the text that a mutant replaces does not occur exactly once. Also if a gate rejects a control, because its
        rejection of a mutant would then prove nothing.
    """
    for mutant in mutants:
        mutant.mutated(package)  # raises an error now instead of after minutes
    with saved_dataset(dataset) as folder:
        for control in controls(mutants):
            judged = run_mutant(control, folder, package)
            if rejected := [verdict for verdict in judged.verdicts if not verdict.passed]:
                raise MeasurementError(
                    f"the gate rejects the unchanged {judged.code} ({rejected[0].gate}: {rejected[0].checks}), so "
                    "rejecting its mutants would prove nothing: run `nnkernels verify` for details"
                )
        with ThreadPoolExecutor(jobs) as pool:
            running = [pool.submit(run_mutant, mutant, folder, package) for mutant in mutants]
            try:
                for future in running:
                    yield future.result()
            finally:  # after an interruption, cancel the mutants that have not been started
                pool.shutdown(cancel_futures=True)


def run_mutant(mutant: Mutant, dataset_folder: Path, package: Path = PACKAGE) -> Judged:
    """Check one mutant, without changing the package or the user's cache of compiled kernels.

    Parameters
    ----------
    mutant : Mutant
        The mutant.
    dataset_folder : Path
        Folder of the data set, as written by :func:`saved_dataset`.
    package : Path
        Folder of the unchanged package.

    Returns
    -------
    judged : Judged
        The mutant with its verdicts.
    """
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
    return Judged(
        mutant.backend,
        mutant.name,
        mutant.file,
        mutant.equivalent,
        verdicts,
        seconds,
        mutant.tolerated,
        mutant.paths,
    )


def _verdicts(mutant: Mutant, root: Path, cache: Path, dataset_folder: Path) -> tuple[Verdict, ...]:
    environment = timed_environment() | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")])),
        "NUMBA_CACHE_DIR": str(cache),
        SETTING: mutant.paths,
        "NUMBA_NUM_THREADS": str(max(MAX_THREADS, os.cpu_count() or 1)),
    }
    command = [sys.executable, "-m", CHILD, str(CPU_SECONDS), mutant.backend, str(dataset_folder), *mutant.gates]
    answer = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    reason = _reason(answer)
    messages = [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{")]
    if messages and Path(messages[0]["package"]).resolve() != (root / PACKAGE.name).resolve():
        raise MeasurementError(
            f"{sys.executable} imports nnkernels from {messages[0]['package']} despite PYTHONPATH, so mutants cannot "
            "be tested: run this in an environment in which PYTHONPATH takes precedence"
        )
    verdicts = [Verdict(**one) for one in messages[1:]]
    # A mutant that crashes before a verdict also counts as rejected, because it would not be timed either.
    return (*verdicts, *(Verdict(gate, {NO_VERDICT: reason}) for gate in mutant.gates[len(verdicts) :]))


def _reason(answer: subprocess.CompletedProcess[str]) -> str:
    if answer.returncode == -getattr(signal, "SIGXCPU", 0):
        return f"no result within {CPU_SECONDS} s of CPU time"
    last = answer.stderr.strip().splitlines()[-1:]
    return last[0] if last else f"exit status {answer.returncode}"


@contextmanager
def saved_dataset(dataset: Dataset) -> Iterator[Path]:
    """Save a data set in a temporary folder, for the processes that check mutants.

    Parameters
    ----------
    dataset : Dataset
        The data set.

    Yields
    ------
    folder : Path
        Contains one ``.npy`` file per array. It is removed at the end.
    """
    with TemporaryDirectory(prefix="nnkernels-mutants-") as folder:
        for name in PARTS:
            np.save(Path(folder, f"{name}.npy"), getattr(dataset, name))
        yield Path(folder)
