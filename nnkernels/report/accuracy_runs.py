"""Finding of recorded accuracy runs."""

from __future__ import annotations

from pathlib import Path

from nnkernels.accuracy.record import FOLDER, run_folders
from nnkernels.accuracy.record import read_accuracy_run as read
from nnkernels.accuracy.summary import AccuracySummary, summarise_accuracy
from nnkernels.errors import ResultsError
from nnkernels.report.runs import pinned_accuracy


def is_accuracy_run(root: Path, name: str) -> bool:
    """Return whether a name is the beginning of the id of a recorded accuracy run.

    Parameters
    ----------
    root : Path
        The root of the checkout.
    name : str
        The name.

    Returns
    -------
    is_accuracy_run : bool
        Whether there is at least one.
    """
    return bool(name) and any(folder.name.startswith(name) for folder in run_folders(root))


def find_accuracy_run(root: Path, name: str) -> AccuracySummary:
    """Return the accuracy run whose id begins with a name.

    Parameters
    ----------
    root : Path
        The root of the checkout.
    name : str
        The beginning of the id.

    Returns
    -------
    summary : AccuracySummary
        Its summary.

    Raises
    ------
    ResultsError
        If there is no such run or several, or if it is damaged.
    """
    folders = run_folders(root)
    found = [folder for folder in folders if folder.name.startswith(name)]
    if len(found) != 1:
        listed = ", ".join(folder.name for folder in found or folders) or "none"
        raise ResultsError(f"{FOLDER}: {len(found)} runs begin with {name!r}; there are: {listed}")
    return summarise_accuracy(read(found[0]))


def published_accuracy(root: Path) -> AccuracySummary | None:
    """Return the published accuracy run, or the newest one if none is pinned.

    Parameters
    ----------
    root : Path
        The root of the checkout.

    Returns
    -------
    summary : AccuracySummary or None
        None if no run is recorded.

    Raises
    ------
    ResultsError
        If the run, or what pins it, is damaged.
    """
    pinned = pinned_accuracy(root / "results")
    if pinned is not None:
        return find_accuracy_run(root, pinned)
    folders = run_folders(root)
    return summarise_accuracy(read(folders[-1])) if folders else None
