"""Runs as versioned JSON files. They contain what asv's own files cannot: interleaved runs and provenance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nnkernels.errors import ResultsError, one_line
from nnkernels.files import MALFORMED, read_json, write_json
from nnkernels.measure.records.conformance import check_asv_results, check_provenance, conforming
from nnkernels.measure.records.versioned import read_versioned
from nnkernels.measure.timing.interleaved_run import InterleavedRun

VERSION = 2
STEPS_FILE = "steps.json"
REMEDY = "the run is incomplete: restore it from git or delete its folder"


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
        write_interleaved(folder / STEPS_FILE, "steps", steps)
    write_json(folder / "asv.json", _finite(asv_results))
    write_interleaved(folder / "panels.json", "panels", interleaved)
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
    record = read_versioned(folder / "run.json", VERSION, _record_from, REMEDY)
    return record, read_interleaved(folder / "panels.json", "panels"), _read_asv(folder / "asv.json")


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
    return read_interleaved(path, "steps")


def write_interleaved(path: Path, key: str, interleaved: Sequence[InterleavedRun]) -> None:
    """Write interleaved runs to one file.

    Parameters
    ----------
    path : Path
        The file.
    key : str
        The name of the list in the file.
    interleaved : sequence of InterleavedRun
        One per process.
    """
    write_json(path, {"version": VERSION, key: [asdict(one) for one in interleaved]})


def read_interleaved(path: Path, key: str) -> list[InterleavedRun]:
    """Read the interleaved runs of one file.

    Parameters
    ----------
    path : Path
        The file.
    key : str
        The name of the list in the file.

    Returns
    -------
    interleaved : list of InterleavedRun
        One per process.

    Raises
    ------
    ResultsError
        If the file is missing, damaged, or has another format version.
    """
    return read_versioned(
        path, VERSION, lambda content: [_interleaved_from(measured) for measured in content[key]], REMEDY
    )


def _record_from(content: dict[str, Any]) -> RunRecord:
    record = conforming(RunRecord(**content))
    check_provenance(record.provenance)
    datetime.fromisoformat(record.recorded_at)
    return record


def _interleaved_from(content: dict[str, Any]) -> InterleavedRun:
    measured = conforming(InterleavedRun(**content))
    for scenario, seconds in measured.seconds.items():
        if len({len(rounds) for rounds in seconds.values()}) > 1:
            raise ValueError(f"{scenario}: the labels have different numbers of rounds")
        for label, rounds in seconds.items():
            if not rounds or not all(rounds) or not all(value > 0 for values in rounds for value in values):
                raise ValueError(f"{scenario}: {label} needs rounds of positive numbers")
            if len({len(values) for values in rounds}) > 1:
                raise ValueError(f"{scenario}: {label} has rounds of different lengths")
        measured.judged(scenario)  # fails if the turns do not fit the seconds
    return measured


def _read_asv(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = read_json(path)
        check_asv_results(content)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read ({error.strerror}); {REMEDY}") from error
    except MALFORMED as error:
        raise ResultsError(f"{path}: damaged, {one_line(error)[:300]}; {REMEDY}") from error
    return content


def _finite(value: Any) -> Any:
    # asv writes NaN for "not measured" and infinities for "unbounded". JSON has neither, so they become null.
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
