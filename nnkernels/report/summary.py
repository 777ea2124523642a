"""The answer of a run at a glance: a row a contender, and the sentence that heads the page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nnkernels.measure.threads import SETTINGS
from nnkernels.measure.works import WORKS
from nnkernels.report import formats
from nnkernels.report.runs import Run
from nnkernels.report.tidy import PAIRED, paired_ratio, tidy
from nnkernels.statistics import Estimate

KERAS_FORMS_PREFIX = "keras-"
NOT_DONE = Estimate(np.nan, np.nan, np.nan, 0)


@dataclass(frozen=True)
class ContenderSummary:
    """A contender at its faster thread setting.

    Attributes
    ----------
    threads : str
        The setting at which it is fastest: ``1`` or ``all``; a dash for one that only predicts.
    epoch_seconds : Estimate
        Seconds an epoch; NaN for one that only predicts.
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
    """A run at a glance: its table, its contenders and the fastest form of Keras in it.

    The contenders are those that train, fastest first, then those that only predict.
    """

    run: Run
    rows: pd.DataFrame
    contenders: list[ContenderSummary]
    best_keras: str | None

    def headline(self) -> str:
        """Return the run's answer in one sentence."""
        by_name = {contender.name: contender for contender in self.contenders}
        numba, fused = by_name.get("numba"), by_name.get("fused")
        ours = fused or numba
        if ours is None:
            return " ".join(
                f"{contender.name} trains an epoch on {self.run.record.dataset} in "
                f"{formats.duration(contender.epoch_seconds.value)}."
                for contender in self.contenders[:1]
                if contender.epoch_seconds.samples
            )
        ratios = self._ratios(ours)
        if not ratios:
            kernels = "fused" if fused else "Numba"
            return f"The {kernels} kernels train an epoch in {formats.duration(ours.epoch_seconds.value)}."
        told = _listed([f"{ratio} times as fast as {other}" for other, ratio in ratios.items()])
        sentence = f"From scratch in Numba, an epoch of training on {self.run.record.dataset} is {told}"
        plain = self._ratios(numba) if fused and numba else {}
        if plain.keys() != ratios.keys():
            return f"{sentence}."
        # The others are named already, so the kernels on BLAS give their numbers alone, in the same order.
        numbers = _listed(list(plain.values()))
        return f"{sentence}; by matrix products alone (numba in place of fused), it is {numbers} times as fast."

    def _ratios(self, ours: ContenderSummary) -> dict[str, str]:
        """Return how many times as fast one of ours is as each that the headline names."""
        ratios = {}
        if ours.to_numpy and any(contender.name == "numpy" for contender in self.contenders):
            ratios["NumPy"] = formats.significant(ours.to_numpy.value)
        if ours.to_keras:
            ratios["Keras' fit"] = formats.significant(ours.to_keras.value)
        if ours.to_best_keras and self.best_keras != "keras-fit":
            ratios[f"the best Keras ({self.best_keras})"] = formats.significant(ours.to_best_keras.value)
        return ratios


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
    contenders += _only_predicting(rows, {contender.name for contender in contenders})
    return Summary(run, rows, contenders, best_keras)


def _only_predicting(rows: pd.DataFrame, training: set[str]) -> list[ContenderSummary]:
    predictions = [f"work={work.name}" for work in WORKS if work.kind == "predict"]
    predicting = rows[(rows.benchmark == PAIRED) & rows.parameters.isin(predictions)]
    names = [str(name) for name in dict.fromkeys(predicting.contender) if name not in training]
    summaries = [
        ContenderSummary(
            name=name,
            threads="-",
            epoch_seconds=NOT_DONE,
            to_numpy=None,
            to_keras=None,
            to_best_keras=None,
            one_image_seconds=_fastest(rows, name, "one image"),
            ten_thousand_seconds=_fastest(rows, name, "10,000 images"),
            test_error=None,
            train_error=None,
        )
        for name in names
    ]
    return sorted(summaries, key=lambda summary: summary.one_image_seconds)


def _listed(parts: list[str]) -> str:
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]


def _fastest(rows: pd.DataFrame, contender: str, work: str) -> float:
    of_work = rows[(rows.benchmark == PAIRED) & (rows.parameters == f"work={work}") & (rows.contender == contender)]
    return float(of_work[of_work.threads.isin(SETTINGS)]["value"].min()) if len(of_work) else np.nan


def _accuracy(rows: pd.DataFrame, contender: str, benchmark: str) -> Estimate | None:
    found = rows[(rows.benchmark == benchmark) & (rows.contender == contender)]
    return _estimate(found.iloc[0]) if len(found) else None


def _estimate(row: object) -> Estimate:
    return Estimate(*(getattr(row, field) for field in ("value", "ci_low", "ci_high", "samples")))
