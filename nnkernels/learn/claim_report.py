"""What taking the write-up's claim apart leaves in its folder: a table, a sentence, a figure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nnkernels import plots
from nnkernels.comparing.claim import ShowTraining, run_claim
from nnkernels.comparing.decomposition import Decomposition, accuracies, decompose
from nnkernels.data import Dataset
from nnkernels.files import write_json
from nnkernels.learn.output import make_folder, origin, save_figures

if TYPE_CHECKING:
    import pandas as pd

TRAININGS, SUMMARY = "trainings.json", "claim.json"
VERSION = 1

# What the write-up reports of its two models, as fractions of 1.
CLAIMS = {"the write-up's own network": 0.913, "the write-up's Keras": 0.979}


@dataclass(frozen=True)
class ClaimReport:
    """The eight cells, and what the gap is made of."""

    cells: pd.DataFrame
    decomposition: Decomposition


def run(ours: str, framework: str, dataset: Dataset, folder: Path, seeds: int, show: ShowTraining) -> ClaimReport:
    """Train what is missing in ``folder``, then write summary and figure."""
    make_folder(folder)
    trainings = run_claim(ours, framework, dataset, folder / TRAININGS, seeds, show)
    report = ClaimReport(accuracies(trainings), decompose(trainings, ours, framework))
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
