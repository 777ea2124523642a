"""The report of a training: weights, history, metrics and figures."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nnkernels import plots
from nnkernels.data import Dataset, LabelledImages
from nnkernels.evaluation import Evaluator, probabilities
from nnkernels.files import write_json, write_text
from nnkernels.interchange import Preprocessing, save_parameters
from nnkernels.learn.earlier_parameters import STEPS
from nnkernels.learn.output import finite, origin, save_figures
from nnkernels.learn.predictions import Predictions
from nnkernels.learn.recorded_digits import discard_mistakes, record_mistakes
from nnkernels.learn.training_job import TrainingResult
from nnkernels.training import recipe_images

WEIGHTS, HISTORY, METRICS = "parameters.safetensors", "history.csv", "metrics.json"
SAMPLES = 12  # number of sample predictions
MISTAKES = 28  # maximum number of misclassified digits in the figure
METRICS_VERSION = 1


def write_report(trained: TrainingResult, dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Evaluate a training on the test images, and write all files of the report.

    Parameters
    ----------
    trained : TrainingResult
        The training.
    dataset : Dataset
        The data.
    folder : Path
        An existing folder.

    Returns
    -------
    metrics : dict
        The metrics, as in ``metrics.json``.
    """
    recipe, backend = trained.history.recipe, trained.kernels.backend
    seen = recipe_images(recipe, dataset.test)
    predictions = Predictions(dataset.test, probabilities(backend, trained.parameters, seen.X))
    metrics = _metrics(trained, dataset, seen, predictions)
    if metrics["diverged"]:
        for name in (WEIGHTS, STEPS):  # weights that are not finite are not saved, nor those on the way to them
            (folder / name).unlink(missing_ok=True)
        discard_mistakes(folder)
    else:
        preprocessing = Preprocessing.of_recipe(recipe)
        save_parameters(trained.parameters, folder / WEIGHTS, preprocessing=preprocessing)
        record_mistakes(predictions, dataset, folder)
    write_text(folder / HISTORY, trained.history.to_frame().to_csv(index=False))
    write_json(folder / METRICS, metrics)
    _draw(trained, dataset, predictions, folder)
    return metrics


def _metrics(
    trained: TrainingResult, dataset: Dataset, seen: LabelledImages, predictions: Predictions
) -> dict[str, Any]:
    history = trained.history
    record = history.final
    test_loss, test_error_rate = Evaluator(seen.X, seen.y, trained.kernels.judge)(trained.parameters)
    seconds = history.seconds
    return {
        "version": METRICS_VERSION,
        "recipe": asdict(history.recipe),
        "seed": history.seed,
        "kernels": trained.kernels.name,
        "different_mathematics": trained.kernels.own_file,
        "finished": trained.finished,
        "diverged": not all(np.isfinite(array).all() for array in trained.parameters),
        "epochs": history.epochs_done,
        "training_images": history.images,
        "training_seconds": seconds,
        "images_per_second": history.epochs_done * history.images / seconds if seconds else None,
        "train": _judged(record.train_loss, record.train_error_rate),
        "validation": _judged(record.validation_loss, record.validation_error_rate),
        "test": _judged(test_loss, test_error_rate),
        **({"class_names": list(dataset.class_names)} if dataset.class_names else {}),
        "confusion": predictions.confusion.tolist(),
        "provenance": origin(dataset),
    }


def _judged(loss: float, error_rate: float) -> dict[str, float | None]:
    return {"loss": finite(loss), "error_rate": error_rate, "accuracy": 1 - error_rate}


def _draw(trained: TrainingResult, dataset: Dataset, predictions: Predictions, folder: Path) -> None:
    history, params = trained.history, trained.parameters
    subtitle = ", ".join(
        filter(
            None,
            [
                f"{params.W1.shape[0]}-{params.W1.shape[1]}-{params.W2.shape[1]}, {history.recipe.name}",
                f"{history.epochs_done} epochs on {dataset.name}",
                trained.kernels.mark,
            ],
        )
    )
    X, y, probs, predicted = dataset.X_test, dataset.y_test, predictions.probs, predictions.predicted
    wrong, names = predictions.wrong, dataset.class_names
    shown = wrong[:MISTAKES]
    figures = {
        "curves": plots.training_curves(history.to_frame(), subtitle),
        "predictions": plots.sample_predictions(X[:SAMPLES], probs[:SAMPLES], y[:SAMPLES], subtitle, names),
        "mistakes": plots.mistakes(
            X[shown],
            y[shown],
            predicted[shown],
            probs[shown, predicted[shown]],
            probs[shown, y[shown]],
            len(wrong),
            len(X),
            subtitle,
            names,
        ),
        "confusion": plots.confusion_matrix(predictions.confusion, subtitle, names),
        "hidden_units": plots.hidden_units(params.W1, params.W2, subtitle, names),
    }
    save_figures(figures, folder)
