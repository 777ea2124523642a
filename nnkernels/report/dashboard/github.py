"""Links to commits, if the checkout has a remote on GitHub."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

_GITHUB = re.compile(
    r"^(?:https://(?:[^@/]+@)?github\.com/|git@github\.com:|ssh://git@github\.com/)([\w.-]+/[\w.-]+?)(?:\.git)?/?$"
)
_COMMIT = re.compile(r"^[0-9a-f]{7,40}$")


def repository_url(root: Path) -> str:
    """Return the address of a checkout's repository on GitHub.

    Parameters
    ----------
    root : Path
        The root of the checkout.

    Returns
    -------
    url : str
        Without credentials; empty if the remote ``origin`` is none of GitHub's, or if there is no git.
    """
    try:
        answer = subprocess.run(
            ["git", "config", "--get", "remote.origin.url"],
            cwd=root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    found = _GITHUB.match(answer.stdout.strip())
    return f"https://github.com/{found[1]}" if found else ""


def commit_url(repository: str, commit: str) -> str:
    """Return the address of a commit.

    Parameters
    ----------
    repository : str
        As :func:`repository_url` returns it.
    commit : str
        The hash of the commit.

    Returns
    -------
    url : str
        Empty if the repository is not known, or if ``commit`` is no hash.
    """
    return f"{repository}/commit/{commit}" if repository and _COMMIT.match(commit) else ""
