"""The report on the errors of several networks: numbers, misclassified images and figures."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nnkernels import plots
from nnkernels.accuracy.calibration import (
    BINNINGS,
    Reliability,
    expected_calibration_error,
    overconfidence,
    reliability,
)
from nnkernels.accuracy.errors import Answers, answers
from nnkernels.data import Dataset, LabelledImages
from nnkernels.files import write_json, write_text
from nnkernels.interchange import Network
from nnkernels.learn.output import finite, origin, save_figures
from nnkernels.learn.recorded_digits import COLUMNS, MAX_DIGITS, six_digits, write_digits
from nnkernels.plots.text import estimated_percent
from nnkernels.statistics import Estimate

RECORD, IMAGES, DIGITS = "errors.json", "errors.csv", "errors_digits.png"
VERSION = 1
CONFUSIONS = 100  # pairs in the record: all of ten digits


@dataclass(frozen=True)
class ErrorReport:
    """What several networks get wrong, and how well their probabilities are calibrated.

    Attributes
    ----------
    answers : Answers
        The answers of the networks.
    names : tuple of str
        The names of the networks.
    judge : {"test", "validation"}
        Which images they were asked.
    bins : Reliability
        The answers by confidence, in bins of equal width.
    calibration_error : dict of str to Estimate
        The expected calibration error with bins of equal ``width`` and of equal ``mass``.
    overconfidence : Estimate
        Mean confidence minus accuracy.
    dataset : Dataset
        The data set.
    """

    answers: Answers
    names: tuple[str, ...]
    judge: str
    bins: Reliability
    calibration_error: dict[str, Estimate]
    overconfidence: Estimate
    dataset: Dataset

    @property
    def images(self) -> LabelledImages:
        """The images with their labels."""
        return judged_images(self.dataset, self.judge)

    @property
    def subtitle(self) -> str:
        """The networks and the images."""
        networks = "1 network" if len(self.names) == 1 else f"{len(self.names)} networks"
        return f"{networks} on {len(self.answers.y):,} {self.judge} images of {self.dataset.name}"


def judged_images(dataset: Dataset, judge: str) -> LabelledImages:
    """Return the images that judge.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    judge : {"test", "validation"}
        Test images, or the validation images of :meth:`~nnkernels.data.Dataset.validation_split`.

    Returns
    -------
    images : LabelledImages
        The images with their labels.
    """
    return dataset.test if judge == "test" else dataset.validation_split().test


def write_report(networks: Mapping[str, Network], dataset: Dataset, judge: str, folder: Path) -> ErrorReport:
    """Find the errors of networks, and write numbers, misclassified images and figures.

    Parameters
    ----------
    networks : mapping of str to Network
        The networks by name.
    dataset : Dataset
        The data set.
    judge : {"test", "validation"}
        The images that judge.
    folder : Path
        An existing folder. Files of an earlier report are replaced.

    Returns
    -------
    report : ErrorReport
        The results.

    Raises
    ------
    DataError
        If a network does not fit the images.
    MissingDependencyError
        If Pillow is not installed.
    """
    found = answers(networks, judged_images(dataset, judge))
    report = ErrorReport(
        found,
        tuple(networks),
        judge,
        reliability(found.probs, found.y),
        {by: expected_calibration_error(found.probs, found.y, by=by) for by in BINNINGS},
        overconfidence(found.probs, found.y),
        dataset,
    )
    shared = found.wrong_in_all[:MAX_DIGITS]
    (folder / RECORD).unlink(missing_ok=True)  # written last, so it always describes the picture beside it
    (folder / DIGITS).unlink(missing_ok=True)
    if len(shared):
        write_digits(report.images.X[shared], COLUMNS, folder / DIGITS)
    write_text(folder / IMAGES, _table(found))
    save_figures(figures(report), folder)
    write_json(folder / RECORD, _record(report, networks))
    return report


def figures(report: ErrorReport) -> dict[str, Any]:
    """Draw the figures of a report.

    Parameters
    ----------
    report : ErrorReport
        The report.

    Returns
    -------
    figures : dict of str to Figure
        By the names of their files.
    """
    found, names, subtitle = report.answers, report.dataset.class_names, report.subtitle
    shared = found.wrong_in_all
    intervals = ", with 95 % intervals over the networks" if len(report.names) > 1 else ""
    error = f"expected calibration error {estimated_percent(report.calibration_error['width'])}"
    return {
        "reliability": plots.reliability_diagram(report.bins.to_frame(), f"{subtitle}: {error}"),
        "error_by_class": plots.class_errors(found.error_by_class, found.error, f"{subtitle}{intervals}", names),
        "shared_mistakes": plots.shared_mistakes(
            report.images.X[shared],
            found.y[shared],
            found.predicted[:, shared],
            found.label_probability[shared],
            len(found.y),
            subtitle,
            names,
        ),
        "confusion": plots.confusion_matrix(found.confusion, f"{subtitle}, all answers together", names),
    }


def _record(report: ErrorReport, networks: Mapping[str, Network]) -> dict[str, Any]:
    found = report.answers
    errors = found.wrong.mean(axis=1)
    probability = found.label_probability
    return {
        "version": VERSION,
        "networks": [
            {
                "file": name,
                "deskew": network.preprocessing.deskew,
                "normalize_size": network.preprocessing.normalize_size,
                "error_rate": float(error),
            }
            for (name, network), error in zip(networks.items(), errors, strict=True)
        ],
        "judge": report.judge,
        "images": len(found.y),
        "class_names": list(report.dataset.names_of_classes),
        "error_rate": _estimate(found.error),
        "error_by_class": [
            {"images": int(count)} | (_estimate(of_class) if of_class else {})
            for count, of_class in zip(
                np.bincount(found.y, minlength=found.probs.shape[2]), found.error_by_class, strict=True
            )
        ],
        "confusions": [
            {"true": pair.true, "predicted": pair.predicted} | _estimate(pair.times)
            for pair in found.confusions[:CONFUSIONS]
        ],
        "calibration": {
            "expected_calibration_error": {by: _estimate(value) for by, value in report.calibration_error.items()},
            "overconfidence": _estimate(report.overconfidence),
            "bins": [
                {name: finite(value) for name, value in row.items()}
                for row in report.bins.to_frame().to_dict("records")
            ],
        },
        "wrong_in_any": int(found.wrong.any(axis=0).sum()),
        "wrong_in_all": int(found.wrong.all(axis=0).sum()),
        "columns": COLUMNS,
        "digits": [
            {
                "index": int(index),
                "true": int(found.y[index]),
                "predicted": found.predicted[:, index].tolist(),
                "true_probability": six_digits(probability[index]),
            }
            for index in found.wrong_in_all[:MAX_DIGITS]
        ],
        "provenance": origin(report.dataset),
    }


def _estimate(found: Estimate) -> dict[str, float | int | None]:
    return {
        "value": found.value,
        "low": finite(found.low),
        "high": finite(found.high),
        "samples": found.samples,
    }


def _table(found: Answers) -> str:
    """Return one row for each image that at least one network gets wrong, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["index", "label", "networks_wrong", "label_probability", "predicted"])
    times, probability = found.times_wrong, found.label_probability
    for index in np.flatnonzero(times):
        predicted = " ".join(map(str, found.predicted[:, index]))
        writer.writerow([index, found.y[index], times[index], six_digits(probability[index]), predicted])
    return text.getvalue()
