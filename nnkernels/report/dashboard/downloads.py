"""The files of results to download: tidy CSV and JSON, raw samples, and a summary for a pull request."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass

import pandas as pd

from nnkernels.report import glance
from nnkernels.report.headline import headline
from nnkernels.report.layout import markdown
from nnkernels.report.runs import Run
from nnkernels.report.summary import Summary
from nnkernels.report.tables import export
from nnkernels.report.tidy import tidy

FOLDER = "downloads"
# A spreadsheet takes a cell that begins with one of these for a formula.
FORMULA = re.compile(r"^[=+\-@\t\r]")


@dataclass(frozen=True)
class Download:
    """A file beside the page.

    Attributes
    ----------
    path : str
        Relative to the page, for example ``downloads/RUN.csv``.
    text : str
        What it is, for the link.
    content : str
        Its content.
    """

    path: str
    text: str
    content: str

    @property
    def size(self) -> str:
        """The size of the file for people, for example ``28 kB``."""
        return f"{max(1, round(len(self.content.encode()) / 1000)):,} kB"


def downloads(summary: Summary) -> list[Download]:
    """Return the files of a run, or of several pooled ones.

    Parameters
    ----------
    summary : Summary
        The summary of the run.

    Returns
    -------
    files : list of Download
        The tidy table as CSV and JSON, the summary as Markdown, and the raw samples of each run.
    """
    run = summary.run
    rows = tidy(run, summary.ratios)
    stem = file_stem(run)
    return [
        Download(f"{FOLDER}/{stem}.csv", "every number (CSV)", csv_text(rows)),
        Download(f"{FOLDER}/{stem}.json", "every number (JSON)", export(rows, "json") + "\n"),
        Download(f"{FOLDER}/{stem}.md", "summary (Markdown)", markdown_summary(summary)),
        *(
            Download(
                f"{FOLDER}/{one.record.run_id}-samples.json", f"raw samples, {one.record.run_id}", samples_json(one)
            )
            for one in run.each
        ),
    ]


def file_stem(run: Run) -> str:
    """Return the name of a run's files without their endings.

    Parameters
    ----------
    run : Run
        The run, or several pooled ones.

    Returns
    -------
    stem : str
        The id of the run; for pooled runs also their number.
    """
    count = len(run.each)
    return run.record.run_id if count == 1 else f"{run.record.run_id}-pooled-{count}"


def csv_text(rows: pd.DataFrame) -> str:
    """Format tidy rows as CSV that a spreadsheet does not execute.

    A text that a spreadsheet would take for a formula (it begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage
    return) gets a leading apostrophe, which spreadsheets show as text. Other carriage returns become
    spaces. Numbers stay as they are.

    Parameters
    ----------
    rows : DataFrame
        Tidy rows.

    Returns
    -------
    text : str
        CSV with a heading; lines end with a line feed.
    """
    texts = rows.select_dtypes(include=["object", "string"]).columns
    safe = rows.assign(**{str(column): rows[column].map(_not_a_formula) for column in texts})
    safe.columns = pd.Index([str(_not_a_formula(name)) for name in rows.columns])
    return safe.to_csv(index=False, lineterminator="\n")


def _not_a_formula(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    # The writer does not quote a carriage return, which many programs take for the end of a line.
    return ("'" if FORMULA.match(cell) else "") + cell.replace("\r", " ")


def samples_json(run: Run) -> str:
    """Format the raw samples of a single run: the content of its ``panels.json``, with all digits.

    Parameters
    ----------
    run : Run
        The run; runs that are pooled with it are not included.

    Returns
    -------
    text : str
        JSON.
    """
    content = {"run_id": run.record.run_id, "processes": [asdict(measured) for measured in run.interleaved]}
    return json.dumps(content, separators=(",", ":"), sort_keys=True) + "\n"


def markdown_summary(summary: Summary) -> str:
    """Format the summary of a run for a pull request.

    Parameters
    ----------
    summary : Summary
        The summary of the run.

    Returns
    -------
    text : str
        Markdown: the headline, the table of contenders and its notes, and where the numbers come from.
    """
    record = summary.run.record
    runs = ", ".join(f"`{one.record.run_id}`" for one in summary.run.each)
    notes = "\n".join(f"- {note}" for note in glance.notes(summary))
    source = f"{runs} on `{record.machine}`, {record.dataset}, commit `{record.commit[:8]}`, {record.recorded_at}."
    found = headline(summary)
    parts = [f"**{found}**" if found else "", markdown(glance.columns(summary)), notes, source]
    return "\n\n".join(filter(None, parts)) + "\n"
