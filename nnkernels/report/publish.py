"""Building of ``results/html/``: our page and asv's pages, with links between them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from nnkernels import git
from nnkernels.errors import NNKernelsError
from nnkernels.files import write_text
from nnkernels.measure.asv_driver.workspace import CONFIG_NAME, missing_commits
from nnkernels.report.page import render
from nnkernels.report.summary import Summary
from nnkernels.report.walkthrough import render_walkthrough

WALKTHROUGH = "walkthrough.ipynb"
BACK_LINK = '<a class="navbar-brand" href="../index.html">nnkernels: results</a>'


@dataclass(frozen=True)
class Published:
    """The result of :func:`publish`.

    Attributes
    ----------
    page : Path
        Our page.
    notes : tuple of str
        What is missing from asv's pages or the walkthrough, and why.
    """

    page: Path
    notes: tuple[str, ...]


def publish_page(root: Path, summary: Summary) -> Path:
    """Write our page of a run to ``results/html/``, with links to the other pages that exist.

    Parameters
    ----------
    root : Path
        The root of the checkout.
    summary : Summary
        The summary of the run.

    Returns
    -------
    path : Path
        The page.
    """
    html = root / "results" / "html"
    linked = [name if (html / name).is_file() else None for name in ("asv/index.html", "walkthrough.html")]
    write_text(html / "index.html", render(summary, *linked))
    return html / "index.html"


def publish(root: Path, summary: Summary) -> Published:
    """Build ``results/html/`` from the recorded results.

    asv's pages show the recorded history. They load asv's scripts from the internet; our page is self-contained.

    Parameters
    ----------
    root : Path
        The root of the checkout.
    summary : Summary
        The summary of the run that our page shows.

    Returns
    -------
    published : Published
        Our page, and what is missing. Pages of asv or of the walkthrough that cannot be built are not an error.
    """
    html = root / "results" / "html"
    history = root / "results" / "asv"
    recorded = any(history.glob("*/machine.json"))
    problem = _publish_asv(root, history, html / "asv") if recorded else "no history is recorded yet"
    notes = [f"asv's pages were not built: {problem}"] if problem else _notes_on_missing_commits(root, history)
    if problem:
        shutil.rmtree(html / "asv", ignore_errors=True)
    walkthrough_problem = _publish_walkthrough(root / "results" / WALKTHROUGH, html / "walkthrough.html")
    notes += [f"the page of the walkthrough was not built: {walkthrough_problem}"] if walkthrough_problem else []
    return Published(publish_page(root, summary), tuple(notes))


def _publish_walkthrough(notebook: Path, page: Path) -> str | None:
    """Build the walkthrough's page; return None on success, otherwise the reason (empty if there is no walkthrough)."""
    page.unlink(missing_ok=True)
    if not notebook.exists():
        return ""
    try:
        render_walkthrough(notebook, page)
    except NNKernelsError as error:
        return str(error)
    return None


def _notes_on_missing_commits(root: Path, history: Path) -> list[str]:
    # asv silently leaves out the results of commits that it cannot find.
    files = [path for path in history.glob("*/*.json") if path.name != "machine.json"]
    commits = {str(json.loads(path.read_text("utf-8"))["commit_hash"]) for path in files}
    missing = sorted(commit[:8] for commit in missing_commits(root, commits))
    if not missing:
        return []
    return [
        f"asv's pages lack the results of {', '.join(missing)}, because this clone does not have these commits. In a "
        "shallow clone, fetch them with `git fetch --unshallow`. Our page and `nnkernels results` show all results"
    ]


def _publish_asv(root: Path, history: Path, html: Path) -> str:
    """Build asv's pages of the recorded history, and return the reason if that fails, otherwise an empty string."""
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
    if answer.returncode or not (html / "index.html").is_file():
        last_line = (answer.stdout + answer.stderr).strip().splitlines()[-1:]
        return f"asv publish failed ({''.join(last_line)}); it needs git and the history of the commits"
    index = html / "index.html"
    text = index.read_text("utf-8")
    linked, count = re.subn(r"(<nav\b[^>]*>)", rf"\1{BACK_LINK}", text, count=1)
    write_text(index, linked if count else text.replace("<body>", f"<body>{BACK_LINK}", 1))
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
