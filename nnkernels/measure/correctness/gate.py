"""The gate: no contender is timed before its training agrees with the float64 oracle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nnkernels import contenders
from nnkernels.contenders import Contender
from nnkernels.data import Dataset
from nnkernels.errors import GateError, one_line
from nnkernels.measure.correctness.oracle import predict_float64, train_float64
from nnkernels.parameters import Parameters, initial_parameters, max_abs_difference
from nnkernels.recipes import Recipe, benchmark_recipe

IMAGES = 2049  # at batch 32: 64 full batches and one of a single image
SEED = 3

# The largest absolute difference of any parameter from the oracle's that passes, by optimizer.
# Float32 NumPy over 40 seeds at batches 1, 8, 32, 256 and 1,024: at most 1.5e-6 for SGD and 1.7e-6 for momentum (but
# for one ReLU flip at batch 8), 1.4e-6 for Adam. Keras' Adam: 4.4e-6 at batch 1.
TOLERANCES = {"sgd": 1e-5, "momentum": 1e-5, "adam": 3e-5}
PREDICTION_TOLERANCE = 1e-5
PREDICTED_IMAGES = 257
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
    """

    contender: str
    optimizer: str
    batch_size: int
    max_abs_difference: float
    tolerance: float
    prediction_difference: float
    error: str = ""

    @property
    def trained(self) -> bool:
        """Whether the contender trained at all; else only its predictions were compared."""
        return self.optimizer != INFERENCE_ONLY

    @property
    def passed(self) -> bool:
        """Whether both differences are within their tolerances; NaN is not."""
        return self.max_abs_difference <= self.tolerance and self.prediction_difference <= PREDICTION_TOLERANCE


def compare_with_oracle(name: str, contender: Contender, dataset: Dataset, recipe: Recipe | None = None) -> GateResult:
    """Train ``contender`` and the oracle from the same start on the same 2,049 real images, and compare.

    A contender that cannot train is given what the oracle has trained, and judged by its predictions. The contender
    is prepared anew; it is not closed.
    """
    recipe = recipe or benchmark_recipe()
    rng = np.random.default_rng(SEED)
    # The order is not that of storage, so a contender that ignores it is caught as well.
    order = rng.permutation(len(dataset.X_train))[:IMAGES]
    learning_rates = recipe.learning_rates(0, len(order))
    start = initial_parameters(SEED, dataset.X_train.shape[1], recipe.hidden)
    expected = train_float64(start, dataset.X_train[order] / 255.0, dataset.y_train[order], recipe, learning_rates)
    trains = _trains(name)
    if trains:
        contender.prepare(start, dataset.training, recipe)
        contender.advance(order, learning_rates)
    else:  # its biases are to be other than the zeros of the start
        expected = Parameters(*(array.astype(np.float32) for array in expected))
        contender.prepare(expected, dataset.training, recipe)
    trained = contender.parameters()
    images = dataset.X_test[:PREDICTED_IMAGES]
    predictions = np.asarray(contender.predict(images), np.float64)
    return GateResult(
        name,
        recipe.optimizer.name if trains else INFERENCE_ONLY,
        recipe.batch_size,
        max_abs_difference(trained, expected),
        TOLERANCES[recipe.optimizer.name] if trains else 0.0,
        float(np.max(np.abs(predictions - predict_float64(trained, images / 255.0)))),
    )


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
            f"{PREDICTION_TOLERANCE:.0e}. It is not timed: check its gradients, its update and its forward pass."
        )
    return result


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
            results.append(GateResult(name, rule, tried.batch_size, np.nan, TOLERANCES[rule], np.nan, reason))
    return results
