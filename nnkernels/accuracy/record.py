"""The folder of a recorded accuracy run: the results of its trainings, paired epochs, and the provenance."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from nnkernels.accuracy.paired_epochs import LABELS, SCENARIO
from nnkernels.errors import ConfigurationError, DataError, ResultsError
from nnkernels.files import write_json
from nnkernels.measure.records.conformance import check_origin, conforming
from nnkernels.measure.records.run import read_interleaved, write_interleaved
from nnkernels.measure.records.versioned import read_versioned
from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.recipes import recipe_from_record
from nnkernels.sweep.results import Row, SweepFolder

VERSION = 1
FOLDER = Path("results", "accuracy")
RECORD, EPOCHS = "run.json", "epochs.json"
REMEDY = "the run is incomplete: restore it from git or delete its folder"


@dataclass(frozen=True)
class AccuracyRecord:
    """The description of an accuracy run.

    Attributes
    ----------
    run_id : str
        UTC time of the start and the first digits of the commit. Runs are sorted by it.
    unrecorded : str
        Why the run is not among the recorded ones; empty if it is.
    recorded_at : str
        UTC time of the start, ISO 8601.
    commit : str
        Full hash of the commit.
    machine, dataset : str
        Names of the machine and of the data set.
    recipes : list of dict
        The accurate recipes, with their values.
    width_recipe : dict
        The recipe of the width study.
    workers : int
        Number of trainings at the same time, with one thread each.
    provenance : dict
        See ``nnkernels.measure.records.provenance``.
    seconds : dict of str to float
        The duration of each stage so far, over all times that the run was continued.
    """

    run_id: str
    unrecorded: str
    recorded_at: str
    commit: str
    machine: str
    dataset: str
    recipes: list[dict[str, Any]]
    width_recipe: dict[str, Any]
    workers: int
    provenance: dict[str, Any]
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class AccuracyRun:
    """A recorded accuracy run.

    Attributes
    ----------
    folder : Path
        Its folder.
    record : AccuracyRecord
        Its description.
    rows : list of dict
        The results of its trainings, as those of a sweep.
    epochs : list of InterleavedRun
        The paired epochs, one entry per process.
    """

    folder: Path
    record: AccuracyRecord
    rows: list[Row]
    epochs: list[InterleavedRun]


def write_record(folder: Path, record: AccuracyRecord) -> None:
    """Write the description of a run.

    Parameters
    ----------
    folder : Path
        The folder of the run.
    record : AccuracyRecord
        The description.
    """
    write_json(folder / RECORD, {"version": VERSION, **asdict(record)})


def read_record(folder: Path) -> AccuracyRecord:
    """Read the description of a run.

    Parameters
    ----------
    folder : Path
        The folder of the run.

    Returns
    -------
    record : AccuracyRecord
        The description.

    Raises
    ------
    ResultsError
        If the file is missing, damaged, or has another format version.
    """
    return read_versioned(folder / RECORD, VERSION, _record_from, REMEDY)


def write_epochs(folder: Path, epochs: list[InterleavedRun]) -> None:
    """Write the paired epochs of a run.

    Parameters
    ----------
    folder : Path
        The folder of the run.
    epochs : list of InterleavedRun
        One entry per process.
    """
    write_interleaved(folder / EPOCHS, "processes", epochs)


def read_epochs(folder: Path) -> list[InterleavedRun]:
    """Read the paired epochs of a run.

    Parameters
    ----------
    folder : Path
        The folder of the run.

    Returns
    -------
    epochs : list of InterleavedRun
        One entry per process; empty if none are measured yet.

    Raises
    ------
    ResultsError
        If the file is damaged or has another format version.
    """
    if not (folder / EPOCHS).exists():
        return []
    epochs = read_interleaved(folder / EPOCHS, "processes")
    for measured in epochs:
        if not set(LABELS) <= measured.seconds.get(SCENARIO, {}).keys():
            raise ResultsError(f"{folder / EPOCHS}: lacks times of {' or '.join(LABELS)}; {REMEDY}")
    return epochs


def read_accuracy_run(folder: Path) -> AccuracyRun:
    """Read a recorded run.

    Parameters
    ----------
    folder : Path
        The folder of the run.

    Returns
    -------
    run : AccuracyRun
        The run.

    Raises
    ------
    ResultsError
        If a file is missing, damaged, or has another format version.
    """
    record = read_record(folder)
    try:
        rows = list(SweepFolder(folder).rows.values())
    except DataError as error:
        raise ResultsError(f"{folder}: has a damaged result ({error}); {REMEDY}") from error
    return AccuracyRun(folder, record, rows, read_epochs(folder))


def run_folders(root: Path) -> list[Path]:
    """Return the folders of all recorded accuracy runs of a checkout.

    Parameters
    ----------
    root : Path
        The root of the checkout.

    Returns
    -------
    folders : list of Path
        Oldest first.
    """
    return sorted(path.parent for path in (root / FOLDER).glob(f"*/{RECORD}"))


def _record_from(content: dict[str, Any]) -> AccuracyRecord:
    record = conforming(AccuracyRecord(**content))
    check_origin(record.provenance)
    datetime.fromisoformat(record.recorded_at)
    try:
        for recipe in (*record.recipes, record.width_recipe):
            recipe_from_record(recipe)
    except ConfigurationError as error:
        raise ValueError(str(error)) from error
    return record
