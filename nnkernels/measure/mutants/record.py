"""The recorded score of the mutants: one JSON file, versioned, with where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError
from nnkernels.files import write_json
from nnkernels.measure.asv_driver.workspace import Workspace
from nnkernels.measure.mutants.gates import Verdict
from nnkernels.measure.mutants.score import Judged
from nnkernels.measure.records import provenance
from nnkernels.measure.records.versioned import read_versioned

VERSION = 1
FILE = Path("results", "selftest", "mutants.json")


@dataclass(frozen=True)
class Score:
    """All mutants with their verdicts, and where these come from.

    Attributes
    ----------
    recorded_at : str
        UTC.
    commit : str
    provenance : dict
        See ``nnkernels.measure.records.provenance``.
    mutants : tuple of Judged
    """

    recorded_at: str
    commit: str
    provenance: dict[str, Any]
    mutants: tuple[Judged, ...]


def require_recordable(workspace: Workspace) -> None:
    """Check that a score would belong to a commit.

    Raises
    ------
    ConfigurationError
        If it would not.
    """
    if workspace.unrecorded:
        raise ConfigurationError(
            f"the score would not be recorded: {workspace.unrecorded}. Commit first, or leave --record away"
        )


def write_score(workspace: Workspace, judged: Sequence[Judged], dataset: Dataset) -> Score:
    """Write the score of the whole catalogue into the checkout; return it."""
    score = Score(
        recorded_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        commit=workspace.commit,
        provenance=provenance.collect(dataset, timed=True),
        mutants=tuple(judged),
    )
    write_json(workspace.root / FILE, {"version": VERSION, **asdict(score)})
    return score


def read_score(path: Path) -> Score:
    """Read what :func:`write_score` wrote.

    Raises
    ------
    ResultsError
        If the file is missing, damaged, or of another version.
    """
    return read_versioned(path, VERSION, _score_from, "`nnkernels verify --mutants --record` writes it")


def _score_from(content: dict[str, Any]) -> Score:
    mutants = []
    for entry in content.pop("mutants"):
        verdicts = tuple(Verdict(**verdict) for verdict in entry.pop("verdicts"))
        mutants.append(Judged(verdicts=verdicts, **entry))
    return Score(mutants=tuple(mutants), **content)
