"""The folder of pages: ours, and asv's beside it, each linking to the other."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from nnkernels.errors import MeasurementError
from nnkernels.files import write_text
from nnkernels.report.page import render
from nnkernels.report.runs import Run
from nnkernels.report.summary import summarise

BACK_LINK = '<a class="navbar-brand" href="../index.html">nnkernels: the comparison</a>'


def publish(root: Path, run: Run) -> Path:
    """Build ``results/html/`` of a checkout from its results and return the address of our page.

    asv's pages are built if there is any recorded history; they need the internet when they are looked at,
    because asv loads its scripts from there. Ours needs nothing.

    Raises
    ------
    MeasurementError
        If ``asv publish`` fails.
    """
    html = root / "results" / "html"
    has_history = any((root / "results" / "asv").glob("*/machine.json"))
    if has_history:
        _publish_asv(root, html / "asv")
    else:
        shutil.rmtree(html / "asv", ignore_errors=True)
    page = html / "index.html"
    write_text(page, render(summarise(run), "asv/index.html" if has_history else None))
    return page


def _publish_asv(root: Path, html: Path) -> None:
    html.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "asv", "--config", str(root / "asv.conf.json"), "publish", "--no-pull"]
    answer = subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise MeasurementError(f"asv publish failed:\n{(answer.stdout + answer.stderr).strip()}")
    index = html / "index.html"
    text = index.read_text("utf-8")
    linked, count = re.subn(r"(<nav\b[^>]*>)", rf"\1{BACK_LINK}", text, count=1)
    write_text(index, linked if count else text.replace("<body>", f"<body>{BACK_LINK}", 1))
