"""The summary of a run: one row per contender, each at the contender's faster thread setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nnkernels.measure.timing.scenarios import EPOCH, ONE_IMAGE
from nnkernels.report import keras_forms
from nnkernels.report.asv_rows import asv_rows
from nnkernels.report.keras_forms import KerasForm
from nnkernels.report.preparation import Preparation, Preparations
from nnkernels.report.ratios import BASELINE, PairedRatio, PairedRatios
from nnkernels.report.runs import Run
from nnkernels.report.tidy import estimate
from nnkernels.statistics import Estimate

TEST_ERROR = "accuracy.ErrorRate.track_test"
# Older runs predicted the same image repeatedly, instead of 1,000 different ones in turn.
OLD_ONE_IMAGE = "one image"


@dataclass(frozen=True)
class ContenderSummary:
    """A contender at its faster thread setting.

    All values were measured at that setting, except where stated.

    Attributes
    ----------
    name : str
        The name of the contender.
    threads : str
        The setting at which it trains faster, ``1`` or ``all``. If it only predicts, the setting at which it predicts
        one image faster.
    epoch : Estimate or None
        Seconds per epoch; None if it only predicts.
    to_numpy, to_keras, to_best_keras : PairedRatio or None
        How many times as fast it trains as NumPy, ``keras-fit`` and the best form of Keras, each at its own faster
        setting. None if no process timed both.
    preparation : Preparation or None
        The preparation time, with its own thread setting: older runs measured it only on one thread.
    break_even : float or None
        Number of epochs after which it has overtaken NumPy, including preparation; see
        :meth:`~nnkernels.report.preparation.Preparations.break_even`.
    one_image : Estimate or None
        Seconds per prediction of one image.
    test_error : Estimate or None
        Error rate as a fraction, after training on all threads. The number of threads affects it only by rounding.
    """

    name: str
    threads: str
    epoch: Estimate | None
    to_numpy: PairedRatio | None
    to_keras: PairedRatio | None
    to_best_keras: PairedRatio | None
    preparation: Preparation | None
    break_even: float | None
    one_image: Estimate | None
    test_error: Estimate | None

    @property
    def ratios(self) -> list[PairedRatio]:
        """The ratios that are not None."""
        return [ratio for ratio in (self.to_numpy, self.to_keras, self.to_best_keras) if ratio]


@dataclass(frozen=True)
class Summary:
    """The summary of a run, or of several pooled ones.

    Attributes
    ----------
    run : Run
        The run.
    ratios : PairedRatios
        Its paired ratios.
    contenders : list of ContenderSummary
        First those that train, the fastest first, then those that only predict.
    keras_forms : list of KerasForm
        The forms of Keras that were tried, the best first.
    preparations : Preparations
        Its preparation times.
    one_image_scenario : str
        The scenario of the column "one image"; empty if the run has none.
    """

    run: Run
    ratios: PairedRatios
    contenders: list[ContenderSummary]
    keras_forms: list[KerasForm]
    preparations: Preparations
    one_image_scenario: str

    @property
    def best_keras(self) -> str | None:
        """The name of the form of Keras that trains an epoch fastest, or None."""
        return keras_forms.best(self.keras_forms)

    def contender(self, name: str) -> ContenderSummary | None:
        """Return a contender by name.

        Parameters
        ----------
        name : str
            The name of a contender.

        Returns
        -------
        contender : ContenderSummary or None
            None if the run has no such contender.
        """
        return next((found for found in self.contenders if found.name == name), None)


def summarise(run: Run, ratios: PairedRatios | None = None) -> Summary:
    """Compute the summary of a run, or of several pooled ones.

    Parameters
    ----------
    run : Run
        The run.
    ratios : PairedRatios, optional
        The ratios of the run, if they have already been computed.

    Returns
    -------
    summary : Summary
        Its summary.
    """
    ratios = ratios or PairedRatios(*(one.interleaved for one in run.each))
    rows = list(asv_rows(run))
    one_image = next((work for work in (ONE_IMAGE, OLD_ONE_IMAGE) if work in ratios.scenarios()), "")
    summary = Summary(run, ratios, [], keras_forms.tried(ratios, EPOCH), Preparations(ratios, rows), one_image)
    training = [_summarise(summary, rows, name, EPOCH) for name in ratios.contenders(EPOCH)]
    summary.contenders.extend(sorted(training, key=lambda row: row.epoch.value if row.epoch else 0.0))
    predicting = [name for name in ratios.contenders(one_image) if not summary.contender(name)]
    only = [_summarise(summary, rows, name, one_image) for name in predicting]
    summary.contenders.extend(sorted(only, key=lambda row: row.one_image.value if row.one_image else 0.0))
    return summary


def _summarise(summary: Summary, rows: list[dict[str, Any]], name: str, work: str) -> ContenderSummary:
    """Return the summary of a contender at the setting at which it is faster at the scenario ``work``."""
    ratios = summary.ratios
    threads = ratios.faster_setting(work, name)
    assert threads is not None

    def ratio(other: str | None) -> PairedRatio | None:
        return ratios.against(EPOCH, (name, threads), other) if other else None

    epoch, to_numpy = ratios.seconds(EPOCH, name, threads), ratio(BASELINE)
    return ContenderSummary(
        name=name,
        threads=threads,
        epoch=epoch,
        to_numpy=to_numpy,
        to_keras=ratio(keras_forms.DEFAULT),
        to_best_keras=ratio(summary.best_keras),
        preparation=summary.preparations.of(name, threads) if epoch else None,
        break_even=(
            summary.preparations.break_even(name, threads, epoch.value, to_numpy.estimate)
            if epoch and to_numpy
            else None
        ),
        one_image=ratios.seconds(summary.one_image_scenario, name, threads),
        test_error=_test_error(rows, name),
    )


def _test_error(rows: list[dict[str, Any]], contender: str) -> Estimate | None:
    found = (row for row in rows if row["benchmark"] == TEST_ERROR and row["contender"] == contender)
    return next(map(estimate, found), None)
