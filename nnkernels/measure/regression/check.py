"""A check of the working tree against a base commit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError
from nnkernels.measure.correctness.compiled import require_compiled
from nnkernels.measure.records import provenance
from nnkernels.measure.regression import rule
from nnkernels.measure.regression.base_worktree import base_worktree, changed_files, find_commit
from nnkernels.measure.regression.budget import Limit, require_measured
from nnkernels.measure.regression.comparisons import Comparison
from nnkernels.measure.regression.measuring import Plan, ShowProgress, measure
from nnkernels.measure.regression.record import CheckRecord, now
from nnkernels.measure.regression.sides import Tree

PACKAGE_FOLDER = "nnkernels"


def run_check(
    root: Path,
    base: str,
    dataset: Dataset,
    comparisons: Sequence[Comparison],
    plan: Plan,
    limits: Sequence[Limit] = (),
    neighbour: bool = False,
    show_progress: ShowProgress = lambda _: None,
) -> CheckRecord:
    """Compare nnkernels in a working tree, including uncommitted changes, with that of a commit.

    Parameters
    ----------
    root : Path
        The working tree.
    base : str
        The base commit: a branch, a tag, a hash, or an expression such as ``HEAD~3``.
    dataset : Dataset
        Training and test images.
    comparisons : sequence of Comparison
        What to compare.
    plan : Plan
        Duration and resolution.
    limits : sequence of Limit
        Limits that are evaluated later. Here they only share the check's significance level with the comparisons.
    neighbour : bool
        Whether the caller has started a busy neighbour, for the record.
    show_progress : callable
        ``show_progress(text)``; called with progress messages.

    Returns
    -------
    record : CheckRecord
        All samples, with their provenance.

    Raises
    ------
    ConfigurationError
        If there is no such commit, if a limit is for something that is not measured, or if Numba's compiler is
        disabled.
    GateError
        If a backend of either side fails the gate.
    MeasurementError
        If a side cannot be measured.
    """
    require_compiled()
    require_measured(limits, comparisons)
    if not (plan.minutes > 0 and plan.resolve > 0):
        raise ConfigurationError("the time limit and the resolution must be positive")
    commit = find_commit(root, base)
    started, recorded_at = time.monotonic(), now()
    error = rule.error_per_comparison(len(comparisons) + len(limits))
    with base_worktree(root, commit) as checked_out:
        sides = Tree("base", checked_out), Tree("tree", root)
        ready, pairs = measure(*sides, dataset, comparisons, plan, error, show_progress)
    return CheckRecord(
        recorded_at=recorded_at,
        method=plan.method(),
        error=error,
        base=commit,
        tree=_state(root),
        machine=provenance.machine_name(),
        dataset=dataset.name,
        neighbour=neighbour,
        seconds=round(time.monotonic() - started, 1),
        comparisons=ready,
        pairs=pairs,
        provenance=provenance.collect(dataset, timed=True),
    )


def _state(root: Path) -> str:
    commit = find_commit(root, "HEAD")
    changed = changed_files(root, commit, PACKAGE_FOLDER)
    return f"{commit} with changes in {', '.join(changed)}" if changed else commit
