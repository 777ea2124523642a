"""Files that the measured processes write during a run. A complete run contains their content."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nnkernels.files import write_json
from nnkernels.measure.timing.interleaved_run import InterleavedRun


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
