"""A base commit checked out in a temporary git worktree, which is gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nnkernels.errors import ConfigurationError
from nnkernels.interrupts import sigterm_raised


@contextmanager
def base_worktree(root: Path, commit: str) -> Iterator[Path]:
    """Check a commit out in a temporary folder; afterwards folder and worktree are removed, on Ctrl-C and SIGTERM too.

    The working tree of ``root`` is left as it is, changed files included.

    Raises
    ------
    ConfigurationError
        If git cannot check it out.
    """
    with sigterm_raised():
        scratch = Path(tempfile.mkdtemp(prefix="nnkernels-base-"))
        tree = scratch / "base"
        try:
            # Hooks are the user's programs for the user's work.
            _git(root, "-c", f"core.hooksPath={scratch}", "worktree", "add", "--quiet", "--detach", str(tree), commit)
            yield tree
        finally:
            # Twice: git locks a worktree while it adds it, and leaves it so if it is killed.
            with suppress(ConfigurationError):
                _git(root, "worktree", "remove", "--force", "--force", str(tree))
            shutil.rmtree(scratch, ignore_errors=True)
            _git(root, "worktree", "prune")


def find_commit(root: Path, name: str) -> str:
    """Return the full hash of what a branch, tag or expression such as ``HEAD~3`` names.

    Raises
    ------
    ConfigurationError
        If ``root`` is no git checkout, or nothing is named so.
    """
    try:
        return _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip()
    except ConfigurationError as error:
        raise ConfigurationError(
            f"there is no commit {name!r} here to compare with: name a branch, a tag or a hash that `git rev-parse` "
            "finds; a shallow clone has to fetch it first"
        ) from error


def changed_files(root: Path, commit: str, folder: str) -> list[str]:
    """Return the files of a folder that differ between the working tree and a commit, untracked ones included."""
    changed = _git(root, "diff", "--name-only", "-z", commit, "--", folder)
    untracked = _git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", folder)
    return [name for name in (changed + untracked).split("\0") if name]


def _git(root: Path, *arguments: str) -> str:
    # Git sets these for hooks and for `git bisect run`; they would lead it to another repository than that of `root`.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        answer = subprocess.run(
            ["git", *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise ConfigurationError("git is not installed, or cannot be run here") from error
    if answer.returncode:
        raise ConfigurationError(f"git {arguments[0]} failed: {' '.join(answer.stderr.split())}")
    return answer.stdout
