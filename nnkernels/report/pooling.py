"""The rules by which several runs may be pooled into one headline."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from nnkernels.errors import ResultsError
from nnkernels.measure.records.run import RunRecord

MIN_RUNS = 5
MIN_TIME_APART = timedelta(hours=1)


def require_poolable(records: Sequence[RunRecord]) -> None:
    """Check that runs may be pooled.

    There must be at least :data:`MIN_RUNS` of them, and each must have started at least :data:`MIN_TIME_APART` after
    the one before it. Machine, machine code, data set and package versions must be the same.

    Parameters
    ----------
    records : sequence of RunRecord
        The runs, in any order.

    Raises
    ------
    ResultsError
        If a rule is violated. The message names the runs.
    """
    if len(records) < MIN_RUNS:
        raise ResultsError(
            f"{len(records)} runs cannot be pooled: at least {MIN_RUNS} are required. Publish a single run, or "
            "record more with `nnkernels bench --profile headline`, each at least an hour after the previous one"
        )
    first, *others = sorted(records, key=start_time)
    for other in others:
        for what, here, there in zip(_SAME, _identity(first), _identity(other), strict=True):
            if here != there:
                pair = f"{first.run_id} and {other.run_id}"
                raise ResultsError(f"{pair} cannot be pooled because their {what} differ: {_difference(here, there)}")
    if not first.provenance.get("machine_code"):
        raise ResultsError(f"{first.run_id} cannot be pooled: its record has no hash of the machine code")
    for earlier, later in itertools.pairwise([first, *others]):
        apart = start_time(later) - start_time(earlier)
        if apart < MIN_TIME_APART:
            raise ResultsError(
                f"{earlier.run_id} and {later.run_id} cannot be pooled: they started {apart.total_seconds() / 60:.0f} "
                "minutes apart, but at least 60 are required; leave one of them out"
            )


def intervals_note(records: Sequence[RunRecord]) -> str:
    """Describe the intervals of a run: what they are computed over, and which variation they include.

    Parameters
    ----------
    records : sequence of RunRecord
        One run, or several pooled ones, oldest first.

    Returns
    -------
    text : str
        A few sentences.
    """
    if len(records) == 1:
        return (
            "One run: brackets show 95 % confidence intervals over its processes (test error: over seeds). Hours "
            "differ by more than these intervals; a result pooled from several runs includes that variation."
        )
    days = [f"{start_time(record):%Y-%m-%d %H:%M}" for record in (records[0], records[-1])]
    return (
        f"Pooled from {len(records)} runs on {records[-1].machine}, {days[0]} to {days[1]} UTC, started at least an "
        "hour apart. Brackets show 95 % confidence intervals over the means of the runs (test error: over seeds). They "
        "include the variation between hours, and may be wider than those of a single run."
    )


def start_time(record: RunRecord) -> datetime:
    """Return the time at which a run started.

    Parameters
    ----------
    record : RunRecord
        The run.

    Returns
    -------
    time : datetime
        In UTC.
    """
    return datetime.fromisoformat(record.recorded_at)


_SAME = ("machines", "machine codes", "data sets", "packages")


def _identity(record: RunRecord) -> tuple[Any, ...]:
    provenance = record.provenance
    packages = {name: version for name, version in provenance["packages"].items() if name != "nnkernels"}
    data = f"{record.dataset} ({provenance['dataset']['sha256'][:8]})"
    return record.machine, provenance.get("machine_code", "not recorded"), data, packages


def _difference(here: Any, there: Any) -> str:
    if isinstance(here, dict):
        names = sorted(name for name in {*here, *there} if here.get(name) != there.get(name))
        return ", ".join(f"{name} {here.get(name, 'absent')} and {there.get(name, 'absent')}" for name in names)
    return f"{here[:40]} and {there[:40]}"
