"""What a contender spends before its first epoch, and after how many epochs it has made up for it."""

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
    """Seconds from uint8 images in memory to a contender that can train.

    Attributes
    ----------
    estimate : Estimate
    threads : str
        The setting at which it was measured.
    """

    estimate: Estimate
    threads: str


class Preparations:
    """The preparations of a run.

    Attributes
    ----------
    in_turns : bool
        Whether they were timed in the interleaved runs. If those have none, they are those of the benchmark
        ``training.Preparation``, which measures each in a process of its own and on one thread.
    """

    def __init__(self, ratios: PairedRatios, rows: list[dict[str, Any]]) -> None:
        self._ratios = ratios
        self._rows = [row for row in rows if row["benchmark"] == BENCHMARK]
        self.in_turns = PREPARATION in ratios.scenarios()

    @property
    def known(self) -> bool:
        """Whether the run has any."""
        return self.in_turns or bool(self._rows)

    def of(self, name: str, threads: str) -> Preparation | None:
        """Return the preparation of a contender at a thread setting, or at the only one that was measured."""
        if self.in_turns:
            seconds = self._ratios.seconds(PREPARATION, name, threads)
            return Preparation(seconds, threads) if seconds else None
        found = [row for row in self._rows if row["contender"] == name]
        found.sort(key=lambda row: row["threads"] != threads)
        return Preparation(estimate(found[0]), found[0]["threads"]) if found else None

    def break_even(self, name: str, threads: str, epoch_seconds: float, to_numpy: Estimate) -> float | None:
        """Return after how many epochs a contender has overtaken NumPy, the preparation of both included.

        With preparations P and epochs E of the contender and P' of NumPy, and r times as fast as NumPy, it is the n
        with ``P + n E = P' + n r E``: ``n = (P - P') / (E (r - 1))``.

        Parameters
        ----------
        threads : str
            The contender's setting; NumPy is at its faster one.
        epoch_seconds : float
            E.
        to_numpy : Estimate
            The paired ratio r.

        Returns
        -------
        float or None
            0 if it is ahead from the start, :data:`NEVER` if its epochs are not faster than NumPy's, and
            :data:`UNDECIDED` if the interval of r holds 1. None for NumPy itself, and where a preparation was not
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
