"""Interleaved runs and run records as JSON files, versioned: what asv's own files cannot hold."""

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
    """What is known of a run beside its numbers.

    Attributes
    ----------
    run_id : str
        UTC time of its start and head of the commit; runs sort by it.
    unrecorded : str
        Why it is no part of the history, only shown; empty if it is.
    contenders : list of str
        Those that were measured.
    not_installed : dict
        Contenders that are known and not installed, each with the command that installs it.
    profile : str
        ``quick``, ``headline``, ``standard`` or ``full``.
    threads : list of str
        Thread settings that were measured, of ``1`` and ``all``.
    passes : int
        Complete passes; each is a fresh process of every benchmark in it.
    planned_passes : int
        Passes that were planned; more than ``passes`` if the run was interrupted.
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
    """Return the path of a new interleaved run in a folder of them, under a name of its own."""
    return Path(folder) / f"panel-{uuid.uuid4().hex}.json"


def save_interleaved(measured: InterleavedRun, path: Path) -> None:
    """Write an interleaved run, or what there is of it, in place of an earlier state of it."""
    write_json(path, asdict(measured))


def steps_file(folder: str | Path) -> Path:
    """Return the path of a new interleaved run of the steps from naive to fast, in a folder of records.

    They are kept apart from those of contenders: a step is no row of any table of them.
    """
    return Path(folder) / f"steps-{uuid.uuid4().hex}.json"


def load_steps(folder: Path) -> list[InterleavedRun]:
    """Return the interleaved runs of the steps in a folder of records."""
    return [read_interleaved(path) for path in sorted(folder.glob("steps-*.json"))]


def interleaved_files(folder: Path) -> list[Path]:
    """Return the files of the interleaved runs in a folder of them."""
    return sorted(folder.glob("panel-*.json"))


def read_interleaved(path: Path) -> InterleavedRun:
    """Return the interleaved run of a file."""
    return InterleavedRun(**json.loads(path.read_text("utf-8")))


def load_interleaved(folder: Path) -> list[InterleavedRun]:
    """Return all interleaved runs of a folder of them."""
    return [read_interleaved(path) for path in interleaved_files(folder)]


def save_keras(in_use: dict[str, Any], folder: str | Path) -> None:
    """Add what Keras is set to in this process to a folder of interleaved runs."""
    write_json(Path(folder) / f"keras-{uuid.uuid4().hex}.json", in_use)


def load_keras(folders: Iterable[Path]) -> list[dict[str, Any]]:
    """Return what Keras was set to in the processes that wrote into these folders, each once."""
    files = sorted(path.read_text("utf-8") for folder in folders for path in folder.glob("keras-*.json"))
    return [json.loads(content) for content in dict.fromkeys(files)]


def write_run(
    folder: Path,
    record: RunRecord,
    interleaved: list[InterleavedRun],
    asv_results: dict[str, Any],
    steps: Sequence[InterleavedRun] = (),
) -> None:
    """Write a run's files: ``run.json`` last, so that a run without it is known to be incomplete.

    ``steps.json`` is only written if the run has timed the steps.
    """
    if steps:
        write_json(folder / STEPS_FILE, {"version": VERSION, "steps": [asdict(one) for one in steps]})
    write_json(folder / "asv.json", _finite(asv_results))
    write_json(folder / "panels.json", {"version": VERSION, "panels": [asdict(one) for one in interleaved]})
    write_json(folder / "run.json", {"version": VERSION, **asdict(record)})


def read_run(folder: Path) -> tuple[RunRecord, list[InterleavedRun], dict[str, Any]]:
    """Read what :func:`write_run` wrote.

    Raises
    ------
    ResultsError
        If a file is missing, damaged, or of another version.
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
    """Read what a run has timed of the steps from naive to fast, one a process; nothing if it has not timed them.

    Raises
    ------
    ResultsError
        If the file is damaged or of another version.
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
    # asv writes NaN for "not measured" and infinities for "unbounded", which are not JSON; null says the same.
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
