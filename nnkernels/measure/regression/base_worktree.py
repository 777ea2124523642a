"""A base commit, checked out in a temporary git worktree."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nnkernels.errors import ConfigurationError
from nnkernels.interrupts import exit_on_sigterm


@contextmanager
def base_worktree(root: Path, commit: str) -> Iterator[Path]:
    """Check out a commit in a temporary folder, which is removed afterwards, also on Ctrl-C and SIGTERM.

    The working tree of ``root``, including uncommitted changes, is not touched.

    Parameters
    ----------
    root : Path
        A git checkout.
    commit : str
        Hash of the commit.

    Yields
    ------
    tree : Path
        The folder of the checked-out commit.

    Raises
    ------
    ConfigurationError
        If git cannot check out the commit.
    """
    with exit_on_sigterm():
        scratch = Path(tempfile.mkdtemp(prefix="nnkernels-base-"))
        tree = scratch / "base"
        try:
            # The user's hooks must not run for this internal checkout.
            _git(root, "-c", f"core.hooksPath={scratch}", "worktree", "add", "--quiet", "--detach", str(tree), commit)
            yield tree
        finally:
            # `--force` twice also removes a locked worktree. Git locks a worktree while adding it, and leaves it locked
            # if it is killed.
            with suppress(ConfigurationError):
                _git(root, "worktree", "remove", "--force", "--force", str(tree))
            shutil.rmtree(scratch, ignore_errors=True)
            _git(root, "worktree", "prune")


def find_commit(root: Path, name: str) -> str:
    """Return the full hash of a commit.

    Parameters
    ----------
    root : Path
        A git checkout.
    name : str
        A branch, a tag, a hash, or an expression such as ``HEAD~3``.

    Returns
    -------
    commit : str
        40 hexadecimal digits.

    Raises
    ------
    ConfigurationError
        If ``root`` is not a git checkout, or if there is no such commit.
    """
    try:
        return _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip()
    except ConfigurationError as error:
        raise ConfigurationError(
            f"unknown commit {name!r}: specify a branch, tag or hash that `git rev-parse` finds (a shallow clone must "
            "fetch it first)"
        ) from error


def changed_files(root: Path, commit: str, folder: str) -> list[str]:
    """Return the files of a folder that differ between the working tree and a commit.

    Parameters
    ----------
    root : Path
        A git checkout.
    commit : str
        The commit.
    folder : str
        The folder, relative to ``root``.

    Returns
    -------
    files : list of str
        Paths relative to ``root``, including untracked files that git does not ignore.
    """
    changed = _git(root, "diff", "--name-only", "-z", commit, "--", folder)
    untracked = _git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", folder)
    return [name for name in (changed + untracked).split("\0") if name]


def _git(root: Path, *arguments: str) -> str:
    # Git sets these variables for hooks and `git bisect run`. They would point it to a repository other than `root`.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        answer = subprocess.run(
            ["git", *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise ConfigurationError("git is not installed or cannot be run") from error
    if answer.returncode:
        raise ConfigurationError(f"git {arguments[0]} failed: {' '.join(answer.stderr.split())}")
    return answer.stdout
