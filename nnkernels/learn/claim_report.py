"""The experiment on the write-ups' claim: its training runs, and the table, sentence and figure in its folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nnkernels import plots
from nnkernels.accuracy.design import CLAIMS
from nnkernels.comparing.claim import run_claim
from nnkernels.comparing.decomposition import Decomposition, accuracies, decompose
from nnkernels.data import Dataset
from nnkernels.files import write_json
from nnkernels.learn.output import make_folder, origin, save_figures
from nnkernels.sweep.run import Show

if TYPE_CHECKING:
    import pandas as pd

SUMMARY = "claim.json"
VERSION = 1


@dataclass(frozen=True)
class ClaimReport:
    """The result of the experiment.

    Attributes
    ----------
    cells : DataFrame
        The accuracies of the eight combinations of width, recipe and contender, as
        :func:`~nnkernels.comparing.decomposition.accuracies` returns them.
    decomposition : Decomposition
        The parts of the gap in accuracy.
    """

    cells: pd.DataFrame
    decomposition: Decomposition


def run(ours: str, framework: str, dataset: Dataset, folder: Path, seeds: int, show: Show) -> ClaimReport:
    """Run the training runs whose results are missing in a folder, then write the summary and the figure.

    Parameters
    ----------
    ours, framework : str
        The names of one of our contenders and of a contender on a framework.
    dataset : Dataset
        The data.
    folder : Path
        The folder of the experiment. Training runs whose results it already contains are not repeated.
    seeds : int
        The number of seeds per combination, at least 2.
    show : callable
        ``show(done, total, text)``, called after each training run.

    Returns
    -------
    report : ClaimReport
        The result.

    Raises
    ------
    ConfigurationError, UnknownNameError, MissingDependencyError, InferenceOnlyError, DataError, MeasurementError
        As :func:`~nnkernels.comparing.claim.run_claim`. Also ConfigurationError if the folder cannot be created.
    """
    make_folder(folder)
    rows = run_claim(ours, framework, dataset, folder, seeds, show)
    report = ClaimReport(accuracies(rows), decompose(rows, ours, framework))
    write_json(
        folder / SUMMARY,
        {
            "version": VERSION,
            "cells": report.cells.to_dict("records"),
            "gap_in_points": asdict(report.decomposition.gap),
            "parts_in_points": {name: asdict(part) for name, part in report.decomposition.parts.items()},
            "sentence": report.decomposition.sentence(),
            "provenance": origin(dataset),
        },
    )
    subtitle = f"test accuracy on {dataset.name}, mean of {seeds} seeds with 95 % intervals"
    save_figures({"claim": plots.claim_table_figure(report.cells, subtitle, claims=CLAIMS)}, folder)
    return report
