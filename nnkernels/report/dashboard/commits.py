"""How far a checkout has moved on since a run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

SHORT = 12  # digits of a commit that the page shows


def commits_behind(root: Path, commits: Iterable[str]) -> dict[str, int | None]:
    """Return how many commits the checkout's HEAD is ahead of each commit.

    The answer depends on the history of HEAD only, not on branches, so that every clone of the same commit agrees.

    Parameters
    ----------
    root : Path
        The root of the checkout.
    commits : iterable of str
        Full hashes.

    Returns
    -------
    behind : dict of str to (int or None)
        The number of commits that HEAD has and the commit has not. None if it cannot be known: git is not installed,
        ``root`` is not the root of a checkout, the clone is shallow, or HEAD does not descend from the commit.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    complete = top is not None and Path(top) == root.resolve() and _git(root, "rev-parse", "--is-shallow-repository")
    return {commit: _behind(root, commit) if complete == "false" else None for commit in dict.fromkeys(commits)}


def _behind(root: Path, commit: str) -> int | None:
    if not commit.isalnum() or _git(root, "merge-base", "--is-ancestor", commit, "HEAD") is None:
        return None
    count = _git(root, "rev-list", "--count", f"{commit}..HEAD")
    return int(count) if count else None


def _git(root: Path, *arguments: str) -> str | None:
    """Return the output of a git command; None if it failed or git is not installed."""
    try:
        answer = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return None if answer.returncode else answer.stdout.strip()
