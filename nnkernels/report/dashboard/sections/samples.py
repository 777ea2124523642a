"""The section on samples: every segment of the shown runs, and quartiles of older ones, in files beside the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from nnkernels.report.dashboard.assets import registration
from nnkernels.report.dashboard.charts import themed
from nnkernels.report.dashboard.collection import Collection, MachineRuns
from nnkernels.report.dashboard.comparison_payload import run_label
from nnkernels.report.dashboard.page import BROWSER_FONT
from nnkernels.report.dashboard.sample_charts import STRIP_HEIGHT, overview, specifications, states_legend
from nnkernels.report.dashboard.samples import payload, summary_payload
from nnkernels.report.dashboard.section import Section
from nnkernels.report.runs import Run

FOLDER = "samples"
# All summaries of older runs together have at most this size, the newest runs first.
SUMMARIES_BYTES = 250_000


def build(collection: Collection) -> Section:
    """Build the section.

    Parameters
    ----------
    collection : Collection
        The recorded runs.

    Returns
    -------
    section : Section
        With one file for each run that can be chosen.
    """
    charts = [chart for chart in map(overview, collection.machines[:1]) if chart]
    files: dict[str, str | bytes] = {}
    choices: list[dict[str, Any]] = []
    for machine in collection.everything:
        shown = list(reversed(machine.shown.each))
        files |= {_path(run): registration(_key(run), payload(run)) for run in shown}
        choices.append({"machine": machine.label, "runs": [_choice(run, full=True) for run in shown]})
    left = SUMMARIES_BYTES
    without: list[str] = []
    for index, run in _older(collection.everything):
        text = registration(_key(run), summary_payload(run)) if not without else ""
        left -= len(text.encode())
        if without or left < 0:
            without.append(run.record.run_id)
            continue
        files[_path(run)] = text
        choices[index]["runs"].append(_choice(run, full=False))
    return Section(
        name="samples",
        title="Samples",
        values={"choices": choices, "without": without, "legend": states_legend()},
        charts=tuple(charts),
        payload={
            "specs": {name: themed(spec, BROWSER_FONT) for name, spec in specifications().items()},
            "stripHeight": STRIP_HEIGHT,
        }
        if choices
        else None,
        files=files,
    )


def _older(machines: tuple[MachineRuns, ...]) -> Iterator[tuple[int, Run]]:
    """Yield the runs that are not shown, the newest first, with the index of their machine."""
    older = []
    for index, machine in enumerate(machines):
        shown = {run.record.run_id for run in machine.shown.each}
        older += [(run.record.run_id, index, run) for run in machine.runs if run.record.run_id not in shown]
    for _run_id, index, run in sorted(older, key=lambda found: found[0], reverse=True):
        yield index, run


def _key(run: Run) -> str:
    return f"{FOLDER}/{run.record.run_id}"


def _path(run: Run) -> str:
    return f"{_key(run)}.js"


def _choice(run: Run, full: bool) -> dict[str, Any]:
    text = run_label(replace(run, pooled_with=()))  # the file has the samples of this run alone
    text += "" if full else ", quartiles"
    return {"key": _key(run), "id": run.record.run_id, "text": text}
