"""Loading of one run for the page, with a check that all parts of the page can use what it contains.

Files of other projects, files with conflict marks of a merge, and files that were cut off must not stop the page. So
everything that the page will read is read here once, and the first problem becomes a note.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from nnkernels.errors import ResultsError, one_line
from nnkernels.measure.records.run import REMEDY
from nnkernels.measure.timing.threads import SETTINGS
from nnkernels.report.asv_rows import measured_rows
from nnkernels.report.pooling import start_time
from nnkernels.report.ratios import PairedRatios
from nnkernels.report.runs import Run, load_run

CONFLICT = "<<<<<<< "
_TEXTS = ("run_id", "unrecorded", "recorded_at", "commit", "machine", "dataset", "profile")
_PROVENANCE = ("python", "packages", "cpu", "microarchitecture", "cpus", "blas", "dataset", "tree")


def read_run(folder: Path) -> tuple[Run, PairedRatios]:
    """Load a run with its ratios, and check what the page uses.

    Parameters
    ----------
    folder : Path
        The folder of the run.

    Returns
    -------
    run : Run
        The run.
    ratios : PairedRatios
        Its paired ratios.

    Raises
    ------
    ResultsError
        If a file is missing, damaged, or of another format version. The message names the file, what is wrong, and what
        to do.
    """
    try:
        run = load_run(folder)
    except (ResultsError, RecursionError) as error:
        marked = [path for path in sorted(folder.glob("*.json")) if has_conflict(path)]
        if marked:
            raise ResultsError(conflict_message(marked[0])) from error
        if isinstance(error, RecursionError):
            raise ResultsError(f"{folder}: damaged, a file is nested too deeply; {REMEDY}") from error
        raise
    ratios = PairedRatios()
    for name, check in (("run.json", _check_record), ("panels.json", _check_times), ("asv.json", _check_asv)):
        try:
            problem = check(run)
            if check is _check_times and not problem:
                ratios = PairedRatios(run.interleaved)  # fails if a record of turns does not fit the times
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            problem = one_line(error)
        if problem:
            raise ResultsError(f"{folder / name}: damaged, {problem}; {REMEDY}")
    if run.record.run_id != folder.name:
        raise ResultsError(
            f"{folder / 'run.json'}: the run's id is {run.record.run_id!r}, but its folder is {folder.name!r}: rename "
            "the folder or restore it from git"
        )
    return run, ratios


def has_conflict(path: Path) -> bool:
    """Return whether a file has the conflict marks of a merge.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    has_conflict : bool
        True if a line begins with the mark.
    """
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError:
        return False
    return text.startswith(CONFLICT) or f"\n{CONFLICT}" in text


def conflict_message(path: Path) -> str:
    """Return the message for a file with conflict marks.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    message : str
        What is wrong and what to do.
    """
    return f"{path}: contains the conflict marks of a merge; resolve the conflict, for example with `git checkout`"


def _check_record(run: Run) -> str:
    record = run.record
    for name in _TEXTS:
        if not isinstance(getattr(record, name), str):
            return f"{name} is not a text"
    if not re.fullmatch(r"[0-9a-f]{40}", record.commit) and not record.unrecorded:
        return f"commit is {record.commit!r}, not the full hash of a commit"
    if start_time(record).tzinfo is None:
        return f"recorded_at is {record.recorded_at!r}, a time without a time zone"
    missing = [name for name in _PROVENANCE if name not in record.provenance]
    if missing:
        return f"provenance has no {missing[0]}"
    if not record.provenance["dataset"]["sha256"] or not isinstance(record.provenance["packages"], dict):
        return "provenance is incomplete"
    return ""


def _check_times(run: Run) -> str:
    for measured in run.interleaved:
        measured.failures.items()
        for work, seconds in measured.seconds.items():
            if not isinstance(work, str):
                return "the name of a work is not a text"
            for label, rounds in seconds.items():
                if label.rpartition("@")[2] not in SETTINGS:
                    return f"{label!r} is not a contender with a thread setting"
                if not rounds or not all(0 < value < math.inf for round_ in rounds for value in round_ or (0,)):
                    return f"the times of {label} in {work!r} are not rounds of positive numbers"
    return ""


def _check_asv(run: Run) -> str:
    for row, _samples_are_seeds, values in measured_rows(run.asv_results):
        if not values.size or not np.isfinite(values).all():
            return f"the values of {row['benchmark']} are not numbers"
    return ""
