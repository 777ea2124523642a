"""A check as a file: all its raw samples, and what was compared where; what it found is derived from them anew."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nnkernels.files import write_text
from nnkernels.measure.records.versioned import read_versioned
from nnkernels.measure.regression.comparisons import Comparison
from nnkernels.measure.regression.pairs import Pair

VERSION = 1


@dataclass(frozen=True)
class CheckRecord:
    """What a check measured.

    Attributes
    ----------
    recorded_at : str
        UTC, ISO 8601.
    method : dict
        See :meth:`nnkernels.measure.regression.measuring.Plan.method`.
    error : float
        The probability of a false alarm of each comparison.
    base, tree : str
        The commit of the base, and that of the working tree, with what is changed in it.
    machine, dataset : str
    neighbour : bool
        Whether a busy neighbour was started beside it.
    seconds : float
        It took, compiling included.
    comparisons : list of Comparison
    pairs : list of Pair
    provenance : dict
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
    """Return the time of a record."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write_record(path: Path, record: CheckRecord) -> None:
    """Write a check all or nothing."""
    content = {"version": VERSION, **asdict(record)}
    write_text(path, json.dumps(content, allow_nan=False, separators=(",", ":")) + "\n")


def read_record(path: Path) -> CheckRecord:
    """Read what :func:`write_record` wrote.

    Raises
    ------
    ResultsError
        If the file is missing, damaged, or of another version.
    """
    return read_versioned(path, VERSION, _record_from, "restore it from git or delete it")


def _record_from(content: dict[str, Any]) -> CheckRecord:
    content["comparisons"] = [Comparison(**one) for one in content["comparisons"]]
    content["pairs"] = [Pair(**one) for one in content["pairs"]]
    return CheckRecord(**content)
