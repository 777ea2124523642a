"""Training that can be continued later, on the same samples or on others."""

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
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.recipes import Recipe
from nnkernels.training import continue_training, recipe_images

# In units of log(C), the loss of uniform guessing among C classes. With scaled features, an untrained network has about
# that loss. A training run whose loss ends above twice that value has not converged.
MAX_RELATIVE_LOSS = 2.0


class TrainingState(NamedTuple):
    """The complete state of a training run, as plain arrays and records that can be copied and pickled.

    Attributes
    ----------
    parameters : Parameters
        Weights and biases.
    optimizer_state : OptimizerState
        The state of the optimizer.
    history : History
        The records of the epochs so far.
    """

    parameters: Parameters
    optimizer_state: OptimizerState
    history: History


def initial_training_state(seed: int, inputs: int, classes: int, recipe: Recipe) -> TrainingState:
    """Return the state of a training run before its first epoch.

    Parameters
    ----------
    seed : int
        Seed of the initial parameters and of the order of the samples.
    inputs, classes : int
        The numbers of features and classes.
    recipe : Recipe
        Has the width of the hidden layer.

    Returns
    -------
    state : TrainingState
        The initial state.
    """
    start = initial_parameters(seed, inputs, recipe.hidden, classes)
    return TrainingState(start, initial_state(start), History(recipe, seed, 0))


def train_further(
    X: npt.NDArray[Any], y: npt.NDArray[Any], hyper: HyperParameters, state: TrainingState
) -> TrainingState:
    """Continue a training run for as many epochs as the recipe has.

    Parameters
    ----------
    X : ndarray of uint8 or float32, shape (N, D)
        Pixels or features.
    y : ndarray of integers, shape (N,)
        Class indices.
    hyper : HyperParameters
        The hyperparameters of this call.
    state : TrainingState
        The state so far; not modified. Its optimizer state is used only if the name of the optimizer is the same.

    Returns
    -------
    state : TrainingState
        The state after the new epochs.

    Raises
    ------
    HyperParameterError
        If the network so far has another width, or if a single sample has to be split.
    """
    width = len(state.parameters.b1)
    if width != hyper.recipe.hidden:
        raise HyperParameterError(
            f"hidden_size is {hyper.recipe.hidden}, but the network trained so far has {width} hidden units; "
            f"set hidden_size to {width}, or call fit with warm_start=False"
        )
    data, held_out = hold_out(X, y, hyper.validation_fraction, state.history.seed)
    recipe = hyper.recipe.with_changes(
        epochs=state.history.epochs_done + hyper.recipe.epochs,
        batch_size=min(hyper.recipe.batch_size, len(data.X)),  # buffers have the size of a full batch
    )
    history = replace(state.history, recipe=recipe, images=len(data.X), epochs=list(state.history.epochs), kept=None)
    contender = KernelContender(hyper.backend)
    contender.prepare(state.parameters, recipe_images(recipe, data), recipe)
    if state.history.recipe.optimizer.name == recipe.optimizer.name:
        contender.restore(state.optimizer_state)
    with np.errstate(over="ignore", invalid="ignore"):  # with every backend, an overflow shows in the loss
        callbacks = (_has_diverged, *hyper.callbacks)
        continue_training(contender, data, history, validation=held_out, callbacks=callbacks)
    return TrainingState(contender.parameters(), contender.optimizer_state(), replace(history, kept=None))


def hold_out(
    X: npt.NDArray[Any], y: npt.NDArray[Any], fraction: float, seed: int
) -> tuple[LabelledImages, LabelledImages | None]:
    """Split samples into training and validation samples. Equal labels and seeds give equal splits.

    The split is stratified by class, unless one part would be empty because the classes are too small. Then samples are
    drawn regardless of their class.

    Parameters
    ----------
    X : ndarray of uint8 or float32, shape (N, D)
        Pixels or features.
    y : ndarray of integers, shape (N,)
        Class indices.
    fraction : float
        The fraction of validation samples, at least 0 and below 1.
    seed : int
        Seed of the split.

    Returns
    -------
    train : LabelledImages
        The training samples.
    held_out : LabelledImages or None
        The validation samples; None if the fraction is 0.

    Raises
    ------
    HyperParameterError
        If a single sample has to be split.
    """
    if fraction == 0:
        return LabelledImages(X, y), None
    N = len(y)
    if N == 1:
        raise HyperParameterError(f"validation_fraction is {fraction}, but one sample cannot be split; set it to 0")
    train, held_out = stratified_split(y, fraction, seed)
    if not (len(train) and len(held_out)):
        size = min(max(round(fraction * N), 1), N - 1)
        train, held_out = np.split(np.random.default_rng(seed).permutation(N), [N - size])
    return LabelledImages(X[train], y[train]), LabelledImages(X[held_out], y[held_out])


def warn_if_loss_above(limit: float, history: History, classes: int) -> None:
    """Warn if the last training loss is not finite, or if it exceeds ``limit`` times the loss of uniform guessing.

    The warning is attributed to the caller of the calling function.

    Parameters
    ----------
    limit : float
        The limit in units of log(classes).
    history : History
        The records of the training.
    classes : int
        The number of classes.

    Warns
    -----
    ConvergenceWarning
        If the training has diverged or not converged.
    """
    last, uniform_loss = history.epochs[-1], math.log(classes)
    if not math.isfinite(last.train_loss):
        outcome, remedy = "diverged", ""
    elif uniform_loss and last.train_loss > limit * uniform_loss:  # zero for one class
        outcome, remedy = "not converged", ", or raise epochs"
    else:
        return
    warnings.warn(
        f"the training has {outcome}: its loss after epoch {last.epoch} is {last.train_loss:.3g} (uniform guessing: "
        f"{uniform_loss:.3g}); scale the features, or lower learning_rate{remedy}",
        ConvergenceWarning,
        stacklevel=3,
    )


def _has_diverged(history: History, _contender: Contender) -> bool:
    return not math.isfinite(history.epochs[-1].train_loss)  # a non-finite loss never recovers
