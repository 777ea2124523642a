"""The measurements of an interleaved run: several contenders in one process, timed in turns."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nnkernels.measure.timing.interleaving import SecondsByRound, log_ratios
from nnkernels.measure.timing.turns import Judgement, Turns, judge


@dataclass(frozen=True)
class InterleavedRun:
    """The measurements of one process.

    Attributes
    ----------
    framework_threads : str
        ``1`` or ``all``: the thread setting of contenders that cannot change it during the process.
    dataset : str
        Name of the data set.
    seconds : dict
        ``seconds[scenario][contender + "@" + threads]``, in the scenario's unit, for the scenarios measured in this
        process. Disturbed turns are included.
    failures : dict
        The error of each contender without times. The key is the contender's name, or ``name: scenario`` if it failed
        in only one scenario.
    turns : dict
        ``turns[scenario]``: the order and conditions of its turns, or the name of the scenario whose turns apply. Empty
        in older records.
    """

    framework_threads: str
    dataset: str
    seconds: dict[str, SecondsByRound]
    failures: dict[str, str]
    turns: dict[str, Turns | str] = field(default_factory=dict)

    def failure(self, contender: str, scenario: str) -> str:
        """Return why a contender has no time in a scenario.

        Parameters
        ----------
        contender, scenario : str
            Their names.

        Returns
        -------
        reason : str
            The error; empty if the contender did not fail.
        """
        return self.failures.get(contender) or self.failures.get(failure_key(contender, scenario), "")

    def took_part(self, contender: str, scenario: str) -> bool:
        """Return whether a contender has a time in a scenario, at this process' thread setting.

        Parameters
        ----------
        contender, scenario : str
            Their names.

        Returns
        -------
        took_part : bool
            Whether there is a time.
        """
        return f"{contender}@{self.framework_threads}" in self.seconds.get(scenario, {})

    def judged(self, scenario: str) -> Judgement | None:
        """Return which turns of a scenario were disturbed, and which are excluded.

        Parameters
        ----------
        scenario : str
            Name of the scenario.

        Returns
        -------
        judgement : Judgement or None
            None if the conditions of the turns were not recorded.
        """
        turns = self.turns.get(scenario)
        if isinstance(turns, str):
            return self.judged(turns)
        return judge(turns, self.seconds[scenario]) if turns else None

    def undisturbed(self, scenario: str) -> SecondsByRound:
        """Return the seconds of a scenario, with NaN in excluded turns for all contenders alike.

        Each contender keeps at least one number. :mod:`~nnkernels.measure.timing.turns` describes the rule.

        Parameters
        ----------
        scenario : str
            Name of the scenario.

        Returns
        -------
        seconds : dict
            By ``contender@threads``, for each round a list of one number per segment.
        """
        judged, scenario_seconds = self.judged(scenario), self.seconds[scenario]
        if judged is None:
            return scenario_seconds
        return {
            label: [
                [np.nan if out else value for out, value in zip(left_out, round_, strict=False)]
                for left_out, round_ in zip(judged.left_out, rounds, strict=True)
            ]
            for label, rounds in scenario_seconds.items()
        }

    def relative_time(self, scenario: str, contender: str, against: str) -> float:
        """Return the median paired ratio of two contenders' seconds, both at this process' thread setting.

        Parameters
        ----------
        scenario : str
            Name of the scenario.
        contender, against : str
            Names of the contenders of the numerator and of the denominator.

        Returns
        -------
        ratio : float
            Below 1 if ``contender`` is faster.
        """
        scenario_seconds = self.undisturbed(scenario)
        setting = self.framework_threads
        ratios = log_ratios(scenario_seconds[f"{contender}@{setting}"], scenario_seconds[f"{against}@{setting}"])
        return float(np.exp(np.median(ratios)))


def failure_key(contender: str, scenario: str) -> str:
    """Return the key of a failure in one scenario.

    Parameters
    ----------
    contender, scenario : str
        Their names.

    Returns
    -------
    key : str
        A key of :attr:`InterleavedRun.failures`.
    """
    return f"{contender}: {scenario}"
