"""Where a machine measured a scenario: the run that is shown for it, or its newest run that has the scenario."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nnkernels.report import keras_forms
from nnkernels.report.dashboard.collection import Collection, MachineRuns
from nnkernels.report.keras_forms import KerasForm
from nnkernels.report.ratios import PairedRatios
from nnkernels.report.runs import Run


@dataclass(frozen=True)
class Measured:
    """A run with its paired ratios.

    Attributes
    ----------
    run : Run
        The run, or pooled ones.
    ratios : PairedRatios
        Its ratios.
    is_shown : bool
        Whether it is the run that stands for its machine.
    """

    run: Run
    ratios: PairedRatios
    is_shown: bool

    @property
    def source(self) -> str:
        """What to write beside a number: empty for the shown run, otherwise the id of the run."""
        return "" if self.is_shown else f"run {self.run.record.run_id}"

    def best_keras(self, scenario: str) -> str | None:
        """Return the name of the best form of Keras at a scenario.

        Parameters
        ----------
        scenario : str
            The name of a scenario.

        Returns
        -------
        name : str or None
            None if no form was timed.
        """
        forms: list[KerasForm] = keras_forms.tried(self.ratios, scenario)
        return keras_forms.best(forms)


class MachineMeasurements:
    """The runs of a machine, to be asked for scenarios.

    Parameters
    ----------
    collection : Collection
        The recorded runs, with their ratios.
    machine : MachineRuns
        The machine.
    """

    def __init__(self, collection: Collection, machine: MachineRuns) -> None:
        self.machine = machine
        self._collection = collection
        self._runs = [machine.shown, *(run for run in reversed(machine.runs) if run is not machine.shown)]
        self._measured: dict[int, Measured] = {}

    @property
    def shown(self) -> Measured:
        """The run that stands for the machine."""
        return self._of(0)

    def at(self, scenario: str) -> Measured | None:
        """Return the run that shows a scenario.

        Parameters
        ----------
        scenario : str
            The name of a scenario.

        Returns
        -------
        measured : Measured or None
            The shown run if it timed the scenario, otherwise the newest one that did; None if there is none.
        """
        return self.first(lambda name: name == scenario)

    def first(self, wanted: Callable[[str], bool]) -> Measured | None:
        """Return the shown run if it timed a wanted scenario, otherwise the newest run that did.

        Parameters
        ----------
        wanted : callable
            ``wanted(scenario) -> bool``.

        Returns
        -------
        measured : Measured or None
            None if there is none.
        """
        for index, run in enumerate(self._runs):
            if any(wanted(scenario) for one in run.each for process in one.interleaved for scenario in process.seconds):
                return self._of(index)
        return None

    def _of(self, index: int) -> Measured:
        if index not in self._measured:
            run = self._runs[index]
            self._measured[index] = Measured(run, self._collection.ratios(run), index == 0)
        return self._measured[index]
