"""The gate: no contender is timed before its training agrees with the float64 oracle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels import contenders
from nnkernels.contenders import Contender
from nnkernels.contenders.ours import KernelContender
from nnkernels.data import Dataset
from nnkernels.errors import GateError, one_line
from nnkernels.measure.correctness.contender_extremes import first_wrong_answer
from nnkernels.measure.correctness.oracle import nearest_kink, predict_float64, train_float64
from nnkernels.parameters import Parameters, initial_parameters, max_abs_difference
from nnkernels.recipes import Recipe, benchmark_recipe

IMAGES = 2049  # at batch 32: 64 full batches and one of a single image
SEEDS = (3, 4, 5)  # of the initial parameters; the later seeds are tried only after a training near a ReLU's kink
# Rounding in float32 may change the sign of a ReLU input smaller than this. NumPy's inputs differ from the oracle's by
# about 1e-7 in this training, and one changed sign moves parameters by up to 3e-3.
KINK = 2e-6

# The largest absolute difference of any parameter from the oracle's that passes, by optimizer.
# Float32 NumPy over 40 seeds at batches 1, 8, 32, 256 and 1,024: at most 1.5e-6 for SGD and 1.7e-6 for momentum (but
# for one ReLU flip at batch 8), 1.4e-6 for Adam. Keras' Adam: 4.4e-6 at batch 1.
TOLERANCES = {"sgd": 1e-5, "momentum": 1e-5, "adam": 3e-5}
# Of any probability. All contenders at four recipes, on one machine: at most 4.6e-7.
PREDICTION_TOLERANCE = 3e-6
PREDICTED_IMAGES = 257  # different ones
# Several threads may share many images and not a few: as many as are timed, and one that is left over whatever shares
# there are. Keras' `predict` takes 32 at a time, and seconds for so many, so it is given the different ones alone.
PREDICTED_TOGETHER = 10_001
PREDICTED_ALONE = 8
INFERENCE_ONLY = "inference only"


@dataclass(frozen=True)
class GateResult:
    """How far a contender is from the oracle after the gate's training.

    Attributes
    ----------
    optimizer : str
        ``inference only`` for a contender that cannot train.
    max_abs_difference : float
        Of any parameter; of a contender that cannot train, from the parameters that it was given.
    tolerance : float
        What is allowed of it.
    prediction_difference : float
        Of any probability, both computed from the contender's own parameters.
    error : str
        Why there are no differences, if it broke down.
    extremes : str
        The first input of the extreme-input table that it answers wrongly; empty if there is none, and of contenders
        that are not ours: frameworks do not promise these answers.
    threads_difference : float
        Of any parameter, from a training on one thread, where the backend says that it gives the same bits on any
        number of them: then it has to be 0. Else it is 0.
    """

    contender: str
    optimizer: str
    batch_size: int
    max_abs_difference: float
    tolerance: float
    prediction_difference: float
    error: str = ""
    extremes: str = ""
    threads_difference: float = 0.0

    @property
    def trained(self) -> bool:
        """Whether the contender trained at all; else only its predictions were compared."""
        return self.optimizer != INFERENCE_ONLY

    @property
    def passed(self) -> bool:
        """Whether both differences are within their tolerances, which NaN is not, and no extreme answer is wrong."""
        within = self.max_abs_difference <= self.tolerance and self.prediction_difference <= PREDICTION_TOLERANCE
        return within and not self.extremes and self.threads_difference == 0


class _Task(NamedTuple):
    """What a contender trains from one seed: the first ``cut`` batches are one stretch, the others another."""

    start: Parameters
    order: npt.NDArray[np.int64]
    learning_rates: npt.NDArray[np.float32]
    cut: int


def _task(dataset: Dataset, recipe: Recipe, seed: int) -> _Task:
    rng = np.random.default_rng(seed)
    # The order is not that of storage, so a contender that ignores it is caught as well.
    order = rng.permutation(len(dataset.X_train))[:IMAGES]
    start = initial_parameters(seed, dataset.X_train.shape[1], recipe.hidden)
    learning_rates = recipe.learning_rates(0, len(order))
    cut = len(learning_rates) // 2
    learning_rates[cut:] /= 2
    return _Task(start, order, learning_rates, cut)


@lru_cache(maxsize=8)
def _expected(dataset: Dataset, recipe: Recipe, seed: int) -> Parameters:
    """Return what the oracle has trained, once for all contenders that are judged by it."""
    start, order, learning_rates, _cut = _task(dataset, recipe, seed)
    return train_float64(start, dataset.X_train[order] / 255.0, dataset.y_train[order], recipe, learning_rates)


def _near_kink(dataset: Dataset, recipe: Recipe, seed: int) -> bool:
    start, order, learning_rates, _cut = _task(dataset, recipe, seed)
    X, y = dataset.X_train[order] / 255.0, dataset.y_train[order]
    return nearest_kink(start, X, y, recipe, learning_rates) < KINK


def compare_with_oracle(name: str, contender: Contender, dataset: Dataset, recipe: Recipe | None = None) -> GateResult:
    """Train ``contender`` and the oracle from the same start on the same 2,049 real images, and compare.

    The training is two stretches, the second at half the learning rate, so that what a contender keeps between two is
    judged too. Predictions are those of many images in one call, on as many threads as the contender uses, and of a
    few in a call each. Our own contenders answer the extreme-input table as well, and whoever says that it trains to
    the same bits on any number of threads does. One that cannot train is given what the oracle has trained, and judged
    by its predictions.

    If the oracle's own training comes within rounding error of a ReLU's kink, a difference proves nothing. A contender
    that differs there is trained again from other initial parameters, at most three times in all.

    The contender is prepared anew; it is not closed.
    """
    for seed in SEEDS:
        result, at_kink = _compare(name, contender, dataset, recipe or benchmark_recipe(), seed)
        if result.passed or not at_kink:
            break
    return result


def _compare(name: str, contender: Contender, dataset: Dataset, recipe: Recipe, seed: int) -> tuple[GateResult, bool]:
    """Compare from one seed; also return whether a changed ReLU sign may explain a difference of the parameters."""
    start, order, learning_rates, cut = _task(dataset, recipe, seed)
    expected = _expected(dataset, recipe, seed)
    trains, images = _trains(name), dataset.X_test[:PREDICTED_IMAGES]
    extremes = ""
    if trains:
        if isinstance(contender, KernelContender):  # first, so that what it leaves must not disturb the training
            extremes = first_wrong_answer(contender, recipe, len(start.W1), len(start.b2))
        contender.prepare(start, dataset.training, recipe)
        contender.predict(images[:1])  # what it keeps of the parameters is old after the training
        _train(contender, order, learning_rates, cut, recipe)
    else:  # its biases are to be other than the zeros of the start
        expected = Parameters(*(array.astype(np.float32) for array in expected))
        contender.prepare(expected, dataset.training, recipe)
    trained = contender.parameters()
    prediction_difference = _prediction_difference(contender, images, predict_float64(trained, images / 255.0))
    threads_difference = 0.0
    if isinstance(contender, KernelContender) and getattr(contender.backend, "SAME_BITS_ON_ANY_THREADS", False):
        with contenders.thread_limit(contender, 1):
            contender.prepare(start, dataset.training, recipe)
            _train(contender, order, learning_rates, cut, recipe)
        threads_difference = max_abs_difference(contender.parameters(), trained)
    result = GateResult(
        name,
        recipe.optimizer.name if trains else INFERENCE_ONLY,
        recipe.batch_size,
        max_abs_difference(trained, expected),
        TOLERANCES[recipe.optimizer.name] if trains else 0.0,
        prediction_difference,
        extremes=extremes,
        threads_difference=threads_difference,
    )
    departs = trains and not result.max_abs_difference <= result.tolerance
    return result, departs and _near_kink(dataset, recipe, seed)


def _train(
    contender: Contender,
    order: npt.NDArray[np.int64],
    learning_rates: npt.NDArray[np.float32],
    cut: int,
    recipe: Recipe,
) -> None:
    """Train on ``cut`` batches, then on the rest."""
    stretch = cut * recipe.batch_size
    if cut:
        contender.advance(order[:stretch], learning_rates[:cut])
    contender.advance(order[stretch:], learning_rates[cut:])


def _prediction_difference(
    contender: Contender, images: npt.NDArray[np.uint8], probs: npt.NDArray[np.float64]
) -> float:
    count = len(images) if contender.whole_epochs_only else PREDICTED_TOGETHER
    many = np.resize(np.arange(len(images)), count)
    together = np.asarray(contender.predict(images[many]), np.float64)
    few = range(min(PREDICTED_ALONE, len(images)))
    alone = np.concatenate([np.asarray(contender.predict(images[n : n + 1]), np.float64) for n in few])
    return float(max(np.max(np.abs(together - probs[many])), np.max(np.abs(alone - probs[: len(few)]))))


def require(name: str, contender: Contender, dataset: Dataset, recipe: Recipe | None = None) -> GateResult:
    """Let a contender pass the gate.

    Raises
    ------
    GateError
        If its parameters or its predictions depart from the oracle's by more than the tolerance.
    """
    result = compare_with_oracle(name, contender, dataset, recipe)
    if not result.passed and not result.trained:
        raise GateError(
            f"{name} departs from the float64 oracle: given the oracle's parameters, which it keeps to within "
            f"{result.max_abs_difference:.3g}, its predictions are off by {result.prediction_difference:.3g}, at most "
            f"{PREDICTION_TOLERANCE:.0e} is allowed. It is not timed: check its forward pass."
        )
    if not result.passed:
        images = min(IMAGES, len(dataset.X_train))
        raise GateError(
            f"{name} departs from the float64 oracle: after {images} images ({result.optimizer}, batch "
            f"{result.batch_size}) its parameters are off by {result.max_abs_difference:.3g}, at most "
            f"{result.tolerance:.0e} is allowed; its predictions by {result.prediction_difference:.3g}, at most "
            f"{PREDICTION_TOLERANCE:.0e}.{_further(result)} It is not timed: check its gradients, its update and "
            "its forward pass."
        )
    return result


def _further(result: GateResult) -> str:
    told = f" Of the extreme inputs, {result.extremes}." if result.extremes else ""
    if result.threads_difference != 0:
        told += (
            f" On one thread its parameters are others, by {result.threads_difference:.3g}; it promises the same bits."
        )
    return told


def _trains(name: str) -> bool:
    # A contender that nobody has registered may be judged as well; it is taken to train.
    return name not in contenders.names() or contenders.entry(name).trains


def verify(name: str, dataset: Dataset, recipe: Recipe | None = None) -> GateResult:
    """Measure one contender against the oracle, without timing anything.

    Raises
    ------
    UnknownNameError, MissingDependencyError
        If the contender is unknown or not installed.
    """
    contender = contenders.create_anywhere(name)
    try:
        return compare_with_oracle(name, contender, dataset, recipe)
    finally:
        contender.close()


def verify_all(names: Sequence[str], dataset: Dataset, recipe: Recipe | None = None) -> list[GateResult]:
    """Measure several contenders; one that breaks down has failed, and says how, and the others go on."""
    results = []
    for name in names:
        try:
            results.append(verify(name, dataset, recipe))
        except Exception as error:
            tried = recipe or benchmark_recipe()
            rule = tried.optimizer.name
            reason = one_line(error)
            results.append(GateResult(name, rule, tried.batch_size, np.nan, TOLERANCES[rule], np.nan, error=reason))
    return results
