"""The recorded mutation score: one JSON file with a format version and its provenance."""

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
from nnkernels.measure.mutants.gates import CHECKS, Verdict
from nnkernels.measure.mutants.score import Judged
from nnkernels.measure.records import provenance
from nnkernels.measure.records.conformance import check_origin, conforming
from nnkernels.measure.records.versioned import read_versioned

VERSION = 1
FILE = Path("results", "selftest", "mutants.json")


@dataclass(frozen=True)
class Score:
    """The verdicts of all mutants, with their provenance.

    Attributes
    ----------
    recorded_at : str
        UTC time, ISO 8601.
    commit : str
        Hash of the commit.
    provenance : dict
        See ``nnkernels.measure.records.provenance``.
    mutants : tuple of Judged
        All mutants of the catalogue with their verdicts.
    """

    recorded_at: str
    commit: str
    provenance: dict[str, Any]
    mutants: tuple[Judged, ...]


def require_recordable(workspace: Workspace) -> None:
    """Check that a score would belong to a commit.

    Parameters
    ----------
    workspace : Workspace
        The checkout.

    Raises
    ------
    ConfigurationError
        If the tree has uncommitted changes or is not a git checkout.
    """
    if workspace.unrecorded:
        raise ConfigurationError(
            f"the score cannot be recorded: {workspace.unrecorded}. Commit the changes first, or omit --record"
        )


def write_score(workspace: Workspace, judged: Sequence[Judged], dataset: Dataset) -> Score:
    """Write the score of the whole catalogue into the checkout.

    Parameters
    ----------
    workspace : Workspace
        The checkout.
    judged : sequence of Judged
        All mutants with their verdicts.
    dataset : Dataset
        The data set of the checks.

    Returns
    -------
    score : Score
        What was written.
    """
    score = Score(
        recorded_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        commit=workspace.commit,
        provenance=provenance.collect(dataset, timed=True),
        mutants=tuple(judged),
    )
    write_json(workspace.root / FILE, {"version": VERSION, **asdict(score)})
    return score


def read_score(path: Path) -> Score:
    """Read a file written by :func:`write_score`.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    score : Score
        Its content.

    Raises
    ------
    ResultsError
        If the file is missing, damaged, or has another format version.
    """
    return read_versioned(path, VERSION, _score_from, "`nnkernels verify --mutants --record` writes it")


def _score_from(content: dict[str, Any]) -> Score:
    mutants = []
    for entry in content.pop("mutants"):
        verdicts = tuple(conforming(Verdict(**verdict)) for verdict in entry.pop("verdicts"))
        unknown = {check for verdict in verdicts for check in verdict.checks} - set(CHECKS)
        if unknown or not verdicts:
            raise ValueError(f"{entry.get('name')}: unknown checks {sorted(unknown)}" if unknown else "no verdicts")
        mutants.append(conforming(Judged(verdicts=verdicts, **entry)))
    score = conforming(Score(mutants=tuple(mutants), **content))
    check_origin(score.provenance)
    if not {"numpy", "numba"} <= score.provenance["packages"].keys():
        raise ValueError("its provenance has no versions of numpy and numba")
    return score
