"""The series that the recorded runs of a machine consist of."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

from nnkernels.measure.timing.scenarios import EPOCH, ONE_IMAGE, TEN_THOUSAND
from nnkernels.report.asv_rows import measured_rows
from nnkernels.report.dashboard.collection import Collection, MachineRuns
from nnkernels.report.dashboard.conditions import conditions, limit_conditions
from nnkernels.report.dashboard.kinds import FRAMEWORK, ONLY_PREDICTS, kind
from nnkernels.report.dashboard.series import CONTROL, JUDGED, LIMIT, Key, Measured, Series, build_series
from nnkernels.report.ratios import BASELINE, YARDSTICK, PairedRatios
from nnkernels.report.runs import Run
from nnkernels.report.summary import OLD_ONE_IMAGE
from nnkernels.statistics import student

WORKS = (EPOCH, ONE_IMAGE, OLD_ONE_IMAGE, TEN_THOUSAND)
LIMITS = "limits."
LIMIT_NAMES = {
    "limits.Bound.track_epoch": "bound of an epoch",
    "limits.Bound.track_inference": "bound of 10,000 predictions",
    "limits.Peak.track_seconds_per_gflop": "matrix products",
    "limits.Reading.track_seconds_per_gb": "reading memory",
}


def recorded_series(collection: Collection, machine: MachineRuns, runs: Sequence[Run]) -> list[Series]:
    """Return the series of a machine.

    Parameters
    ----------
    collection : Collection
        The recorded runs.
    machine : MachineRuns
        The machine.
    runs : sequence of Run
        Its runs that are part of the history, oldest first.

    Returns
    -------
    series : list of Series
        The ratio to NumPy on one thread of each contender and thread setting at each of :data:`WORKS`, and the limits
        of the hardware. The judged ones first, then the controls, then the limits.
    """
    measured: dict[Key, tuple[str, str, list[Measured]]] = {}
    for run in runs:
        ratios = collection.ratios(run)
        for role, unit, key, one in itertools.chain(_ratios(machine, run, ratios), _limits(machine, run)):
            measured.setdefault(key, (role, unit, []))[2].append(one)
    series = [build_series(key, role, unit, found) for key, (role, unit, found) in measured.items()]
    return sorted(series, key=lambda one: (JUDGED, CONTROL, LIMIT).index(one.role))


def _ratios(machine: MachineRuns, run: Run, ratios: PairedRatios) -> Iterator[tuple[str, str, Key, Measured]]:
    for work in WORKS:
        for name, threads in ratios.labels(work):
            estimate = None if (name, threads) == YARDSTICK else ratios.at(work, (name, threads), YARDSTICK)
            if estimate:
                role = CONTROL if kind(name) in (FRAMEWORK, ONLY_PREDICTS) else JUDGED
                key = Key(machine.machine, machine.dataset, work, name, threads, BASELINE)
                yield role, "x NumPy", key, Measured(run, estimate, conditions(run, work, name))


def _limits(machine: MachineRuns, run: Run) -> Iterator[tuple[str, str, Key, Measured]]:
    for row, logs in limit_values(run):
        described = [value for name, value in row.items() if name not in ("benchmark", "contender", "threads", "unit")]
        benchmark = LIMIT_NAMES.get(row["benchmark"], row["benchmark"].removeprefix(LIMITS))
        work = ", ".join([benchmark, *described])
        key = Key(machine.machine, machine.dataset, work, "", row["threads"], "")
        yield LIMIT, row["unit"], key, Measured(run, student(logs).exp(), limit_conditions(run))


def limit_values(run: Run) -> Iterator[tuple[dict[str, str], list[float]]]:
    """Return the measured limits of the hardware.

    Parameters
    ----------
    run : Run
        A single run.

    Yields
    ------
    row : dict of str to str
        The benchmark, its parameters and its unit.
    logs : list of float
        The natural logarithm of the value from each process.
    """
    for row, _samples_are_seeds, values in measured_rows(run.asv_results):
        if row["benchmark"].startswith(LIMITS) and (values > 0).all():
            yield row, [math.log(value) for value in values.tolist()]
