"""Panels and run records as JSON files: what asv's own files cannot hold."""

from __future__ import annotations

import json
import math
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nnkernels.errors import ResultsError
from nnkernels.files import write_json
from nnkernels.measure.panel import Panel

VERSION = 1


@dataclass(frozen=True)
class RunRecord:
    """What is known of a run beside its numbers.

    Attributes
    ----------
    run_id : str
        UTC time of its start and head of the commit; runs sort by it.
    recorded : bool
        Whether it is part of the history (the tree was clean), or only shown.
    contenders : list of str
        Those that were measured.
    not_installed : dict
        Contenders that are known and not installed, each with the command that installs it.
    passes : int
        Complete passes; each is a fresh process of every benchmark in it.
    provenance : dict
        See ``nnkernels.measure.provenance``.
    """

    run_id: str
    recorded: bool
    recorded_at: str
    commit: str
    machine: str
    dataset: str
    contenders: list[str]
    not_installed: dict[str, str]
    passes: int
    provenance: dict[str, Any]


def save_panel(panel: Panel, folder: str | Path) -> None:
    """Add a panel to a folder of them, under a name of its own."""
    write_json(Path(folder) / f"panel-{uuid.uuid4().hex}.json", asdict(panel))


def load_panels(folder: Path) -> list[Panel]:
    """Return all panels of a folder of them."""
    return [Panel(**json.loads(path.read_text("utf-8"))) for path in sorted(folder.glob("panel-*.json"))]


def write_run(folder: Path, record: RunRecord, panels: list[Panel], asv_results: dict[str, Any]) -> None:
    """Write a run's three files: ``run.json`` last, so that a run without it is known to be incomplete."""
    write_json(folder / "asv.json", _without_nan(asv_results))
    write_json(folder / "panels.json", {"version": VERSION, "panels": [asdict(panel) for panel in panels]})
    write_json(folder / "run.json", {"version": VERSION, **asdict(record)})


def read_run(folder: Path) -> tuple[RunRecord, list[Panel], dict[str, Any]]:
    """Read what :func:`write_run` wrote.

    Raises
    ------
    ResultsError
        If a file is missing, damaged, or of a version that this nnkernels does not know.
    """
    record = _read(folder / "run.json")
    panels = _read(folder / "panels.json")
    asv_results = _read(folder / "asv.json")
    for content in (record, panels):
        if (version := content.pop("version", None)) != VERSION:
            raise ResultsError(f"{folder}: has version {version}; this nnkernels reads version {VERSION}: upgrade it")
    try:
        return RunRecord(**record), [Panel(**panel) for panel in panels["panels"]], asv_results
    except (TypeError, KeyError) as error:
        raise ResultsError(f"{folder}: damaged, {error}; restore it from git or delete the folder") from error


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


def _without_nan(value: Any) -> Any:
    # asv writes NaN for "not measured", which is not JSON; null says the same.
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
