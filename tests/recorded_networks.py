"""Recorded networks for tests of the dashboard, written by the functions that ``nnkernels train`` uses."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from nnkernels import kernels
from nnkernels.data import Dataset
from nnkernels.evaluation import probabilities
from nnkernels.interchange import save_parameters
from nnkernels.interchange.training_steps import TrainingStep, save_training_steps
from nnkernels.learn.predictions import Predictions
from nnkernels.learn.recorded_digits import record_mistakes
from nnkernels.parameters import Parameters
from nnkernels.report.dashboard.learning import TRAINING

ROOT = Path(__file__).parents[1]


def record_network(root: Path, parameters: Parameters, dataset: Dataset, steps: Sequence[TrainingStep]) -> Path:
    """Write what `nnkernels train` records for the page, with the repository's metrics, and return the folder."""
    folder = root / TRAINING
    folder.mkdir(parents=True)
    for name in ("metrics.json", "history.csv"):
        shutil.copy(ROOT / TRAINING / name, folder)
    save_parameters(parameters, folder / "parameters.safetensors")
    save_training_steps(folder / "training_steps.safetensors", steps)
    probs = probabilities(kernels.load("numpy"), parameters, dataset.X_test)
    record_mistakes(Predictions(dataset.test, probs), dataset, folder)
    return folder
