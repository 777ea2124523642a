"""What a contender spends before its first epoch, and after how many epochs it has made up for it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from nnkernels.report.ratios import BASELINE, PairedRatios
from nnkernels.report.tidy import estimate, records
from nnkernels.statistics import Estimate

WORK = "preparation"
BENCHMARK = "training.Preparation.time_prepare"
NEVER = math.inf


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
        Whether they were timed in the panels, in turns. If the panels have none, they are those of the benchmark
        ``training.Preparation``, which measures each in a process of its own and on one thread.
    """

    def __init__(self, ratios: PairedRatios, rows: pd.DataFrame) -> None:
        self._ratios = ratios
        self._rows = rows[rows.benchmark == BENCHMARK]
        self.in_turns = WORK in ratios.works()

    @property
    def known(self) -> bool:
        """Whether the run has any."""
        return self.in_turns or bool(len(self._rows))

    def of(self, name: str, threads: str) -> Preparation | None:
        """Return the preparation of a contender at a thread setting, or at the only one that was measured."""
        if self.in_turns:
            seconds = self._ratios.seconds(WORK, name, threads)
            return Preparation(seconds, threads) if seconds else None
        found = self._rows[self._rows.contender == name]
        for row in records(found.sort_values("threads", key=lambda column: column != threads)):
            return Preparation(estimate(row), row["threads"])
        return None

    def break_even(self, name: str, threads: str, epoch_seconds: float, to_numpy: float) -> float | None:
        """Return after how many epochs a contender has overtaken NumPy, the preparation of both included.

        With preparations P and epochs E of the contender and P' of NumPy, and r times as fast as NumPy, it is the n
        with ``P + n E = P' + n r E``: ``n = (P - P') / (E (r - 1))``.

        Parameters
        ----------
        threads : str
            The contender's setting; NumPy is at its faster one.
        epoch_seconds, to_numpy : float
            E, and the paired ratio r.

        Returns
        -------
        float or None
            0 if it is ahead from the start, :data:`NEVER` if its epochs are not faster than NumPy's. None for NumPy
            itself, and where a preparation was not measured.
        """
        faster = self._ratios.faster_setting("epoch", BASELINE)
        ours, numpys = self.of(name, threads), self.of(BASELINE, faster) if faster else None
        if name == BASELINE or ours is None or numpys is None:
            return None
        if to_numpy <= 1:
            return NEVER
        return max(0.0, (ours.estimate.value - numpys.estimate.value) / (epoch_seconds * (to_numpy - 1)))
