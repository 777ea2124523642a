"""The folder of pages: ours, and asv's beside it, each linking to the other."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from nnkernels.files import write_text
from nnkernels.report.page import render
from nnkernels.report.runs import Run
from nnkernels.report.summary import summarise

BACK_LINK = '<a class="navbar-brand" href="../index.html">nnkernels: the comparison</a>'


def publish(root: Path, run: Run) -> tuple[Path, str]:
    """Build ``results/html/`` from the results beside it.

    asv's pages show the recorded history; they need the internet when they are looked at, because asv loads its
    scripts from there. Ours needs nothing.

    Returns
    -------
    page : Path
        Our page.
    missing : str
        Why asv's pages are missing; empty if they are there.
    """
    html = root / "results" / "html"
    missing = _publish_asv(root, html / "asv")
    if missing:
        shutil.rmtree(html / "asv", ignore_errors=True)
    page = html / "index.html"
    write_text(page, render(summarise(run), None if missing else "asv/index.html"))
    return page, missing


def _publish_asv(root: Path, html: Path) -> str:
    """Build asv's pages; return why they could not be built, or an empty text."""
    if not any((root / "results" / "asv").glob("*/machine.json")):
        return "no recorded history yet"
    html.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "asv", "--config", str(root / "asv.conf.json"), "publish", "--no-pull"]
    answer = subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if answer.returncode or not (html / "index.html").is_file():
        last_line = (answer.stdout + answer.stderr).strip().splitlines()[-1:]
        return f"asv publish failed, as it does without git or the history of the commits ({''.join(last_line)})"
    index = html / "index.html"
    text = index.read_text("utf-8")
    linked, count = re.subn(r"(<nav\b[^>]*>)", rf"\1{BACK_LINK}", text, count=1)
    write_text(index, linked if count else text.replace("<body>", f"<body>{BACK_LINK}", 1))
    return ""
