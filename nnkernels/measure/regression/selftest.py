"""A self-test of the check: its false-alarm rate, and its power for slowdowns of known size.

Each check compares the working tree with its own commit, so there is no difference except an injected slowdown.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError
from nnkernels.measure.records import provenance
from nnkernels.measure.regression.base_worktree import changed_files
from nnkernels.measure.regression.check import PACKAGE_FOLDER, run_check
from nnkernels.measure.regression.comparisons import SCENARIOS, choose
from nnkernels.measure.regression.figures import injected
from nnkernels.measure.regression.measuring import Plan, ShowProgress
from nnkernels.measure.regression.neighbour import busy_neighbour
from nnkernels.measure.regression.record import CheckRecord, read_record, write_record

FOLDER = Path("results", "selftest")  # in a checkout, with a subfolder per machine

# Injected slowdowns, as values of `repeat_every`: one extra batch after that many batches, or 0 for no slowdown. Checks
# cycle through them, so a self-test that is stopped early still has some checks of each kind. With a busy neighbour,
# small slowdowns are rarely resolved, so only larger ones are injected.
CYCLE = (0, 50, 0, 33, 0, 20, 0, 100, 0, 10, 0, 5, 0, 2)
NEIGHBOUR_CYCLE = (0, 20, 0, 10)


def run_selftest(
    root: Path,
    results: Path,
    dataset: Dataset,
    backends: Sequence[str],
    plan: Plan,
    minutes: float,
    neighbour: bool = False,
    unchanged: bool = False,
    show_progress: ShowProgress = lambda _: None,
) -> Path:
    """Continue the self-test of this machine. Each check is written to a file when it is complete.

    Parameters
    ----------
    root : Path
        The working tree, whose package must not differ from its commit.
    results : Path
        The folder of self-tests, with a subfolder per machine.
    dataset : Dataset
        Training and test images.
    backends : sequence of str
        Names of the backends; empty for the default ones.
    plan : Plan
        Duration and resolution of each check.
    minutes : float
        Time after which no further check is started. At least one check is run.
    neighbour : bool
        Whether to run a busy neighbour during the checks.
    unchanged : bool
        Whether to inject no slowdown in any check.
    show_progress : callable
        ``show_progress(text)``; called with progress messages.

    Returns
    -------
    folder : Path
        The folder of this machine's checks.

    Raises
    ------
    ConfigurationError
        If the package has uncommitted changes, or if the existing checks use another method or data set.
    """
    if changed := changed_files(root, "HEAD", PACKAGE_FOLDER):
        raise ConfigurationError(
            f"the self-test compares a commit with itself, but {', '.join(changed[:5])} differs from HEAD: commit or "
            "revert the changes first"
        )
    folder = results / provenance.machine_name()
    require_same_method(folder, plan, dataset.name)
    deadline = time.monotonic() + 60 * minutes
    slowdowns = itertools.repeat(0) if unchanged else _next_slowdowns(load_records(folder), neighbour)
    for repeat_every in slowdowns:
        show_progress(f"injecting a slowdown of {1 / repeat_every:.0%}" if repeat_every else "injecting no slowdown")
        scenarios = [name for name, one in SCENARIOS.items() if one.kind == "train" or not repeat_every]
        comparisons = choose(backends, scenarios, repeat_every)
        with busy_neighbour() if neighbour else nullcontext():
            record = run_check(
                root, "HEAD", dataset, comparisons, plan, neighbour=neighbour, show_progress=show_progress
            )
        write_record(folder / _file_name(record), record)
        if time.monotonic() >= deadline:
            break
    return folder


def require_same_method(folder: Path, plan: Plan, dataset: str) -> None:
    """Check that the records in a folder can be combined with new ones.

    Parameters
    ----------
    folder : Path
        A machine's folder of checks.
    plan : Plan
        Duration and resolution of the new checks.
    dataset : str
        Name of their data set.

    Raises
    ------
    ConfigurationError
        If the method or the data set of a record differs.
    ResultsError
        If a record is damaged.
    """
    for record in load_records(folder):
        if record.dataset != dataset:
            raise ConfigurationError(
                f"{folder} contains checks on {record.dataset}, which cannot be combined with checks on {dataset}: "
                "choose another folder"
            )
        # The error of a check does not depend on its time limit.
        there, here = ({**method, "minutes": None} for method in (record.method, plan.method()))
        if there != here:
            differing = [
                f"{key} is {there.get(key)} there and {value} here"
                for key, value in here.items()
                if there.get(key) != value
            ]
            raise ConfigurationError(
                f"{folder} contains checks with different settings ({'; '.join(differing) or 'some are unknown here'}"
                "), which cannot be combined: delete them, or choose another folder"
            )


def load_records(folder: Path) -> list[CheckRecord]:
    """Read the checks of a machine.

    Parameters
    ----------
    folder : Path
        The machine's folder.

    Returns
    -------
    records : list of CheckRecord
        Oldest first.

    Raises
    ------
    ResultsError
        If a record is damaged.
    """
    return [read_record(path) for path in sorted(folder.glob("*.json"))]


def load_machines(results: Path) -> list[CheckRecord]:
    """Read the checks of all machines.

    Parameters
    ----------
    results : Path
        The folder of self-tests, with a subfolder per machine.

    Returns
    -------
    records : list of CheckRecord
        Ordered by machine, oldest first.

    Raises
    ------
    ResultsError
        If a record is damaged.
    """
    return [record for folder in sorted(results.glob("*")) if folder.is_dir() for record in load_records(folder)]


def _next_slowdowns(records: Sequence[CheckRecord], neighbour: bool) -> Iterator[int]:
    """Yield the injected slowdown of each further check, continuing the cycle."""
    cycle = NEIGHBOUR_CYCLE if neighbour else CYCLE
    done = sum(record.neighbour == neighbour for record in records)
    while True:
        yield cycle[done % len(cycle)]
        done += 1


def _file_name(record: CheckRecord) -> str:
    at = "".join(character for character in record.recorded_at[:19] if character.isalnum())
    return f"{at}Z-{'neighbour' if record.neighbour else 'quiet'}-{100 * injected(record):.0f}-percent.json"
