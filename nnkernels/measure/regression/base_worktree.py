"""A base commit, checked out in a temporary git worktree."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nnkernels.errors import ConfigurationError, GitError
from nnkernels.git import run_git
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
            run_git(
                root, "-c", f"core.hooksPath={scratch}", "worktree", "add", "--quiet", "--detach", str(tree), commit
            )
            yield tree
        finally:
            # `--force` twice also removes a locked worktree. Git locks a worktree while adding it, and leaves it locked
            # if it is killed.
            with suppress(ConfigurationError):
                run_git(root, "worktree", "remove", "--force", "--force", str(tree))
            shutil.rmtree(scratch, ignore_errors=True)
            run_git(root, "worktree", "prune")


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
        If ``root`` is not a git checkout, if git refuses to read it, or if there is no such commit.
    """
    try:
        return run_git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip()
    except GitError as error:
        if error.answer:  # git refused; about an unknown commit, it prints nothing
            raise
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
    changed = run_git(root, "diff", "--name-only", "-z", commit, "--", folder)
    untracked = run_git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", folder)
    return [name for name in (changed + untracked).split("\0") if name]
