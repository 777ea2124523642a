"""The copy of nnkernels that is measured: a git checkout at some commit, or a copy without history."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from nnkernels.errors import ConfigurationError, GitError
from nnkernels.files import PACKAGE
from nnkernels.git import run_git

CONFIG_NAME = "asv.conf.json"
UNVERSIONED = "0" * 40


@dataclass(frozen=True)
class Workspace:
    """The source of a run's benchmarks, and the place of its results.

    Attributes
    ----------
    root : Path
        The folder that contains ``results/``: the checkout, or a temporary folder.
    benchmarks : Path
        The folder of asv's benchmarks.
    commit : str
        Full hash of HEAD; zeros without history.
    commit_date : int
        Date of the commit, in milliseconds since 1970.
    unrecorded : str
        Why a run cannot be recorded in the history; empty if it can.
    """

    root: Path
    benchmarks: Path
    commit: str
    commit_date: int
    unrecorded: str

    @property
    def runs(self) -> Path:
        """The folder that contains the folder of each run."""
        return self.root / (Path(".asv", "unrecorded") if self.unrecorded else Path("results", "runs"))


def find_root(start: Path | None = None) -> Path:
    """Find the root of a checkout.

    Parameters
    ----------
    start : Path, optional
        A folder in the checkout; by default, the current folder.

    Returns
    -------
    root : Path
        The root of the checkout that contains ``start``, otherwise of the one that contains this package.

    Raises
    ------
    ConfigurationError
        If neither is in a checkout.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents, PACKAGE.parent):
        if _is_root(folder):
            return folder
    raise ConfigurationError(f"{here} is outside a checkout of nnkernels: run this in a clone of the repository")


def benchmarks_folder() -> Path:
    """Return the folder of asv's benchmarks.

    Returns
    -------
    folder : Path
        ``bench/`` of the checkout, or its copy in the installed package.
    """
    return PACKAGE.parent / "bench" if _is_root(PACKAGE.parent) else PACKAGE / "_bench"


def open_workspace() -> Workspace:
    """Return the workspace of the imported nnkernels.

    Returns
    -------
    workspace : Workspace
        Its checkout, or a temporary folder if it is not in a git checkout that can be written to.

    Raises
    ------
    ConfigurationError
        If the current folder is in a different checkout. The times would seem to belong to a commit that was not
        measured.
    """
    root = PACKAGE.parent
    if not _is_root(root):
        return _temporary(benchmarks_folder(), "nnkernels is installed as a package, outside a checkout")
    here = Path.cwd().resolve()
    around = next((folder for folder in (here, *here.parents) if _is_root(folder)), root)
    if around != root:
        raise ConfigurationError(
            f"nnkernels is imported from {root}, but the current folder is in {around}: run `pip install -e .` there"
        )
    benchmarks = benchmarks_folder()
    try:
        if Path(run_git(root, "rev-parse", "--show-toplevel").strip()).resolve() != root:
            return _temporary(benchmarks, "this copy is not a git checkout")
        commit = run_git(root, "rev-parse", "HEAD").strip()
        seconds = int(run_git(root, "show", "-s", "--format=%ct", "HEAD"))
        reason = _uncommitted(root)
    except ConfigurationError as error:
        return _temporary(benchmarks, str(error))
    written = root / "results"
    if not os.access(written if written.exists() else root, os.W_OK):
        return _temporary(benchmarks, "the checkout is not writable")
    return Workspace(root, benchmarks, commit, 1000 * seconds, reason)


def code_state() -> dict[str, str]:
    """Return the commit and state of the imported nnkernels, without raising exceptions.

    Returns
    -------
    state : dict
        ``commit``: the hash or ``none``. ``tree``: ``clean``, or which files have changed, or why this is unknown.
    """
    root = PACKAGE.parent
    if not _is_root(root):
        return {"commit": "none", "tree": "an installed package"}
    try:
        return {"commit": run_git(root, "rev-parse", "HEAD").strip(), "tree": _uncommitted(root) or "clean"}
    except GitError:  # its words contain paths, which must not be recorded
        return {"commit": "none", "tree": "unknown, because git failed"}
    except ConfigurationError as error:
        return {"commit": "none", "tree": str(error)}


def changed_since(workspace: Workspace) -> str:
    """Return how the checkout has changed since the workspace was opened.

    Parameters
    ----------
    workspace : Workspace
        The workspace.

    Returns
    -------
    change : str
        Empty if nothing has changed, or if the run is not recorded anyway.
    """
    if workspace.unrecorded:
        return ""
    state = code_state()
    if state["commit"] != workspace.commit:
        return "another commit was checked out during the measurement"
    return "" if state["tree"] == "clean" else f"{state['tree']}, made during the measurement"


def _uncommitted(root: Path) -> str:
    """Describe uncommitted changes in the checkout, except in ``results/``. Empty if there are none."""
    status = run_git(root, "status", "--porcelain", "-z", "--untracked-files=all", "--", ".", ":(exclude)results")
    dirty = [line[3:] for line in status.split("\0") if line]
    return f"uncommitted changes in {', '.join(dirty[:5])}{' and more' if len(dirty) > 5 else ''}" if dirty else ""


def missing_commits(root: Path, commits: set[str]) -> set[str]:
    """Return the commits that a clone does not have.

    Parameters
    ----------
    root : Path
        The clone.
    commits : set of str
        Full hashes.

    Returns
    -------
    missing : set of str
        All of ``commits`` if git is not available.
    """
    try:
        known = run_git(root, "rev-list", "--all", "HEAD").split()
    except ConfigurationError:
        return commits
    return commits - set(known)


def _is_root(folder: Path) -> bool:
    return (folder / CONFIG_NAME).is_file() and (folder / "bench" / "ratios.py").is_file()


def _temporary(benchmarks: Path, reason: str) -> Workspace:
    root = Path(tempfile.mkdtemp(prefix="nnkernels-"))
    return Workspace(root, benchmarks, UNVERSIONED, 1000 * int(time.time()), reason)
