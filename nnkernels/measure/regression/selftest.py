"""The check, checked: how often it raises a false alarm, and how large a slowdown has to be for it to be found.

Each check is that of the working tree against its own commit, so that nothing is slower but for what is injected.
"""

from __future__ import annotations

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
from nnkernels.measure.regression.measuring import Plan, Tell
from nnkernels.measure.regression.neighbour import busy_neighbour
from nnkernels.measure.regression.record import CheckRecord, read_record, write_record

FOLDER = Path("results", "selftest")  # of a checkout; each machine has a folder in it

# The tree does one batch more for each so many; 0: none. Checks go round, so that a self-test that is stopped has some
# of each.
ROUND = (0, 50, 0, 33, 0, 20, 0, 100, 0, 10, 0, 5, 0, 2)


def run_selftest(
    root: Path,
    results: Path,
    dataset: Dataset,
    backends: Sequence[str],
    plan: Plan,
    minutes: float,
    neighbour: bool = False,
    tell: Tell = lambda _: None,
) -> Path:
    """Go on with the self-test of this machine for some minutes; each check is a file as soon as it is over.

    Parameters
    ----------
    root : Path
        The working tree; its package has to be that of its commit.
    results : Path
        The folder of self-tests; each machine has a folder in it.
    minutes : float
        After which no check is begun; at least one is.
    neighbour : bool
        Whether a busy neighbour runs beside the checks.

    Returns
    -------
    folder : Path
        Of this machine's checks.

    Raises
    ------
    ConfigurationError
        If the package has changes, or the checks so far are by another method or of another data set.
    """
    if changed := changed_files(root, "HEAD", PACKAGE_FOLDER):
        raise ConfigurationError(
            f"the self-test compares a commit with itself, and {', '.join(changed[:5])} differs from HEAD: commit or "
            "undo the changes first"
        )
    folder = results / provenance.machine_name()
    require_same_method(folder, plan, dataset.name)
    ends = time.monotonic() + 60 * minutes
    for repeat_every in _to_come(load_records(folder), neighbour):
        tell(f"a slowdown of {1 / repeat_every:.0%}" if repeat_every else "nothing slower")
        scenarios = [name for name, one in SCENARIOS.items() if one.kind == "train" or not repeat_every]
        comparisons = choose(backends, scenarios, repeat_every)
        with busy_neighbour() if neighbour else nullcontext():
            record = run_check(root, "HEAD", dataset, comparisons, plan, neighbour=neighbour, tell=tell)
        write_record(folder / _file_name(record), record)
        if time.monotonic() >= ends:
            break
    return folder


def require_same_method(folder: Path, plan: Plan, dataset: str) -> None:
    """Raise ConfigurationError if a folder holds a check by another method than the plan's, or of other data."""
    for record in load_records(folder):
        if record.dataset != dataset:
            raise ConfigurationError(
                f"{folder} holds checks on {record.dataset}, which are never put together with those on {dataset}: "
                "choose another folder"
            )
        if record.method != plan.method():
            differing = [
                f"{key} {record.method.get(key)} there, {value} here"
                for key, value in plan.method().items()
                if record.method.get(key) != value
            ]
            raise ConfigurationError(
                f"{folder} holds checks by another method ({'; '.join(differing) or 'more is recorded there'}), which "
                "are never put together with others: delete them, or choose another folder"
            )


def load_records(folder: Path) -> list[CheckRecord]:
    """Return the checks of a machine's folder, oldest first; raises ResultsError if one is damaged."""
    return [read_record(path) for path in sorted(folder.glob("*.json"))]


def load_machines(results: Path) -> list[CheckRecord]:
    """Return the checks of every machine's folder; raises ResultsError if one is damaged."""
    return [record for folder in sorted(results.glob("*")) if folder.is_dir() for record in load_records(folder)]


def _to_come(records: Sequence[CheckRecord], neighbour: bool) -> Iterator[int]:
    """Yield what each check to come injects: the round goes on where it was."""
    done = sum(record.neighbour == neighbour for record in records)
    while True:
        yield ROUND[done % len(ROUND)]
        done += 1


def _file_name(record: CheckRecord) -> str:
    at = "".join(character for character in record.recorded_at[:19] if character.isalnum())
    return f"{at}Z-{'neighbour' if record.neighbour else 'quiet'}-{100 * injected(record):.0f}-percent.json"
