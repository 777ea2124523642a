"""What an accuracy run says: error rates by recipe and by width, and paired differences from Keras."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nnkernels.accuracy.design import BEST, FIT, KERAS, OURS
from nnkernels.accuracy.equivalence import Verdict, verdict
from nnkernels.accuracy.paired_epochs import seconds_per_epoch, speed_up
from nnkernels.accuracy.record import AccuracyRun
from nnkernels.errors import ResultsError
from nnkernels.recipes import Recipe, recipe_from_record
from nnkernels.statistics import Estimate, Floats, student
from nnkernels.sweep.results import Row


@dataclass(frozen=True)
class PairedErrors:
    """The error rates of ours and of a Keras contender with the same seeds.

    Attributes
    ----------
    seeds : tuple of int
        The seeds that both trained with.
    ours, keras : ndarray of float64, shape (seeds,)
        Error rates on the test images.
    """

    seeds: tuple[int, ...]
    ours: Floats
    keras: Floats

    @property
    def differences(self) -> Floats:
        """The error rates of ours minus those of Keras, shape (seeds,)."""
        return self.ours - self.keras


@dataclass(frozen=True)
class RecipeResult:
    """The results of a recipe, or of a width in the width study.

    Attributes
    ----------
    recipe : Recipe
        The recipe.
    error : Estimate
        The mean error rate of ours over all its seeds.
    train_error : float
        The mean error rate of ours on the training images.
    seconds : float
        Median seconds of a training of ours on one thread, transforms included, evaluation excluded. The mean would
        contain the compilation of the kernels in the first trainings.
    keras_error : Estimate or None
        The mean error rate of Keras. None if Keras did not train this.
    keras_seconds : float or None
        Median seconds of a training in Keras.
    difference : Estimate or None
        The mean error rate of ours minus that of Keras, over the seeds of both.
    verdict : {"equivalent", "different", "undecided"} or None
        The verdict on the difference.
    fit_difference : Estimate or None
        The same difference from Keras' ``fit``, without a verdict.
    """

    recipe: Recipe
    error: Estimate
    train_error: float
    seconds: float
    keras_error: Estimate | None
    keras_seconds: float | None
    difference: Estimate | None
    verdict: Verdict | None
    fit_difference: Estimate | None


@dataclass(frozen=True)
class AccuracySummary:
    """All that is shown of an accuracy run.

    Attributes
    ----------
    run : AccuracyRun
        The run.
    recipes : tuple of RecipeResult
        The accurate recipes, the least accurate first.
    widths : tuple of RecipeResult
        The width study, the narrowest first.
    best_seconds : Estimate
        Seconds of a training with ``best``, transforms included, with nothing else running: its epochs times the time
        of a paired epoch of ours.
    speed_up : Estimate
        How many times as fast as Keras' ``fit`` ours trains an epoch of ``best``, transforms included.
    """

    run: AccuracyRun
    recipes: tuple[RecipeResult, ...]
    widths: tuple[RecipeResult, ...]
    best_seconds: Estimate
    speed_up: Estimate


def summarise_accuracy(run: AccuracyRun) -> AccuracySummary:
    """Summarise an accuracy run.

    Parameters
    ----------
    run : AccuracyRun
        A complete run.

    Returns
    -------
    summary : AccuracySummary
        The summary.

    Raises
    ------
    ResultsError
        If the run lacks the trainings of a recipe, or the paired epochs.
    """
    if not run.epochs:
        raise ResultsError(f"{run.folder}: has no paired epochs; restore it from git or delete its folder")
    recipes = [recipe_from_record(recipe) for recipe in run.record.recipes]
    study = recipe_from_record(run.record.width_recipe)
    widths = sorted({row["recipe"]["hidden"] for row in run.rows if row["recipe"]["name"] == study.name})
    return AccuracySummary(
        run,
        tuple(_result(run, recipe) for recipe in recipes),
        tuple(_result(run, study.with_changes(hidden=width)) for width in widths),
        _times(seconds_per_epoch(run.epochs), next(recipe.epochs for recipe in recipes if recipe.name == BEST)),
        speed_up(run.epochs),
    )


def paired_errors(rows: Iterable[Row], recipe: Recipe, keras: str = KERAS) -> PairedErrors:
    """Return the error rates of ours and of Keras with the same seeds.

    Parameters
    ----------
    rows : iterable of dict
        Results of trainings.
    recipe : Recipe
        The recipe.
    keras : str, default: "keras-graph"
        The contender of Keras.

    Returns
    -------
    errors : PairedErrors
        Ordered by seed.
    """
    chosen = list(rows)
    ours, theirs = ({row["seed"]: row["error_rate"] for row in rows_of(chosen, recipe, name)} for name in (OURS, keras))
    seeds = sorted(ours.keys() & theirs.keys())
    arrays = (np.array([errors[seed] for seed in seeds], np.float64) for errors in (ours, theirs))
    return PairedErrors(tuple(seeds), *arrays)


def rows_of(rows: Iterable[Row], recipe: Recipe, contender: str) -> list[Row]:
    """Return the results of a recipe and a contender.

    Parameters
    ----------
    rows : iterable of dict
        Results of trainings.
    recipe : Recipe
        The recipe, with the width of the hidden layer.
    contender : str
        The name of the contender.

    Returns
    -------
    rows : list of dict
        Ordered by seed.
    """
    chosen = [row for row in rows if row["contender"] == contender and recipe_from_record(row["recipe"]) == recipe]
    return sorted(chosen, key=lambda row: int(row["seed"]))


def _result(run: AccuracyRun, recipe: Recipe) -> RecipeResult:
    ours, keras = (rows_of(run.rows, recipe, name) for name in (OURS, KERAS))
    if not ours:
        raise ResultsError(
            f"{run.folder}: has no trainings of {recipe.name}, width {recipe.hidden}; restore it from git or delete "
            "its folder"
        )
    differences, fit = (paired_errors(run.rows, recipe, name).differences for name in (KERAS, FIT))
    difference = student(differences) if len(differences) else None
    return RecipeResult(
        recipe,
        _mean(ours, "error_rate"),
        _mean(ours, "train_error_rate").value,
        _median_seconds(ours),
        _mean(keras, "error_rate") if keras else None,
        _median_seconds(keras) if keras else None,
        difference,
        verdict(difference) if difference else None,
        student(fit) if len(fit) else None,
    )


def _times(found: Estimate, factor: float) -> Estimate:
    return Estimate(factor * found.value, factor * found.low, factor * found.high, found.samples)


def _mean(rows: list[Row], column: str) -> Estimate:
    return student([row[column] for row in rows])


def _median_seconds(rows: list[Row]) -> float:
    return float(np.median([row["seconds"] for row in rows]))
