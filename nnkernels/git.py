"""Running git in a checkout, without the settings that would make it answer for another repository."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from nnkernels.errors import ConfigurationError, GitError

# Git sets these for hooks, aliases and `git bisect run`. They name a repository other than that of the current folder.
# The settings in GIT_CONFIG_* are kept, because a user may permit a repository there (`safe.directory`).
# What Git LFS leaves in place of a file that it has not fetched begins with this.
LFS_POINTER = b"version https://git-lfs.github.com/spec/"
LFS_REFUSAL = "is only the pointer of Git LFS to the file; fetch the file itself with git lfs pull, or download it"
LOCATIONS = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)


def environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return environment variables with which git and asv find the repository of their folder.

    Parameters
    ----------
    environ : mapping, optional
        The environment to start from (default: that of this process).

    Returns
    -------
    environment : dict
        The variables, without those that name another repository.
    """
    environ = os.environ if environ is None else environ
    return {name: value for name, value in environ.items() if name not in LOCATIONS}


def run_git(root: Path, *arguments: str) -> str:
    """Run a git command in a checkout.

    Parameters
    ----------
    root : Path
        The checkout. Environment variables that name another repository are not passed on.
    *arguments : str
        The command and its arguments.

    Returns
    -------
    output : str
        What git prints to the standard output.

    Raises
    ------
    ConfigurationError
        If git is not installed.
    GitError
        If git refuses or fails. The message contains git's own words, with what to do about a refused repository.
    """
    try:
        answer = subprocess.run(
            ["git", *arguments],
            cwd=root,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
    except OSError as error:
        raise ConfigurationError("git is not installed or cannot be run, so the commit is not known") from error
    if answer.returncode:
        command = next((argument for argument in arguments if not argument.startswith("-")), "")
        raise GitError(command, " ".join(answer.stderr.split()))
    return answer.stdout
