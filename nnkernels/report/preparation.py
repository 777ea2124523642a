"""Preparation times of the contenders, and the number of epochs after which they pay off."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from nnkernels.measure.timing.scenarios import EPOCH, PREPARATION
from nnkernels.report.ratios import BASELINE, PairedRatios
from nnkernels.report.tidy import estimate
from nnkernels.statistics import Estimate

BENCHMARK = "training.Preparation.time_prepare"
NEVER, UNDECIDED = math.inf, math.nan


@dataclass(frozen=True)
class Preparation:
    """Time from uint8 images in memory to a contender that can train.

    Attributes
    ----------
    estimate : Estimate
        Seconds.
    threads : str
        The thread setting at which it was measured, ``1`` or ``all``.
    """

    estimate: Estimate
    threads: str


class Preparations:
    """The preparation times of a run.

    Parameters
    ----------
    ratios : PairedRatios
        The interleaved runs.
    rows : list of dict
        The tidy rows of what asv measured in separate processes.

    Attributes
    ----------
    in_turns : bool
        Whether the interleaved runs timed preparations. Otherwise they come from the benchmark
        ``training.Preparation``, which measures each one in a separate process and on one thread.
    """

    def __init__(self, ratios: PairedRatios, rows: list[dict[str, Any]]) -> None:
        self._ratios = ratios
        self._rows = [row for row in rows if row["benchmark"] == BENCHMARK]
        self.in_turns = PREPARATION in ratios.scenarios()

    @property
    def known(self) -> bool:
        """Whether the run has any preparation times."""
        return self.in_turns or bool(self._rows)

    def of(self, name: str, threads: str) -> Preparation | None:
        """Return the preparation time of a contender.

        Parameters
        ----------
        name : str
            The name of the contender.
        threads : str
            The thread setting, ``1`` or ``all``. If the times are from ``training.Preparation``, another setting is
            returned where this one was not measured.

        Returns
        -------
        preparation : Preparation or None
            None if it was not measured.
        """
        if self.in_turns:
            seconds = self._ratios.seconds(PREPARATION, name, threads)
            return Preparation(seconds, threads) if seconds else None
        found = [row for row in self._rows if row["contender"] == name]
        found.sort(key=lambda row: row["threads"] != threads)
        return Preparation(estimate(found[0]), found[0]["threads"]) if found else None

    def break_even(self, name: str, threads: str, epoch_seconds: float, to_numpy: Estimate) -> float | None:
        """Return the number of epochs after which a contender has overtaken NumPy, including the preparation of both.

        Let P be the contender's preparation, E its epoch, P' NumPy's preparation, and r how many times as fast as NumPy
        the contender trains. Then n epochs break even if ``P + n E = P' + n r E``, so ``n = (P - P') / (E (r - 1))``.

        Parameters
        ----------
        name : str
            The name of the contender.
        threads : str
            The thread setting of the contender. NumPy's is its faster one.
        epoch_seconds : float
            E, in seconds.
        to_numpy : Estimate
            The paired ratio r.

        Returns
        -------
        epochs : float or None
            0 if the contender is ahead from the start, :data:`NEVER` if its epochs are not faster than NumPy's, and
            :data:`UNDECIDED` if the interval of r contains 1. None for NumPy itself, and if a preparation was not
            measured.
        """
        faster = self._ratios.faster_setting(EPOCH, BASELINE)
        ours, numpys = self.of(name, threads), self.of(BASELINE, faster) if faster else None
        if name == BASELINE or ours is None or numpys is None:
            return None
        if to_numpy.low <= 1 <= to_numpy.high:
            return UNDECIDED
        if to_numpy.value <= 1:
            return NEVER
        return max(0.0, (ours.estimate.value - numpys.estimate.value) / (epoch_seconds * (to_numpy.value - 1)))
