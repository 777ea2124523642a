"""The check, checked: how often it raises a false alarm, and how large a slowdown has to be for it to be found.

Each check is that of the working tree against its own commit, so that nothing is slower but for what is injected.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError
from nnkernels.measure.records import provenance
from nnkernels.measure.regression.base_worktree import changed_files
from nnkernels.measure.regression.check import PACKAGE_FOLDER, run_check
from nnkernels.measure.regression.comparisons import SCENARIOS, choose
from nnkernels.measure.regression.measuring import Plan, Tell
from nnkernels.measure.regression.neighbour import busy_neighbour
from nnkernels.measure.regression.outcome import NOT_MEASURED, Found, outcome_of
from nnkernels.measure.regression.record import CheckRecord, read_record, write_record
from nnkernels.measure.regression.rule import CONFIDENCE

# The tree does one batch more for each so many; 0: none. Checks go round, so that a self-test that is stopped has some
# of each.
ROUND = (0, 50, 0, 20, 0, 100, 0, 10, 0, 5, 0, 2)


@dataclass(frozen=True)
class Rate:
    """A share of cases, with Clopper and Pearson's 95 % interval.

    Attributes
    ----------
    count, cases : int
    low, high : float
        0 and 1 where there are no cases.
    """

    count: int
    cases: int
    low: float
    high: float


@dataclass(frozen=True)
class Figures:
    """What the self-test found under one condition.

    Attributes
    ----------
    neighbour : bool
    injected : float
        The slowdown of the tree, as a share.
    checks : int
    seconds : float
        The median of a check, compiling included.
    alarms : Rate
        Comparisons that were called slower: false alarms where nothing was injected, else detections.
    alarms_where_resolved : Rate
        The same of the comparisons whose resolution is no worse than what was injected, or, where nothing was, than
        what was asked for.
    covered : Rate
        Comparisons whose 95 % interval holds the ratio 1, where nothing was injected.
    ratio : float
        The median over comparisons, of the tree's time to the base's.
    not_resolved : Rate
        Comparisons whose resolution is worse than asked for.
    not_measured : Rate
        Checks that ended with the status 2.
    resolution : float
        The median over comparisons, as a share.
    """

    neighbour: bool
    injected: float
    checks: int
    seconds: float
    alarms: Rate
    alarms_where_resolved: Rate
    covered: Rate
    ratio: float
    not_resolved: Rate
    not_measured: Rate
    resolution: float


def run_selftest(
    root: Path,
    results: Path,
    dataset: Dataset,
    backends: Sequence[str],
    plan: Plan,
    minutes: float,
    neighbour: bool = False,
    tell: Tell = lambda _: None,
) -> Path:
    """Go on with the self-test of this machine for some minutes; each check is a file as soon as it is over.

    Parameters
    ----------
    root : Path
        The working tree; its package has to be that of its commit.
    results : Path
        The folder of self-tests; each machine has a folder in it.
    minutes : float
        After which no check is begun; at least one is.
    neighbour : bool
        Whether a busy neighbour runs beside the checks.

    Returns
    -------
    folder : Path
        Of this machine's checks.

    Raises
    ------
    ConfigurationError
        If the package has changes, or the checks so far are by another method.
    """
    if changed := changed_files(root, "HEAD", PACKAGE_FOLDER):
        raise ConfigurationError(
            f"the self-test compares a commit with itself, and {', '.join(changed[:5])} differs from HEAD: commit or "
            "undo the changes first"
        )
    folder = results / provenance.machine_name()
    require_same_method(folder, plan)
    ends = time.monotonic() + 60 * minutes
    for repeat_every in _to_come(load_records(folder), neighbour):
        tell(f"a slowdown of {1 / repeat_every:.0%}" if repeat_every else "nothing slower")
        scenarios = [name for name, one in SCENARIOS.items() if one.kind == "train" or not repeat_every]
        comparisons = choose(backends, scenarios, repeat_every)
        with busy_neighbour() if neighbour else nullcontext():
            record = run_check(root, "HEAD", dataset, comparisons, plan, neighbour=neighbour, tell=tell)
        write_record(folder / _file_name(record), record)
        if time.monotonic() >= ends:
            break
    return folder


def require_same_method(folder: Path, plan: Plan) -> None:
    """Raise ConfigurationError if a folder holds a check by another method than the plan's."""
    for record in load_records(folder):
        if record.method != plan.method():
            differing = [
                f"{key} {record.method.get(key)} there, {value} here"
                for key, value in plan.method().items()
                if record.method.get(key) != value
            ]
            raise ConfigurationError(
                f"{folder} holds checks by another method ({'; '.join(differing) or 'more is recorded there'}), which "
                "are never put together with others: delete them, or choose another folder"
            )


def load_records(folder: Path) -> list[CheckRecord]:
    """Return the checks of a machine's folder, oldest first; raises ResultsError if one is damaged."""
    return [read_record(path) for path in sorted(folder.glob("*.json"))]


def figures_of(records: Sequence[CheckRecord]) -> list[Figures]:
    """Return the figures of each condition that was measured, the quiet machine first, derived from raw samples."""
    conditions = sorted({(record.neighbour, _injected(record)) for record in records})
    return [
        _figures(*condition, [one for one in records if (one.neighbour, _injected(one)) == condition])
        for condition in conditions
    ]


def rate(count: int, cases: int) -> Rate:
    """Return a share with its exact interval."""
    from scipy import stats

    if not cases:
        return Rate(0, 0, 0.0, 1.0)
    interval = stats.binomtest(count, cases).proportion_ci(CONFIDENCE, "exact")
    return Rate(count, cases, float(interval.low), float(interval.high))


def _figures(neighbour: bool, injected: float, records: Sequence[CheckRecord]) -> Figures:
    import numpy as np

    outcomes = [outcome_of(record) for record in records]
    found = [one for outcome in outcomes for one in outcome.found]
    judged = [(one, one.verdict) for one in found if one.verdict is not None]
    sufficient = [one for one, verdict in judged if verdict.resolution <= (injected or one.resolve)]
    # An injected slowdown is exact in batches; in time, what a call costs by itself takes a little off.
    same = [] if injected else [verdict for _, verdict in judged]
    return Figures(
        neighbour,
        injected,
        len(records),
        float(np.median([record.seconds for record in records])),
        _share_slower(found),
        _share_slower(sufficient),
        rate(sum(verdict.low <= 1 <= verdict.high for verdict in same), len(same)),
        float(np.median([verdict.ratio for _, verdict in judged])) if judged else float("nan"),
        rate(sum(not one.resolved for one in found), len(found)),
        rate(sum(outcome.status == NOT_MEASURED for outcome in outcomes), len(outcomes)),
        float(np.median([verdict.resolution for _, verdict in judged])) if judged else float("inf"),
    )


def _share_slower(found: Sequence[Found]) -> Rate:
    return rate(sum(one.slower for one in found), len(found))


def _injected(record: CheckRecord) -> float:
    return max(comparison.injected for comparison in record.comparisons)


def _to_come(records: Sequence[CheckRecord], neighbour: bool) -> Iterator[int]:
    """Yield what each check to come injects: the round goes on where it was."""
    done = sum(record.neighbour == neighbour for record in records)
    while True:
        yield ROUND[done % len(ROUND)]
        done += 1


def _file_name(record: CheckRecord) -> str:
    at = "".join(character for character in record.recorded_at[:19] if character.isalnum())
    return f"{at}Z-{'neighbour' if record.neighbour else 'quiet'}-{100 * _injected(record):.0f}-percent.json"
