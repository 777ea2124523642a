"""How long a sweep will take, from its results so far or from a short training."""

from __future__ import annotations

import time
from dataclasses import asdict

import numpy as np

from nnkernels.data import Dataset
from nnkernels.recipes import recipe_from_record
from nnkernels.sweep.plan import Plan, Training
from nnkernels.sweep.results import SweepFolder
from nnkernels.sweep.run import missing
from nnkernels.sweep.worker import run_training

SAMPLE = 6000  # images of a short training


def expected_seconds(plan: Plan, folder: SweepFolder, workers: int) -> float:
    """Return the expected duration of what a sweep still has to do.

    A combination without a result is trained for one epoch on 6,000 images, in this process, after one epoch on 300
    images that compiles whatever has to be compiled.

    Parameters
    ----------
    plan : Plan
        The plan.
    folder : SweepFolder
        The results so far.
    workers : int
        The number of processes.

    Returns
    -------
    seconds : float
        The sum over all trainings without a result, divided by the number of processes.
    """
    known: dict[str, list[float]] = {}
    for row in folder.rows.values():
        known.setdefault(_combination(row["contender"], asdict(recipe_from_record(row["recipe"]))), []).append(
            row["seconds_with_evaluation"]
        )
    measured: dict[Training, float] = {}
    total = 0.0
    for _key, training in missing(plan, folder):
        same = known.get(_combination(training.contender, _record(training)))
        one_seed = Training(training.contender, training.recipe, 0)
        if same:
            total += float(np.mean(same))
            continue
        if one_seed not in measured:
            measured[one_seed] = _measured(one_seed, plan.dataset)
        total += measured[one_seed]
    return total / workers


def _measured(training: Training, dataset: Dataset) -> float:
    recipe, images = training.recipe, len(dataset.X_train)
    short = Training(training.contender, recipe.with_changes(epochs=1, averaged_epochs=0, patience=None), 0)
    run_training(short, _part(dataset, 300))
    started = time.perf_counter()
    sample = _part(dataset, SAMPLE)
    seconds = run_training(short, sample)["seconds"]
    evaluation = time.perf_counter() - started - seconds
    return float(seconds * recipe.epochs * images / len(sample.X_train) + 5 * evaluation)


def _part(dataset: Dataset, images: int) -> Dataset:
    first = slice(images)
    training = dataset.X_train[first], dataset.y_train[first]
    return Dataset(*training, dataset.X_test[first], dataset.y_test[first], classes=dataset.classes)


def _combination(contender: str, recipe: object) -> str:
    return f"{contender} {recipe}"


def _record(training: Training) -> object:
    return asdict(training.recipe)
