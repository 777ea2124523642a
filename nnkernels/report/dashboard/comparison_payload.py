"""The comparisons as compact JSON, for the script of the page.

A work has a list of ``cells``, and tables of positions in it. A cell is a list::

    [value text, interval text, value, low, high, samples, threads, threads of the reference, is_faster]

``low`` and ``high`` are null if there is no interval, and the numbers are for the axes of charts. A negative position
``-k`` means that there is no number; ``reasons[k - 1]`` says why.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from nnkernels.report.dashboard.collection import Collection, MachineRuns
from nnkernels.report.dashboard.commits import SHORT
from nnkernels.report.dashboard.comparison import Cell, WorkComparison, cell_texts, compare
from nnkernels.report.dashboard.kinds import description, kind
from nnkernels.report.pooling import start_time
from nnkernels.report.runs import Run

DETAILED = 3  # older runs of each machine, the newest first, that have all of their comparisons
OFFERED = 30  # older runs of each machine, the newest first, that can be chosen
FOLDER = "comparisons"


def payload(collection: Collection) -> dict[str, Any]:
    """Return what the page contains: the list of runs, and the comparisons of the run that stands for each machine.

    Parameters
    ----------
    collection : Collection
        The recorded runs.

    Returns
    -------
    payload : dict
        ``machines``: for each, ``id``, ``label``, ``dataset``, ``shown`` (the key of its run) and ``runs``, the keys
        of its runs that can be chosen, the newest first. ``runs``: for each key, ``label`` and ``note``, and either the
        fields of :func:`run_payload` or ``file``, the name under which a file beside the page registers them.
        ``contenders``: for each name, ``kind`` and ``description``.
    """
    machines, runs = [], {}
    for machine in collection.everything:
        keys = []
        for run in (machine.shown, *_older(machine)):
            key = run_key(run)
            keys.append(key)
            runs[key] = {"label": run_label(run), "note": run.record.unrecorded}
            if run is machine.shown:
                runs[key] |= run_payload(collection, run)
            else:
                runs[key]["file"] = f"{FOLDER}/{key}"
        machines.append(
            {
                "id": machine.machine,
                "label": machine.label,
                "dataset": machine.dataset,
                "shown": keys[0],
                "runs": keys,
            }
        )
    names = sorted({name for machine in collection.everything for run in machine.runs for name in _names(run)})
    return {
        "machines": machines,
        "runs": runs,
        "contenders": {name: {"kind": kind(name), "description": description(name)} for name in names},
    }


def files(collection: Collection) -> dict[str, str]:
    """Return the files beside the page: the comparisons of the older runs, each as a script that registers them.

    The newest :data:`DETAILED` older runs of each machine have all comparisons. The others are summarised; see
    :func:`~nnkernels.report.dashboard.comparison.compare`. Only the newest :data:`OFFERED` have a file.

    Parameters
    ----------
    collection : Collection
        The recorded runs.

    Returns
    -------
    files : dict of str to str
        Content by relative path.
    """
    found = {}
    for machine in collection.everything:
        for age, run in enumerate(_older(machine)):
            name = f"{FOLDER}/{run_key(run)}"
            content = _json(run_payload(collection, run, summarised=age >= DETAILED))
            found[f"{name}.js"] = f"nnkernels.register({json.dumps(name)}, {content});\n"
    return found


def run_payload(collection: Collection, run: Run, summarised: bool = False) -> dict[str, Any]:
    """Return the comparisons of a run.

    Parameters
    ----------
    collection : Collection
        The recorded runs.
    run : Run
        One of them, or several pooled ones.
    summarised : bool, default: False
        Whether to leave out most; see :func:`~nnkernels.report.dashboard.comparison.compare`.

    Returns
    -------
    payload : dict
        ``commit``, ``date``, ``profile``, ``runs`` (how many are pooled), ``samples`` (what the intervals are over),
        ``summarised`` and ``works``.
    """
    record = run.record
    return {
        "commit": record.commit[:SHORT],
        "date": f"{start_time(record):%Y-%m-%d}",
        "profile": record.profile,
        "runs": len(run.each),
        "samples": "processes" if len(run.each) == 1 else "runs",
        "summarised": summarised,
        "works": [_work(work) for work in compare(run, collection.ratios(run), summarised)],
    }


def run_key(run: Run) -> str:
    """Return the key of a run in the payload and in the page's address.

    Parameters
    ----------
    run : Run
        The run, or several pooled ones.

    Returns
    -------
    key : str
        The run's id; of pooled runs, with the number of runs.
    """
    return run.record.run_id if len(run.each) == 1 else f"{run.record.run_id}-pooled-{len(run.each)}"


def run_label(run: Run) -> str:
    """Return a name of a run for people.

    Parameters
    ----------
    run : Run
        The run, or several pooled ones.

    Returns
    -------
    label : str
        For example ``2026-11-28 21:43, standard``, or ``5 runs until 2026-11-28``: short enough for a phone. A run that
        is not part of the history is marked.
    """
    record, count = run.record, len(run.each)
    when = f"{start_time(record):%Y-%m-%d %H:%M}"
    if count > 1:
        return f"{count} runs until {when[:10]}"
    unrecorded = ", not in history" if record.unrecorded else ""
    return f"{when}, {record.profile}{unrecorded}"


def left_out(collection: Collection) -> int:
    """Return how many older runs cannot be chosen, because the site would grow with every run.

    Parameters
    ----------
    collection : Collection
        The recorded runs.

    Returns
    -------
    count : int
        Of all machines together.
    """
    return sum(max(sum(run is not one.shown for run in one.runs) - OFFERED, 0) for one in collection.everything)


def _older(machine: MachineRuns) -> Sequence[Run]:
    return [run for run in reversed(machine.runs) if run is not machine.shown][:OFFERED]


def _names(run: Run) -> set[str]:
    timed = {
        label.rpartition("@")[0] for one in run.interleaved for seconds in one.seconds.values() for label in seconds
    }
    return timed | {key.split(":")[0] for one in run.interleaved for key in one.failures}


def _work(found: WorkComparison) -> dict[str, Any]:
    cells: list[list[Any]] = []
    reasons: list[str] = []
    places: dict[str, int] = {}

    def place(cell: Cell, is_ratio: bool) -> int:
        if cell.estimate is None:
            if cell.reason not in reasons:
                reasons.append(cell.reason)
            return -1 - reasons.index(cell.reason)
        row = _cell(cell, is_ratio)
        known = places.setdefault(json.dumps(row), len(cells))
        if known == len(cells):
            cells.append(row)
        return known

    return {
        "name": found.work,
        "unit": found.unit,
        "contenders": list(found.contenders),
        "references": list(found.references),
        "faster": [found.faster[name] for name in found.contenders],
        "disturbed": found.disturbed,
        "seconds": {
            view: [place(row[name], False) for name in found.contenders] for view, row in found.seconds.items()
        },
        "ratios": {
            view: [[place(rows[other][name], True) for name in found.contenders] for other in found.references]
            for view, rows in found.ratios.items()
        },
        "cells": cells,
        "reasons": reasons,
    }


def _cell(cell: Cell, is_ratio: bool) -> list[Any]:
    estimate = cell.estimate
    assert estimate is not None
    numbers = [_axis(value) for value in (estimate.value, estimate.low, estimate.high)]
    texts = cell_texts(cell, is_ratio)
    return [*texts, *numbers, estimate.samples, cell.threads, cell.against, int(cell.is_faster)]


def _axis(value: float) -> float | None:
    """Return a number for an axis, with as many digits as a chart can show; None for NaN."""
    return None if math.isnan(value) else float(f"{value:.4g}")


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
