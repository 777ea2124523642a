"""The pages of asv that show the recorded history, with a link back and a note that they need the internet."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from nnkernels import git
from nnkernels.errors import ConfigurationError, ResultsError, one_line
from nnkernels.files import MALFORMED, write_text
from nnkernels.measure.asv_driver.workspace import CONFIG_NAME, missing_commits

_BANNER = (
    '<p style="position: relative; margin: 0; padding: .7em 1em; background: #fff4e5; color: #1b1f24; '
    'font: 16px/1.4 system-ui, sans-serif"><a href="../index.html" style="color: #005a8f">nnkernels: results</a> '
    "&middot; These are asv's own pages. They load scripts from other hosts, so they need the internet, and browsers "
    "show them only from a web server, not from files.</p>"
)


def build_asv_pages(root: Path, html: Path) -> list[str]:
    """Build asv's pages of the recorded history.

    Parameters
    ----------
    root : Path
        The root of the checkout.
    html : Path
        The folder to write.

    Returns
    -------
    notes : list of str
        What is missing, and why. If the pages cannot be built, ``html`` is not written, which is no error.
    """
    history = root / "results" / "asv"
    recorded = any(history.glob("*/machine.json"))
    problem = _publish_asv(root, history, html) if recorded else "no history is recorded yet"
    return [f"asv's pages were not built: {problem}"] if problem else _notes_on_missing_commits(root, history)


def _notes_on_missing_commits(root: Path, history: Path) -> list[str]:
    # asv silently leaves out the results of commits that it cannot find.
    files = [path for path in history.glob("*/*.json") if path.name != "machine.json"]
    commits = {_commit(path) for path in files}
    missing = sorted(commit[:8] for commit in missing_commits(root, commits))
    if not missing:
        return []
    return [
        f"asv's pages lack the results of {', '.join(missing)}, because this clone does not have these commits. In a "
        "shallow clone, fetch them with `git fetch --unshallow`. Our page and `nnkernels results` show all results"
    ]


def _commit(path: Path) -> str:
    try:
        return str(json.loads(path.read_text("utf-8"))["commit_hash"])
    except (OSError, RecursionError, *MALFORMED) as error:
        raise ResultsError(
            f"{path}: damaged or unreadable ({one_line(error)[:300]}); restore it from git or delete it"
        ) from error


def _publish_asv(root: Path, history: Path, html: Path) -> str:
    """Build asv's pages of the recorded history, and return the reason if that fails, otherwise an empty string."""
    try:
        git.run_git(root, "rev-parse", "HEAD")  # asv would not say why git refuses
    except ConfigurationError as error:
        return str(error)
    html.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="nnkernels-publish-") as folder:
        config = _history_config(root, history, html, Path(folder))
        command = [sys.executable, "-m", "asv", "--config", str(config), "publish", "--no-pull"]
        answer = subprocess.run(
            command,
            cwd=root,
            env=git.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    if answer.returncode:
        shutil.rmtree(html, ignore_errors=True)
    if answer.returncode or not (html / "index.html").is_file():
        last_line = (answer.stdout + answer.stderr).strip().splitlines()[-1:]
        return f"asv publish failed ({''.join(last_line)}); it needs git and the history of the commits"
    index = html / "index.html"
    text = index.read_text("utf-8")
    write_text(index, text.replace("<body>", f"<body>{_BANNER}", 1))
    return ""


def _history_config(root: Path, history: Path, html: Path, folder: Path) -> Path:
    """Write a copy of asv's configuration that reads ``history`` and writes ``html``, and return its path."""
    from asv.config import Config

    config = Config.load(str(root / CONFIG_NAME))
    places = {
        "repo": str(root),
        "benchmark_dir": str(root / config.benchmark_dir),
        "env_dir": str(folder / "env"),
        "results_dir": str(history),
        "html_dir": str(html),
    }
    path = folder / CONFIG_NAME
    path.write_text(json.dumps(vars(config) | places | {"version": Config.api_version}), encoding="utf-8")
    return path
