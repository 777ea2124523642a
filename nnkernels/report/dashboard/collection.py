"""What the dashboard shows: all recorded runs that can be read, by machine, and notes on those that cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nnkernels.errors import ResultsError
from nnkernels.measure.records.run import REMEDY
from nnkernels.measure.timing.scenarios import EPOCH
from nnkernels.report.dashboard.machine_labels import machine_labels
from nnkernels.report.dashboard.readable_run import conflict_message, has_conflict, read_run
from nnkernels.report.pooling import require_poolable, start_time
from nnkernels.report.ratios import PairedRatios
from nnkernels.report.runs import Run, published_ids

MAIN_DATASET = "mnist"
RECENT = 5  # runs among which the one with the most contenders stands for a machine
NOTHING = "results/runs/ contains no run that can be shown: record one with `nnkernels bench`"


@dataclass(frozen=True)
class MachineRuns:
    """The recorded runs of one machine on one data set.

    Attributes
    ----------
    machine : str
        The stable id of the machine.
    label : str
        A name for people, for example ``AMD Zen 3, 2 CPUs``. On another data set than MNIST, it names the data set.
    runs : tuple of Run
        Its runs, each by itself, oldest first. Runs whose record says why they are not part of the history
        (``record.unrecorded``) are among them.
    shown : Run
        The run that stands for the machine; :func:`choose_shown` has the rule.
    dataset : str
        The name of the data set.
    """

    machine: str
    label: str
    runs: tuple[Run, ...]
    shown: Run
    dataset: str = MAIN_DATASET


@dataclass(frozen=True)
class Collection:
    """All that the page is made from. Runs on different data sets are never mixed.

    Attributes
    ----------
    root : Path
        The root of the checkout.
    machines : tuple of MachineRuns
        The machines with runs on the main data set: that of the published runs, otherwise MNIST if there is a run on
        it, otherwise that of the newest run. The machine of the published runs is first, then by the newest run. Empty
        if there is no readable run.
    notes : tuple of str
        One sentence for each file that cannot be read: which, relative to the root, why, and what to do. Also whether
        nothing is recorded or published.
    other_datasets : tuple of MachineRuns
        The machines with runs on other data sets, one entry for each data set.
    """

    root: Path
    machines: tuple[MachineRuns, ...]
    notes: tuple[str, ...]
    other_datasets: tuple[MachineRuns, ...] = ()
    _ratios: dict[tuple[str, ...], PairedRatios] = field(default_factory=dict, repr=False, compare=False)

    def ratios(self, run: Run) -> PairedRatios:
        """Return the paired ratios of a run, which are computed once.

        Parameters
        ----------
        run : Run
            A run of the collection, or several pooled ones.

        Returns
        -------
        ratios : PairedRatios
            Its ratios.
        """
        key = tuple(one.record.run_id for one in run.each)
        if key not in self._ratios:
            self._ratios[key] = PairedRatios(*(one.interleaved for one in run.each))
        return self._ratios[key]

    @property
    def everything(self) -> tuple[MachineRuns, ...]:
        """The machines on the main data set, then those on others."""
        return (*self.machines, *self.other_datasets)


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
    found_runs, notes = _readable(root / "results" / "runs")
    runs = [run for run, _ratios in found_runs]
    published, published_notes = _published(root / "results", runs)
    notes += published_notes
    if not runs:
        notes.append(NOTHING)
    dataset = _main_dataset(published, runs)
    labels = machine_labels({run.record.machine: run.record.provenance for run in runs})
    keys = dict.fromkeys((run.record.dataset, run.record.machine) for run in ([published] if published else []))
    keys |= dict.fromkeys((run.record.dataset, run.record.machine) for run in reversed(runs))
    found = [_machine_runs(key, runs, published, labels) for key in keys]
    return Collection(
        root,
        tuple(one for one in found if one.dataset == dataset),
        tuple(note.removeprefix(f"{root}/") for note in notes),
        tuple(one for one in found if one.dataset != dataset),
        {(run.record.run_id,): ratios for run, ratios in found_runs},
    )


def choose_shown(runs: Sequence[Run], published: Run | None = None) -> Run:
    """Choose the run that stands for a machine.

    The published runs, pooled, stand for their machine. For another machine, runs are preferred that are part of the
    history, then those that time the epoch, then those of a larger profile than ``quick``. Of the newest :data:`RECENT`
    that remain, the one that timed the most contenders in the epoch is chosen, and of equal ones the newest. So neither
    a quick run nor one of a few contenders hides a complete one, and a complete one does not stand for ever.

    Parameters
    ----------
    runs : sequence of Run
        The runs of one machine on one data set, oldest first. At least one.
    published : Run, optional
        The published runs, pooled.

    Returns
    -------
    shown : Run
        The published runs if they are of this machine and data set, otherwise one of ``runs``.
    """
    record = runs[0].record
    if published and (published.record.machine, published.record.dataset) == (record.machine, record.dataset):
        return published

    def preference(run: Run) -> tuple[bool, bool, bool]:
        return not run.record.unrecorded, bool(_timed(run)), run.record.profile != "quick"

    best = max(map(preference, runs))
    recent = [run for run in runs if preference(run) == best][-RECENT:]
    return max(reversed(recent), key=lambda run: len(_timed(run)))


def _timed(run: Run) -> set[str]:
    """Return the contenders that were timed in the epoch."""
    labels = {label for measured in run.interleaved for label in measured.seconds.get(EPOCH, {})}
    return {label.rpartition("@")[0] for label in labels}


def _readable(folder: Path) -> tuple[list[tuple[Run, PairedRatios]], list[str]]:
    runs, notes = [], []
    for path in sorted(path for path in folder.glob("*") if path.is_dir()):
        try:
            if not (path / "run.json").exists():
                raise ResultsError(f"{path / 'run.json'}: does not exist; {REMEDY}")
            runs.append(read_run(path))
        except ResultsError as error:
            notes.append(str(error))
    return sorted(runs, key=lambda found: (start_time(found[0].record), found[0].record.run_id)), notes


def _published(results: Path, runs: Sequence[Run]) -> tuple[Run | None, list[str]]:
    """Return the published runs, pooled, as far as they can be read, and what is wrong with them."""
    path = results / "published.json"
    if not path.exists():
        return None, (["no run is published; publish one with `nnkernels publish --pin RUN`"] if runs else [])
    if has_conflict(path):
        return None, [conflict_message(path)]
    try:
        names = published_ids(results)
    except ResultsError as error:
        return None, [str(error)]
    except RecursionError:
        return None, [f"{path}: damaged, nested too deeply; restore it from git"]
    by_id = {run.record.run_id: run for run in runs}
    notes = [
        f"{path}: publishes {name}, which cannot be read from results/runs/: restore it from git, or publish other "
        "runs with `nnkernels publish --pin RUN`"
        for name in names
        if name not in by_id
    ]
    found = [run for run in runs if run.record.run_id in names]
    if len(found) > 1:
        try:
            require_poolable([run.record for run in found])
        except ResultsError as error:
            return None, [*notes, f"{path}: {error}"]
    return (replace(found[-1], pooled_with=tuple(found[:-1])) if len(found) > 1 else next(iter(found), None)), notes


def _main_dataset(published: Run | None, runs: Sequence[Run]) -> str:
    names = [run.record.dataset for run in runs]
    if published:
        return published.record.dataset
    return MAIN_DATASET if MAIN_DATASET in names or not names else names[-1]


def _machine_runs(
    key: tuple[str, str], runs: Sequence[Run], published: Run | None, labels: dict[str, str]
) -> MachineRuns:
    dataset, machine = key
    own = tuple(run for run in runs if (run.record.dataset, run.record.machine) == key)
    label = labels[machine] + ("" if dataset == MAIN_DATASET else f", on {dataset}")
    return MachineRuns(machine, label, own, choose_shown(own, published), dataset)
