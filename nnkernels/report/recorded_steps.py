"""The recorded times of the steps from naive to fast: finding them in the runs, and their ratios."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nnkernels.errors import ResultsError
from nnkernels.measure.records.run import STEPS_FILE, read_steps
from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.measure.timing.step_times import STEPS_EPOCH
from nnkernels.report.ratios import PairedRatios
from nnkernels.report.runs import NEWEST, Run, find_run, readable, run_folders
from nnkernels.statistics import Estimate
from nnkernels.steps import Step

COMMAND = "nnkernels bench --profile standard"


@dataclass(frozen=True)
class StepTimes:
    """Times of the steps in a run.

    Attributes
    ----------
    run : Run
        The run.
    processes : list of InterleavedRun
        One per process.
    """

    run: Run
    processes: list[InterleavedRun]

    @cached_property
    def _ratios(self) -> PairedRatios:
        return PairedRatios(self.processes)

    def seconds(self, step: Step) -> Estimate | None:
        """Return the seconds per epoch of a step.

        Parameters
        ----------
        step : Step
            The step.

        Returns
        -------
        seconds : Estimate or None
            With an interval over processes; None if the run has not timed the step.
        """
        return self._ratios.seconds(STEPS_EPOCH, step.name, step.threads)

    def times_as_fast(self, step: Step, other: Step) -> Estimate | None:
        """Return how many times as fast a step is as another.

        Parameters
        ----------
        step, other : Step
            The steps.

        Returns
        -------
        ratio : Estimate or None
            Geometric mean of paired ratios, with an interval over processes; None if the run has not timed both.
        """
        return self._ratios.at(STEPS_EPOCH, (step.name, step.threads), (other.name, other.threads))


def find_step_times(results: Path, name: str = NEWEST) -> StepTimes | None:
    """Find the step times of a run.

    Parameters
    ----------
    results : Path
        The results folder.
    name : str
        ``newest`` (of the runs that have timed the steps), ``published``, or the beginning of a run's id.

    Returns
    -------
    times : StepTimes or None
        None if ``name`` is ``newest`` and no run has timed the steps.

    Raises
    ------
    ResultsError
        If the named run does not exist, is damaged, or has not timed the steps.
    """
    if name == NEWEST:
        return _newest_times(readable(_folders_with_steps(results)), results)
    if times := _newest_times(reversed(find_run(results, name).each), results):
        return times
    raise ResultsError(f"run {name} did not time the steps; `{COMMAND}` times them")


def published_step_times(results: Path, published: Run) -> StepTimes | None:
    """Find the step times to publish: those of the published runs, otherwise those of the newest run that has any.

    Parameters
    ----------
    results : Path
        The results folder.
    published : Run
        The published run or runs.

    Returns
    -------
    times : StepTimes or None
        None if no run has timed the steps.
    """
    return _newest_times(reversed(published.each), results) or find_step_times(results)


def _folders_with_steps(results: Path) -> Iterator[Path]:
    return (folder for folder in reversed(run_folders(results)) if (folder / STEPS_FILE).exists())


def _newest_times(newest_first: Iterable[Run], results: Path) -> StepTimes | None:
    for run in newest_first:
        if processes := read_steps(results / "runs" / run.record.run_id):
            return StepTimes(run, processes)
    return None
