"""What the dashboard shows: all recorded runs that can be read, by machine, and notes on those that cannot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nnkernels.errors import ResultsError
from nnkernels.report.runs import PUBLISHED, Run, find_run, load_run, run_folders


@dataclass(frozen=True)
class MachineRuns:
    """The recorded runs of one machine.

    Attributes
    ----------
    machine : str
        The stable id of the machine.
    label : str
        A name for people, for example ``AMD EPYC (znver3), 2 CPUs``.
    runs : tuple of Run
        Its runs, each by itself, oldest first.
    shown : Run
        The run that stands for the machine: the published runs, pooled, if they are of this machine, otherwise the
        newest run.
    """

    machine: str
    label: str
    runs: tuple[Run, ...]
    shown: Run


@dataclass(frozen=True)
class Collection:
    """All that the page is made from.

    Attributes
    ----------
    root : Path
        The root of the checkout.
    machines : tuple of MachineRuns
        The machine of the published runs first, then by the newest run.
    notes : tuple of str
        One sentence for each file that cannot be read: which, why, and what to do.
    """

    root: Path
    machines: tuple[MachineRuns, ...]
    notes: tuple[str, ...]


def collect(root: Path) -> Collection:
    """Read the results of a checkout.

    Parameters
    ----------
    root : Path
        The root of the checkout.

    Returns
    -------
    collection : Collection
        Its runs. Files that cannot be read are named in the notes, and are no error.
    """
    results = root / "results"
    runs, notes = [], []
    for folder in run_folders(results):
        try:
            runs.append(load_run(folder))
        except ResultsError as error:
            notes.append(str(error))
    published = find_run(results, PUBLISHED)
    machines = []
    for machine in dict.fromkeys([published.record.machine, *(run.record.machine for run in reversed(runs))]):
        own = tuple(run for run in runs if run.record.machine == machine)
        shown = published if published.record.machine == machine else own[-1]
        provenance = shown.record.provenance
        label = f"{provenance['cpu']} ({provenance['microarchitecture']}), {provenance['cpus']} CPUs"
        machines.append(MachineRuns(machine, label, own, shown))
    return Collection(root, tuple(machines), tuple(notes))
