"""The answer of a run at a glance: a row a contender, and the sentence that heads the page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nnkernels.measure.threads import SETTINGS
from nnkernels.report import formats
from nnkernels.report.runs import Run
from nnkernels.report.tidy import PAIRED, paired_ratio, tidy
from nnkernels.statistics import Estimate

KERAS_FORMS_PREFIX = "keras-"


@dataclass(frozen=True)
class ContenderSummary:
    """A contender at its faster thread setting.

    Attributes
    ----------
    threads : str
        The setting at which it is fastest: ``1`` or ``all``.
    epoch_seconds : Estimate
        Seconds an epoch.
    to_numpy, to_keras, to_best_keras : Estimate or None
        How many times as fast it is as NumPy, as ``keras-fit`` and as the fastest form of Keras, each at its
        faster setting.
    one_image_seconds, ten_thousand_seconds : float
    test_error, train_error : Estimate or None
        Error rates, as fractions.
    """

    name: str
    threads: str
    epoch_seconds: Estimate
    to_numpy: Estimate | None
    to_keras: Estimate | None
    to_best_keras: Estimate | None
    one_image_seconds: float
    ten_thousand_seconds: float
    test_error: Estimate | None
    train_error: Estimate | None


@dataclass(frozen=True)
class Summary:
    """A run at a glance: its table, its contenders, fastest first, and the fastest form of Keras in it."""

    run: Run
    rows: pd.DataFrame
    contenders: list[ContenderSummary]
    best_keras: str | None

    def headline(self) -> str:
        """Return the run's answer in one sentence."""
        by_name = {contender.name: contender for contender in self.contenders}
        ours = by_name.get("numba")
        if ours is None:
            return " ".join(
                f"{contender.name} trains an epoch on {self.run.record.dataset} in "
                f"{formats.duration(contender.epoch_seconds.value)}."
                for contender in self.contenders[:1]
            )
        parts = []
        if ours.to_numpy and "numpy" in by_name:
            parts.append(f"{ours.to_numpy.value:.2f} times as fast as NumPy")
        if ours.to_keras:
            parts.append(f"{ours.to_keras.value:.1f} times as fast as Keras' fit")
        if ours.to_best_keras and self.best_keras != "keras-fit":
            parts.append(f"{ours.to_best_keras.value:.2f} times as fast as the best Keras ({self.best_keras})")
        if not parts:
            return f"The Numba kernels train an epoch in {formats.duration(ours.epoch_seconds.value)}."
        joined = ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]
        return f"From scratch in Numba, an epoch of training on {self.run.record.dataset} is {joined}."


def summarise(run: Run) -> Summary:
    """Return the summary of a run."""
    rows = tidy(run)
    epochs = rows[(rows.benchmark == PAIRED) & (rows.parameters == "work=epoch")]
    fastest = epochs.sort_values("value").drop_duplicates("contender")
    keras_forms = [str(name) for name in fastest.contender if str(name).startswith(KERAS_FORMS_PREFIX)]
    best_keras = keras_forms[0] if keras_forms else None
    contenders = []
    for row in fastest.itertuples():
        name, threads = str(row.contender), str(row.threads)

        def ratio(against: str, name: str = name, threads: str = threads) -> Estimate | None:
            return paired_ratio(run.panels, "epoch", name, threads, against)

        contenders.append(
            ContenderSummary(
                name=name,
                threads=threads,
                epoch_seconds=_estimate(row),
                to_numpy=ratio("numpy"),
                to_keras=ratio("keras-fit"),
                to_best_keras=ratio(best_keras) if best_keras else None,
                one_image_seconds=_fastest(rows, name, "one image"),
                ten_thousand_seconds=_fastest(rows, name, "10,000 images"),
                test_error=_accuracy(rows, name, "accuracy.ErrorRate.track_test"),
                train_error=_accuracy(rows, name, "accuracy.ErrorRate.track_train"),
            )
        )
    return Summary(run, rows, contenders, best_keras)


def _fastest(rows: pd.DataFrame, contender: str, work: str) -> float:
    of_work = rows[(rows.benchmark == PAIRED) & (rows.parameters == f"work={work}") & (rows.contender == contender)]
    return float(of_work[of_work.threads.isin(SETTINGS)]["value"].min()) if len(of_work) else np.nan


def _accuracy(rows: pd.DataFrame, contender: str, benchmark: str) -> Estimate | None:
    found = rows[(rows.benchmark == benchmark) & (rows.contender == contender)]
    return _estimate(found.iloc[0]) if len(found) else None


def _estimate(row: object) -> Estimate:
    return Estimate(*(getattr(row, field) for field in ("value", "ci_low", "ci_high", "samples")))
