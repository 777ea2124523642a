"""Runs as versioned JSON files. They contain what asv's own files cannot: interleaved runs and provenance."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nnkernels.errors import ResultsError
from nnkernels.files import write_json
from nnkernels.measure.timing.interleaved_run import InterleavedRun

VERSION = 2
STEPS_FILE = "steps.json"


@dataclass(frozen=True)
class RunRecord:
    """The description of a run, without its numbers.

    Attributes
    ----------
    run_id : str
        UTC time of the start and the first digits of the commit. Runs are sorted by it.
    unrecorded : str
        Why the run is not part of the history; empty if it is.
    recorded_at : str
        UTC time of the start, ISO 8601.
    commit : str
        Full hash of the commit.
    machine, dataset : str
        Names of the machine and of the data set.
    contenders : list of str
        The contenders that were measured.
    not_installed : dict
        Known contenders that are not installed, each with the command that installs it.
    profile : str
        ``quick``, ``headline``, ``standard`` or ``full``.
    threads : list of str
        The measured thread settings, of ``1`` and ``all``.
    passes : int
        Number of complete passes. Each runs its benchmarks in fresh processes.
    planned_passes : int
        Number of planned passes; larger than ``passes`` if the run was interrupted.
    provenance : dict
        See ``nnkernels.measure.records.provenance``.
    """

    run_id: str
    unrecorded: str
    recorded_at: str
    commit: str
    machine: str
    dataset: str
    contenders: list[str]
    not_installed: dict[str, str]
    profile: str
    threads: list[str]
    passes: int
    planned_passes: int
    provenance: dict[str, Any]


def interleaved_file(folder: str | Path) -> Path:
    """Return a new, unique path for an interleaved run.

    Parameters
    ----------
    folder : str or Path
        The folder of interleaved runs.

    Returns
    -------
    path : Path
        A file that does not exist yet.
    """
    return Path(folder) / f"panel-{uuid.uuid4().hex}.json"


def save_interleaved(measured: InterleavedRun, path: Path) -> None:
    """Write an interleaved run, complete or not. An earlier state of it is replaced.

    Parameters
    ----------
    measured : InterleavedRun
        The measurements so far.
    path : Path
        The file.
    """
    write_json(path, asdict(measured))


def steps_file(folder: str | Path) -> Path:
    """Return a new, unique path for an interleaved run of the steps from naive to fast.

    These are stored separately from those of contenders, because steps do not appear in tables of contenders.

    Parameters
    ----------
    folder : str or Path
        The folder of records.

    Returns
    -------
    path : Path
        A file that does not exist yet.
    """
    return Path(folder) / f"steps-{uuid.uuid4().hex}.json"


def load_steps(folder: Path) -> list[InterleavedRun]:
    """Read the interleaved runs of the steps in a folder of records.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    steps : list of InterleavedRun
        One per process.
    """
    return [read_interleaved(path) for path in sorted(folder.glob("steps-*.json"))]


def interleaved_files(folder: Path) -> list[Path]:
    """Return the files of the interleaved runs in a folder.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    paths : list of Path
        Sorted by name.
    """
    return sorted(folder.glob("panel-*.json"))


def read_interleaved(path: Path) -> InterleavedRun:
    """Read an interleaved run.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    measured : InterleavedRun
        Its content.
    """
    return InterleavedRun(**json.loads(path.read_text("utf-8")))


def load_interleaved(folder: Path) -> list[InterleavedRun]:
    """Read all interleaved runs in a folder.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    interleaved : list of InterleavedRun
        One per process.
    """
    return [read_interleaved(path) for path in interleaved_files(folder)]


def save_keras(in_use: dict[str, Any], folder: str | Path) -> None:
    """Add a configuration of Keras to a folder of interleaved runs.

    Parameters
    ----------
    in_use : dict
        The configuration of Keras in this process.
    folder : str or Path
        The folder.
    """
    write_json(Path(folder) / f"keras-{uuid.uuid4().hex}.json", in_use)


def load_keras(folders: Iterable[Path]) -> list[dict[str, Any]]:
    """Return the configurations of Keras in some folders, without duplicates.

    Parameters
    ----------
    folders : iterable of Path
        The folders.

    Returns
    -------
    configurations : list of dict
        As written by :func:`save_keras`.
    """
    files = sorted(path.read_text("utf-8") for folder in folders for path in folder.glob("keras-*.json"))
    return [json.loads(content) for content in dict.fromkeys(files)]


def write_run(
    folder: Path,
    record: RunRecord,
    interleaved: list[InterleavedRun],
    asv_results: dict[str, Any],
    steps: Sequence[InterleavedRun] = (),
) -> None:
    """Write the files of a run. ``run.json`` is written last, so a folder without it is an incomplete run.

    Parameters
    ----------
    folder : Path
        The folder of the run.
    record : RunRecord
        Description of the run.
    interleaved : list of InterleavedRun
        Times of contenders.
    asv_results : dict
        Results of asv. NaN and infinities become null.
    steps : sequence of InterleavedRun
        Times of the steps. ``steps.json`` is written only if there are any.
    """
    if steps:
        write_json(folder / STEPS_FILE, {"version": VERSION, "steps": [asdict(one) for one in steps]})
    write_json(folder / "asv.json", _finite(asv_results))
    write_json(folder / "panels.json", {"version": VERSION, "panels": [asdict(one) for one in interleaved]})
    write_json(folder / "run.json", {"version": VERSION, **asdict(record)})


def read_run(folder: Path) -> tuple[RunRecord, list[InterleavedRun], dict[str, Any]]:
    """Read a run written by :func:`write_run`.

    Parameters
    ----------
    folder : Path
        The folder of the run.

    Returns
    -------
    record : RunRecord
        Description of the run.
    interleaved : list of InterleavedRun
        Times of contenders.
    asv_results : dict
        Results of asv.

    Raises
    ------
    ResultsError
        If a file is missing, damaged, or has another format version.
    """
    record, panels, asv_results = (_read(folder / name) for name in ("run.json", "panels.json", "asv.json"))
    try:
        version = record.pop("version")
        if version != VERSION:
            raise ResultsError(f"{folder}: has version {version}; this nnkernels reads {VERSION}: use another release")
        return RunRecord(**record), [InterleavedRun(**measured) for measured in panels["panels"]], asv_results
    except (TypeError, KeyError) as error:
        raise ResultsError(f"{folder}: damaged, {error}; restore it from git or delete the folder") from error


def read_steps(folder: Path) -> list[InterleavedRun]:
    """Read the times of the steps from naive to fast.

    Parameters
    ----------
    folder : Path
        The folder of the run.

    Returns
    -------
    steps : list of InterleavedRun
        One per process; empty if the run has not timed the steps.

    Raises
    ------
    ResultsError
        If the file is damaged or has another format version.
    """
    path = folder / STEPS_FILE
    if not path.exists():
        return []
    content = _read(path)
    try:
        if content["version"] != VERSION:
            raise ResultsError(
                f"{path}: has version {content['version']}; this nnkernels reads {VERSION}: use another release"
            )
        return [InterleavedRun(**measured) for measured in content["steps"]]
    except (TypeError, KeyError) as error:
        raise ResultsError(f"{path}: damaged, {error}; restore it from git or delete the folder") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read ({error.strerror}); the run is incomplete") from error
    except ValueError as error:
        raise ResultsError(f"{path}: damaged, {error}; restore it from git or delete its folder") from error
    if not isinstance(content, dict):
        raise ResultsError(f"{path}: damaged, expected a JSON object; restore it from git or delete its folder")
    return content


def _finite(value: Any) -> Any:
    # asv writes NaN for "not measured" and infinities for "unbounded". JSON has neither, so they become null.
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
