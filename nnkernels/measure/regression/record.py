"""The record of a check: a JSON file with all raw samples, from which its result is derived."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nnkernels.files import write_text
from nnkernels.measure.records.conformance import check_method, conforming
from nnkernels.measure.records.versioned import read_versioned
from nnkernels.measure.regression.comparisons import Comparison
from nnkernels.measure.regression.pairs import SIDES, Pair

VERSION = 1


@dataclass(frozen=True)
class CheckRecord:
    """The measurements of a check.

    Attributes
    ----------
    recorded_at : str
        UTC time, ISO 8601.
    method : dict
        See :meth:`nnkernels.measure.regression.measuring.Plan.method`.
    error : float
        Probability of a false alarm of each comparison.
    base, tree : str
        Commit of the base, and commit of the working tree with the list of changed files.
    machine, dataset : str
        Names of the machine and of the data set.
    neighbour : bool
        Whether a busy neighbour was running.
    seconds : float
        Duration, including compilation.
    comparisons : sequence of Comparison
        What was compared.
    pairs : sequence of Pair
        The raw samples.
    provenance : dict
        See ``nnkernels.measure.records.provenance``.
    """

    recorded_at: str
    method: dict[str, Any]
    error: float
    base: str
    tree: str
    machine: str
    dataset: str
    neighbour: bool
    seconds: float
    comparisons: Sequence[Comparison]
    pairs: Sequence[Pair]
    provenance: dict[str, Any] = field(default_factory=dict)


def now() -> str:
    """Return the current time in the form of a record.

    Returns
    -------
    time : str
        UTC time, ISO 8601.
    """
    return datetime.now(UTC).isoformat(timespec="seconds")


def write_record(path: Path, record: CheckRecord) -> None:
    """Write the record of a check atomically.

    Parameters
    ----------
    path : Path
        The file.
    record : CheckRecord
        The record.
    """
    content = {"version": VERSION, **asdict(record)}
    write_text(path, json.dumps(content, allow_nan=False, separators=(",", ":")) + "\n")


def read_record(path: Path) -> CheckRecord:
    """Read a file written by :func:`write_record`.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    record : CheckRecord
        Its content.

    Raises
    ------
    ResultsError
        If the file is missing, damaged, or has another format version.
    """
    return read_versioned(path, VERSION, _record_from, "restore it from git or delete it")


def _record_from(content: dict[str, Any]) -> CheckRecord:
    content["comparisons"] = [conforming(Comparison(**one)) for one in content["comparisons"]]
    content["pairs"] = [conforming(Pair(**one)) for one in content["pairs"]]
    record = conforming(CheckRecord(**content))
    check_method(record.method)
    datetime.fromisoformat(record.recorded_at)
    if not record.comparisons or not 0 < record.error < 1:
        raise ValueError("it has no comparisons, or an impossible probability of error")
    for pair in record.pairs:
        for name, times in pair.nanoseconds.items():  # comparisons that were resolved before are absent
            base, tree = (times[side] for side in SIDES)
            if not base or len(base) != len(tree) or not 0 < min(*base, *tree) <= max(*base, *tree) < 2**63:
                raise ValueError(f"{name}: needs as many positive times of the base as of the tree")
    return record
