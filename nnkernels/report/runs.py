"""The runs of a results folder: finding and loading them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnkernels.errors import ResultsError
from nnkernels.measure.panel import Panel
from nnkernels.measure.records import RunRecord, read_run


@dataclass(frozen=True)
class Run:
    """A run as it was recorded: its description, its panels, and asv's results."""

    record: RunRecord
    panels: list[Panel]
    asv_results: dict[str, Any]


def load_run(folder: Path) -> Run:
    """Load the run of a folder; raises ResultsError if it is damaged or incomplete."""
    return Run(*read_run(folder))


def run_folders(runs: Path) -> list[Path]:
    """Return the folders of all complete runs, oldest first."""
    return sorted(folder.parent for folder in runs.glob("*/run.json"))


def newest_run(runs: Path) -> Run:
    """Load the newest complete run.

    Raises
    ------
    ResultsError
        If there is none.
    """
    folders = run_folders(runs)
    if not folders:
        raise ResultsError(f"{runs.parent.name}/{runs.name} holds no run yet: make one with `nnkernels bench`")
    return load_run(folders[-1])
