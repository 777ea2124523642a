"""The gate: a contender is timed only after its training has agreed with the float64 oracle."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nnkernels import contenders
from nnkernels.contenders import Contender
from nnkernels.contenders.ours import KernelContender
from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError, GateError
from nnkernels.history import History
from nnkernels.kept_parameters import keep_average
from nnkernels.measure.correctness.contender_extremes import first_wrong_answer
from nnkernels.measure.correctness.gate_result import INFERENCE_ONLY, PREDICTION_TOLERANCE, TOLERANCES, GateResult
from nnkernels.measure.correctness.gate_training import (
    SEEDS,
    number_of_images,
    parameters_of_oracle,
    problem_for_oracle,
    trained_by_oracle,
    training_from,
)
from nnkernels.measure.correctness.oracle import nearest_kink, predict_float64
from nnkernels.parameters import max_abs_difference
from nnkernels.recipes import Recipe, benchmark_recipe

# Rounding in float32 may change the sign of a ReLU input smaller than this. In this training, NumPy's inputs differ
# from the oracle's by about 1e-7, and one changed sign moves parameters by up to 3e-3.
KINK = 2e-6
PREDICTED_IMAGES = 257  # number of different images
# Some contenders use several threads only for many images. So one call predicts as many images as are timed, plus one,
# a number that threads cannot share evenly. Keras' `predict` takes seconds for so many images, because it works in
# batches of 32. So it predicts only the different ones.
PREDICTED_TOGETHER = 10_001
PREDICTED_ALONE = 8


def compare_with_oracle(name: str, contender: Contender, dataset: Dataset, recipe: Recipe | None = None) -> GateResult:
    """Train a contender and the oracle on the same 2,049 real images from the same initial parameters, and compare.

    Batches of more than 512 images need more images, for four full batches and one more image.

    The training consists of two calls of ``advance``, the second at half the learning rate, so that state kept between
    calls is checked too. With averaging, the parameters are the mean of those after each call. Predictions are checked
    for many images in one call, and for a few images in one call each. A contender that cannot train predicts with the
    oracle's trained parameters.

    This package's own contenders must also pass the extreme-input table. A backend that declares the same bits on any
    number of threads must produce them.

    If an input of a ReLU in the oracle's training is within rounding error of 0, a difference of the parameters does
    not prove a mistake. The comparison is then repeated from other initial parameters, at most three times in all.

    Parameters
    ----------
    name : str
        Name of the contender.
    contender : Contender
        The contender to check. Its previous state is lost, and it is not closed.
    dataset : Dataset
        The source of the images.
    recipe : Recipe, optional
        The training recipe; by default, gradient descent as it is benchmarked.

    Returns
    -------
    result : GateResult
        The differences and the tolerance.
    """
    for seed in SEEDS:
        result, at_kink = _compare(name, contender, dataset, recipe or benchmark_recipe(), seed)
        if result.passed or not at_kink:
            break
    return result


def _compare(name: str, contender: Contender, dataset: Dataset, recipe: Recipe, seed: int) -> tuple[GateResult, bool]:
    """Compare from one seed; also return whether a changed ReLU sign may explain the difference of the parameters."""
    order, start, learning_rates = training_from(dataset, recipe, seed)
    cut = len(learning_rates) // 2
    expected = trained_by_oracle(dataset, recipe, seed, len(order))
    trains, images = _trains(name), dataset.X_test[:PREDICTED_IMAGES]
    extremes = ""
    if trains:
        if isinstance(contender, KernelContender):  # first, so that state it leaves behind would show in the training
            extremes = first_wrong_answer(contender, recipe, len(start.W1), len(start.b2))
        contender.prepare(start, dataset.training, recipe)
        contender.predict(images[:1])  # anything it caches from the parameters is outdated after the training
        _train(contender, order, learning_rates, cut, recipe)
    else:  # trained parameters, because the initial biases are zero
        expected = parameters_of_oracle(dataset, recipe, seed)
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
        path=_path(contender),
    )
    differs = trains and not result.max_abs_difference <= result.tolerance
    return result, differs and nearest_kink(*problem_for_oracle(dataset, recipe, seed)) < KINK


def _path(contender: Contender) -> str:
    if not isinstance(contender, KernelContender):
        return ""
    path_of = getattr(contender.backend, "path_of", None)
    return str(path_of(contender.packed.images)) if path_of else ""


def _train(
    contender: Contender,
    order: npt.NDArray[np.int64],
    learning_rates: npt.NDArray[np.float32],
    cut: int,
    recipe: Recipe,
) -> None:
    """Train on ``cut`` batches in one call, then on the remaining ones in another. With averaging, each is an epoch."""
    first_images = cut * recipe.batch_size
    history = History(recipe.with_changes(epochs=2, averaged_epochs=2), 0, len(order))
    if cut:
        contender.advance(order[:first_images], learning_rates[:cut])
    if recipe.averaged_epochs:
        keep_average(history, 1, contender.parameters())
    contender.advance(order[first_images:], learning_rates[cut:])
    if recipe.averaged_epochs:
        if not isinstance(contender, contenders.ReplacesParameters):
            raise ConfigurationError("it cannot replace its parameters, which the averaging of the recipe needs")
        mean = keep_average(history, 2, contender.parameters())
        # Anything that it caches from the parameters is outdated after their replacement.
        contender.predict(np.zeros((1, len(mean.W1)), np.uint8))
        contender.replace_parameters(mean)


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
    """Check that a contender passes the gate.

    Parameters
    ----------
    name : str
        Name of the contender.
    contender : Contender
        The contender to check. Its previous state is lost, and it is not closed.
    dataset : Dataset
        The source of the images.
    recipe : Recipe, optional
        The training recipe; by default, gradient descent as it is benchmarked.

    Returns
    -------
    result : GateResult
        The differences, all of them within tolerance.

    Raises
    ------
    GateError
        If the parameters or predictions differ from the oracle's by more than the tolerance, or if a further check
        fails: see :func:`compare_with_oracle`.
    """
    result = compare_with_oracle(name, contender, dataset, recipe)
    if not result.passed and not result.trained:
        raise GateError(
            f"{name} differs from the float64 oracle: given the oracle's parameters, which it stores with an error of "
            f"up to {result.max_abs_difference:.3g}, its predictions differ by up to "
            f"{result.prediction_difference:.3g} (tolerance {PREDICTION_TOLERANCE:.0e}). It is not timed: check its "
            "forward pass."
        )
    if not result.passed:
        images = min(number_of_images(result.batch_size), len(dataset.X_train))
        raise GateError(
            f"{result.label} differs from the float64 oracle: after {images} images ({result.optimizer}, batch size "
            f"{result.batch_size}), its parameters differ by up to {result.max_abs_difference:.3g} (tolerance "
            f"{result.tolerance:.0e}) and its predictions by up to {result.prediction_difference:.3g} (tolerance "
            f"{PREDICTION_TOLERANCE:.0e}).{_further_checks(result)} It is not timed: check its gradients, its update "
            "and its forward pass."
        )
    return result


def _further_checks(result: GateResult) -> str:
    """Describe the failures of the further checks. Empty if none failed."""
    text = f" Extreme inputs: {result.extremes}." if result.extremes else ""
    if result.threads_difference != 0:
        text += (
            f" On one thread, its parameters differ by up to {result.threads_difference:.3g}, although it promises "
            "the same bits on any number of threads."
        )
    return text


def _trains(name: str) -> bool:
    # A contender that is not registered can be checked too. It is assumed to train.
    return name not in contenders.names() or contenders.entry(name).trains
