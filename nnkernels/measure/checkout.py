"""The git checkout that is measured: where it is, at which commit, and whether it is clean."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from nnkernels.errors import ConfigurationError

CONFIG_NAME = "asv.conf.json"


@dataclass(frozen=True)
class Checkout:
    """A checkout of nnkernels.

    Attributes
    ----------
    root : Path
        The folder of ``asv.conf.json`` and ``bench/``.
    commit : str
        The full hash of HEAD.
    dirty : tuple of str
        Files that differ from HEAD or are not in it; what lies in ``results/`` does not count.
    """

    root: Path
    commit: str
    dirty: tuple[str, ...]


def find_root(start: Path | None = None) -> Path:
    """Return the root of the checkout around ``start`` (the current folder), or else around this package.

    Raises
    ------
    ConfigurationError
        If there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if (folder / CONFIG_NAME).is_file() and (folder / "bench" / "ratios.py").is_file():
            return folder
    raise ConfigurationError(f"no nnkernels checkout around {here}: run this inside one (a clone of the repository)")


def read_checkout(root: Path) -> Checkout:
    """Ask git for the commit and the state of the tree.

    Raises
    ------
    ConfigurationError
        If git is missing, ``root`` is no checkout with at least one commit, or the nnkernels that runs is another:
        its times would be recorded under a commit that they do not belong to.
    """
    package = Path(__file__).resolve().parents[1]
    if package != (root / "nnkernels").resolve():
        raise ConfigurationError(
            f"the nnkernels that runs is not the one of the checkout {root}: pip install -e . in the checkout"
        )
    commit = _git(root, "rev-parse", "HEAD").strip()
    status = _git(root, "status", "--porcelain", "-z", "--untracked-files=all", "--", ".", ":(exclude)results")
    return Checkout(root, commit, tuple(line[3:] for line in status.split("\0") if line))


def _git(root: Path, *arguments: str) -> str:
    try:
        answer = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ConfigurationError("git is not installed, and the commit that is measured must be known") from error
    if answer.returncode:
        raise ConfigurationError(f"git {arguments[0]} failed: {answer.stderr.strip()}")
    return answer.stdout
