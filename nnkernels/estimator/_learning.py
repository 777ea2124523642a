"""A training that can be taken up where it was left, on the same samples or on others."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning

from nnkernels.contenders import Contender
from nnkernels.contenders.ours import KernelContender
from nnkernels.data import LabelledImages
from nnkernels.data.splits import stratified_split
from nnkernels.estimator._hyper_parameters import HyperParameterError, HyperParameters
from nnkernels.history import History
from nnkernels.kernels import OptimizerState, initial_state
from nnkernels.parameters import FloatArray, Parameters, initial_parameters
from nnkernels.recipes import Recipe
from nnkernels.training import go_on

# Times log(C), the loss of whoever takes all C classes for equally probable. A fresh network is near that if its
# features are scaled; one that ends above this has not learnt.
HIGHEST_LOSS = 2.0


class TrainingState(NamedTuple):
    """All that a training needs to go on; plain arrays and records, so that it can be copied and pickled."""

    parameters: Parameters
    optimizer_state: OptimizerState
    history: History


def beginning(seed: int, inputs: int, classes: int, recipe: Recipe) -> TrainingState:
    """Return a training before its first epoch."""
    start = initial_parameters(seed, inputs, recipe.hidden, classes)
    return TrainingState(start, initial_state(start), History(recipe, seed, 0))


def learn(X: FloatArray, y: npt.NDArray[Any], hyper: HyperParameters, before: TrainingState) -> TrainingState:
    """Train for as many more epochs as the recipe has; ``before`` stays as it is.

    Parameters
    ----------
    X : ndarray of float32, shape (N, D)
    y : ndarray of integers, shape (N,)
    hyper : HyperParameters
    before : TrainingState
        Its memory serves the optimizer only if that is of the same name: a velocity is no moment.

    Raises
    ------
    HyperParameterError
        If the network so far has another width, or a single sample is to be divided.
    """
    width = len(before.parameters.b1)
    if width != hyper.recipe.hidden:
        raise HyperParameterError(
            f"hidden_size is {hyper.recipe.hidden}, but the network to go on with has {width} hidden units; "
            "set hidden_size back, or call fit with warm_start=False"
        )
    data, held_out = hold_out(X, y, hyper.validation_fraction, before.history.seed)
    recipe = hyper.recipe.with_changes(
        epochs=before.history.epochs_done + hyper.recipe.epochs,
        batch_size=min(hyper.recipe.batch_size, len(data.X)),  # the room of a whole batch is taken, full or not
    )
    history = replace(before.history, recipe=recipe, images=len(data.X), epochs=list(before.history.epochs))
    contender = KernelContender(hyper.backend)
    contender.prepare(before.parameters, data, recipe)
    if before.history.recipe.optimizer.name == recipe.optimizer.name:
        contender.restore(before.optimizer_state)
    with np.errstate(over="ignore", invalid="ignore"):  # the loss tells, and with every backend
        callbacks = (_has_diverged, *hyper.callbacks)
        go_on(contender, data, history, validation=held_out, callbacks=callbacks, judge=contender.backend)
    return TrainingState(contender.parameters(), contender.optimizer_state(), history)


def hold_out(
    X: FloatArray, y: npt.NDArray[Any], fraction: float, seed: int
) -> tuple[LabelledImages, LabelledImages | None]:
    """Return what is learnt and what is held out, None for the fraction 0; the same for the same labels and seed.

    Each class has its share in both parts, unless classes are so small that one part would be empty: then samples
    are drawn without regard to their class.

    Raises
    ------
    HyperParameterError
        If a single sample is to be divided.
    """
    if fraction == 0:
        return LabelledImages(X, y), None
    N = len(y)
    if N == 1:
        raise HyperParameterError(f"validation_fraction is {fraction}, but one sample cannot be divided; set it to 0")
    learnt, held_out = stratified_split(y, fraction, seed)
    if not (len(learnt) and len(held_out)):
        size = min(max(round(fraction * N), 1), N - 1)
        learnt, held_out = np.split(np.random.default_rng(seed).permutation(N), [N - size])
    return LabelledImages(X[learnt], y[learnt]), LabelledImages(X[held_out], y[held_out])


def warn_of_a_loss_above(limit: float, history: History, classes: int) -> None:
    """Warn whoever called our caller if the last training loss is not finite, or above ``limit`` times log(classes)."""
    last, blind = history.epochs[-1], math.log(classes)
    if not math.isfinite(last.train_loss):
        what, cure = "diverged", ""
    elif blind and last.train_loss > limit * blind:  # a single class costs nothing but rounding
        what, cure = "not converged", ", or raise epochs"
    else:
        return
    warnings.warn(
        f"the training has {what}: its loss after epoch {last.epoch} is {last.train_loss:.3g} (guessing blindly: "
        f"{blind:.3g}); scale the features, or lower learning_rate{cure}",
        ConvergenceWarning,
        stacklevel=3,
    )


def _has_diverged(history: History, _contender: Contender) -> bool:
    return not math.isfinite(history.epochs[-1].train_loss)  # no later epoch brings it back
