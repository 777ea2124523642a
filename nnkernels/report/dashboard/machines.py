"""Machines side by side: paired ratios that each of them measured, and why their seconds are not comparable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnkernels.measure.timing.scenarios import EPOCH, ONE_IMAGE, TEN_THOUSAND
from nnkernels.report.dashboard.collection import Collection, MachineRuns
from nnkernels.report.dashboard.measured import MachineMeasurements, Measured
from nnkernels.report.keras_forms import is_form
from nnkernels.report.ratios import BASELINE, PairedRatio
from nnkernels.report.runs import Run
from nnkernels.report.side_by_side import differences
from nnkernels.report.summary import OLD_ONE_IMAGE

SUBJECTS = ("fused", "numba")
BEST_KERAS = "best Keras"
WORKS = {
    EPOCH: "epoch",
    "epoch, batch 1,024": "epoch, batch 1,024",
    ONE_IMAGE: "one image of 1,000",
    OLD_ONE_IMAGE: "one image, repeated",
    TEN_THOUSAND: "10,000 images",
}
# Conditions that change seconds, in the order of the sentence, each with the beginnings of their recorded names.
CONDITIONS = {
    "CPU": ("cpu", "microarchitecture", "cpus"),
    "BLAS": ("blas",),
    "Python": ("python", "implementation"),
    "versions of packages": ("packages.",),
    "operating system": ("os",),
    "data set": ("dataset.",),
}


@dataclass(frozen=True)
class MachineRatio:
    """A ratio on one machine.

    Attributes
    ----------
    paired : PairedRatio
        The ratio.
    against : str
        The name of the other contender, for example the best form of Keras on this machine.
    measured : Measured
        The run that it comes from.
    """

    paired: PairedRatio
    against: str
    measured: Measured


@dataclass(frozen=True)
class RatioRow:
    """A ratio on all machines.

    Attributes
    ----------
    subject : str
        The contender.
    reference : str
        ``numpy`` or ``best Keras``.
    work : str
        What is timed, for people.
    ratios : tuple of (MachineRatio or None)
        One per machine; None if it did not time both in one process.
    """

    subject: str
    reference: str
    work: str
    ratios: tuple[MachineRatio | None, ...]


def ratio_rows(collection: Collection) -> list[RatioRow]:
    """Return the ratios of all contenders to NumPy and to the best Keras, on all machines.

    Parameters
    ----------
    collection : Collection
        The recorded runs.

    Returns
    -------
    rows : list of RatioRow
        Those of our main kernels first. Only rows that at least one machine measured.
    """
    machines = [MachineMeasurements(collection, machine) for machine in collection.machines]
    rows = [
        RatioRow(subject, reference, label, tuple(_ratio(one, work, subject, reference) for one in machines))
        for subject in _subjects(machines)
        for reference in (BASELINE, BEST_KERAS)
        for work, label in WORKS.items()
    ]
    return [row for row in rows if any(row.ratios)]


def _subjects(machines: Sequence[MachineMeasurements]) -> list[str]:
    """Return our main kernels, then every other contender, except for those with which they are compared."""
    timed = dict.fromkeys(name for one in machines for name in one.shown.ratios.contenders(EPOCH))
    others = [name for name in timed if name not in (*SUBJECTS, BASELINE) and not is_form(name)]
    return [*(name for name in SUBJECTS if name in timed), *others]


def _ratio(machine: MachineMeasurements, work: str, subject: str, reference: str) -> MachineRatio | None:
    measured = machine.at(work)
    if measured is None:
        return None
    threads = measured.ratios.faster_setting(work, subject)
    against = measured.best_keras(work) if reference == BEST_KERAS else reference
    if threads is None or against is None:
        return None
    found = measured.ratios.against(work, (subject, threads), against)
    return MachineRatio(found, against, measured) if found else None


def differing_conditions(machines: Sequence[MachineRuns]) -> dict[str, list[str]]:
    """Return which conditions of the shown runs differ between machines.

    Parameters
    ----------
    machines : sequence of MachineRuns
        The machines.

    Returns
    -------
    conditions : dict of str to list of str
        A name for people, for example ``BLAS``, and what differs, for example ``blas[0].version``. Empty if nothing
        differs or there is only one machine.
    """
    first, *others = machines
    names = list(dict.fromkeys(what for one in others for what, _here, _there in differences(first.shown, one.shown)))
    found = {
        condition: [name for name in names if name.startswith(beginnings)]
        for condition, beginnings in CONDITIONS.items()
    }
    return {condition: differing for condition, differing in found.items() if differing}


def not_comparable(machines: Sequence[MachineRuns]) -> str:
    """Explain why the seconds of machines cannot be compared, from what was recorded.

    Parameters
    ----------
    machines : sequence of MachineRuns
        The machines.

    Returns
    -------
    text : str
        A sentence; empty if there is only one machine.
    """
    if len(machines) < 2:
        return ""
    found = differing_conditions(machines)
    if not found:
        return "No difference of the machines' conditions is recorded, but they are different machines: compare ratios."
    named = [
        f"versions of {_listed([name.removeprefix('packages.') for name in differing])}"
        if condition == "versions of packages"
        else condition
        for condition, differing in found.items()
    ]
    return f"Seconds are not comparable between these machines, because these differ: {'; '.join(named)}."


def conditions(run: Run) -> dict[str, str]:
    """Return the conditions of a run that change seconds, for a table.

    Parameters
    ----------
    run : Run
        The run; of pooled runs, the newest one is described.

    Returns
    -------
    conditions : dict of str to str
        By name. A condition that was not recorded is a dash.
    """
    provenance = run.record.provenance
    blas = [
        f"{one.get('internal_api', '?')} {one.get('version', '?')} ({one.get('architecture', '?')})"
        for one in provenance.get("blas", [])
    ]
    packages = provenance.get("packages", {})
    return {
        "CPU": f"{provenance.get('cpu', '-')} ({provenance.get('microarchitecture', '-')})",
        "CPUs": str(provenance.get("cpus", "-")),
        "BLAS": "; ".join(dict.fromkeys(blas)) or "-",
        "Python": f"{provenance.get('implementation', '')} {provenance.get('python', '-')}".strip(),
        "operating system": str(provenance.get("os", "-")),
        **{str(name): str(version) for name, version in packages.items() if name != "nnkernels"},
    }


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
