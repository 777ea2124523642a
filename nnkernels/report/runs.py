"""The runs of a results folder: finding, loading and pinning them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnkernels.errors import ResultsError
from nnkernels.files import write_json
from nnkernels.measure.records.run import RunRecord, read_run
from nnkernels.measure.timing.interleaved_run import InterleavedRun

NEWEST, PUBLISHED = "newest", "published"
PIN_VERSION = 1


@dataclass(frozen=True)
class Run:
    """A run as it was recorded: its description, its interleaved runs, and asv's results."""

    record: RunRecord
    interleaved: list[InterleavedRun]
    asv_results: dict[str, Any]


def load_run(folder: Path) -> Run:
    """Load the run of a folder; raises ResultsError if it is damaged or incomplete."""
    return Run(*read_run(folder))


def run_folders(results: Path) -> list[Path]:
    """Return the folders of all complete runs, oldest first."""
    return sorted(folder.parent for folder in (results / "runs").glob("*/run.json"))


def find_run(results: Path, name: str = NEWEST) -> Run:
    """Load a run: the newest, the published one, or the one whose id begins with ``name``.

    Raises
    ------
    ResultsError
        If there is no such run, or several.
    """
    folders = run_folders(results)
    if not folders:
        raise ResultsError("results/runs/ holds no run yet: make one with `nnkernels bench`")
    if name == NEWEST:
        return load_run(folders[-1])
    wanted = published_id(results) if name == PUBLISHED else name
    found = [folder for folder in folders if folder.name.startswith(wanted)]
    if len(found) != 1:
        listed = ", ".join(folder.name for folder in found or folders)
        raise ResultsError(f"{len(found)} runs begin with {wanted!r}; there are: {listed}")
    return load_run(found[0])


def published_id(results: Path) -> str:
    """Return the id of the published run.

    Raises
    ------
    ResultsError
        If none is pinned, or ``published.json`` is damaged.
    """
    path = results / "published.json"
    try:
        content = json.loads(path.read_text("utf-8"))
        if content["version"] != PIN_VERSION:
            raise ResultsError(f"{path}: version {content['version']}; this nnkernels reads {PIN_VERSION}: upgrade it")
        return str(content["run"])
    except OSError as error:
        raise ResultsError("no run is published yet: `nnkernels publish --pin RUN` does it") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ResultsError(f"{path}: damaged, {error}; pin a run again: `nnkernels publish --pin RUN`") from error


def pin(results: Path, run: Run) -> None:
    """Make a run the published one."""
    write_json(results / "published.json", {"version": PIN_VERSION, "run": run.record.run_id})
