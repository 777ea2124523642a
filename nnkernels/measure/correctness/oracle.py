"""The oracle: the reference training in float64, vectorised, and independent of every kernel that it checks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.parameters import Parameters
from nnkernels.recipes import Recipe

Float64Array = npt.NDArray[np.float64]


def train_float64(
    start: Parameters,
    X: npt.NDArray[Any],
    y: npt.NDArray[Any],
    recipe: Recipe,
    learning_rates: npt.NDArray[Any],
    averaged_after: Sequence[int] = (),
) -> Parameters:
    """Train once on ``X`` in the given order, in float64.

    The oracle shares no code with the kernels except the container of the parameters. Its gradients use one-hot labels,
    smoothed if the recipe says so, and log-softmax. Its Adam corrects the bias of each moment separately, and scales
    epsilon as Keras does.

    Parameters
    ----------
    start : Parameters
        Initial parameters.
    X : ndarray, shape (M, D)
        Features.
    y : ndarray of integers, shape (M,)
        Labels.
    recipe : Recipe
        Its optimizer, label smoothing and batch size are used.
    learning_rates : ndarray, shape (ceil(M / batch_size),)
        Learning rate of each batch.
    averaged_after : sequence of int, optional
        Numbers of batches. The result is the mean of the parameters after so many batches.

    Returns
    -------
    params : Parameters
        Trained parameters, float64.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015. The scaled epsilon is the
    "epsilon hat" of its Section 2.
    """
    trajectory = list(_trained_weights(start, X, y, recipe, learning_rates))
    averaged = [trajectory[batches] for batches in averaged_after or (-1,)]
    return Parameters(*(np.mean(weights, axis=0) for weights in zip(*averaged, strict=True)))


def nearest_kink(
    start: Parameters,
    X: npt.NDArray[Any],
    y: npt.NDArray[Any],
    recipe: Recipe,
    learning_rates: npt.NDArray[Any],
) -> float:
    """Return the smallest absolute input of any ReLU during the training of :func:`train_float64`.

    If it is smaller than the rounding errors of float32, that ReLU may be active in float32 and inactive in float64.
    The two training runs then diverge, even if both are correct.

    Parameters
    ----------
    start : Parameters
        Initial parameters.
    X : ndarray, shape (M, D)
        Features.
    y : ndarray of integers, shape (M,)
        Labels.
    recipe : Recipe
        Its optimizer, label smoothing and batch size are used.
    learning_rates : ndarray, shape (ceil(M / batch_size),)
        Learning rate of each batch.

    Returns
    -------
    distance : float
        Smallest absolute input of a ReLU, over all images and hidden units.
    """
    weights = _trained_weights(start, X, y, recipe, learning_rates)
    batches = range(0, len(X), recipe.batch_size)
    inputs = (X[i : i + recipe.batch_size] @ w[0] + w[1] for i, w in zip(batches, weights, strict=False))
    return min(float(np.abs(batch_inputs).min()) for batch_inputs in inputs)


def _trained_weights(
    start: Parameters, X: npt.NDArray[Any], y: npt.NDArray[Any], recipe: Recipe, learning_rates: npt.NDArray[Any]
) -> Iterator[list[Float64Array]]:
    """Yield the weights before each batch, and after the last one."""
    weights = [np.asarray(array, np.float64).copy() for array in start]
    yield weights
    first_moments = [np.zeros_like(w) for w in weights]  # with momentum, the velocities
    second_moments = [np.zeros_like(w) for w in weights]
    classes = weights[3].size
    targets = (1 - recipe.label_smoothing) * np.eye(classes)[y] + recipe.label_smoothing / classes
    rule = recipe.optimizer
    for t, learning_rate in enumerate(np.asarray(learning_rates, np.float64), start=1):
        batch = slice((t - 1) * recipe.batch_size, t * recipe.batch_size)
        gradients = _gradients(weights, X[batch], targets[batch])
        for i, g in enumerate(gradients):
            if rule.name == "sgd":
                change = -learning_rate * g
            elif rule.name == "momentum":
                first_moments[i] = rule.momentum * first_moments[i] - learning_rate * g
                change = first_moments[i]
            else:
                first_moments[i] = rule.beta_1 * first_moments[i] + (1 - rule.beta_1) * g
                second_moments[i] = rule.beta_2 * second_moments[i] + (1 - rule.beta_2) * g**2
                correction_1, correction_2 = 1 - rule.beta_1**t, 1 - rule.beta_2**t
                mean, mean_square = first_moments[i] / correction_1, second_moments[i] / correction_2
                change = -learning_rate * mean / (np.sqrt(mean_square) + rule.epsilon / np.sqrt(correction_2))
            weights[i] = weights[i] - learning_rate * rule.weight_decay * weights[i] + change
        yield list(weights)


def predict_float64(params: Parameters, X: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Compute class probabilities in float64.

    Parameters
    ----------
    params : Parameters
        Parameters of the network.
    X : ndarray, shape (N, D)
        Features.

    Returns
    -------
    probs : ndarray of float64, shape (N, C)
        Class probabilities.
    """
    _before, _hidden, log_probs = _forward([np.asarray(array, np.float64) for array in params], X)
    return np.exp(log_probs)


def forward_float64(
    params: Parameters, X: npt.NDArray[Any]
) -> tuple[Float64Array, Float64Array, Float64Array, Float64Array]:
    """Compute the activations of all layers in float64.

    Parameters
    ----------
    params : Parameters
        Parameters of the network.
    X : ndarray, shape (N, D)
        Features.

    Returns
    -------
    Z1 : ndarray of float64, shape (N, H)
        Inputs of the ReLU.
    A1 : ndarray of float64, shape (N, H)
        Outputs of the ReLU.
    logits : ndarray of float64, shape (N, C)
        Inputs of the softmax.
    probs : ndarray of float64, shape (N, C)
        Class probabilities.
    """
    weights = [np.asarray(array, np.float64) for array in params]
    before, hidden, log_probs = _forward(weights, X)
    return before, hidden, np.einsum("nh,hc->nc", hidden, weights[2]) + weights[3], np.exp(log_probs)


def backward_float64(params: Parameters, X: npt.NDArray[Any], y: npt.NDArray[Any]) -> Parameters:
    """Compute the gradients of the mean cross-entropy in float64.

    Parameters
    ----------
    params : Parameters
        Parameters of the network.
    X : ndarray, shape (N, D)
        Features.
    y : ndarray of integers, shape (N,)
        Labels.

    Returns
    -------
    grads : Parameters
        Gradients, float64.
    """
    weights = [np.asarray(array, np.float64) for array in params]
    return Parameters(*_gradients(weights, X, np.eye(weights[3].size)[y]))


def loss_float64(params: Parameters, X: npt.NDArray[Any], y: npt.NDArray[Any]) -> float:
    """Compute the mean cross-entropy in float64.

    Parameters
    ----------
    params : Parameters
        Parameters of the network.
    X : ndarray, shape (N, D)
        Features.
    y : ndarray of integers, shape (N,)
        Labels.

    Returns
    -------
    loss : float
        Mean cross-entropy in nats.
    """
    _before, _hidden, log_probs = _forward([np.asarray(array, np.float64) for array in params], X)
    return float(-log_probs[np.arange(len(y)), y].mean())


def _forward(weights: list[Float64Array], X: npt.NDArray[Any]) -> tuple[Float64Array, Float64Array, Float64Array]:
    W1, b1, W2, b2 = weights
    before = np.einsum("nd,dh->nh", X, W1, optimize=True) + b1
    hidden = np.where(before > 0, before, 0.0)
    scores = np.einsum("nh,hc->nc", hidden, W2) + b2
    top = scores.max(axis=1, keepdims=True)
    return before, hidden, scores - top - np.log(np.exp(scores - top).sum(axis=1, keepdims=True))


def _gradients(weights: list[Float64Array], X: npt.NDArray[Any], targets: Float64Array) -> list[Float64Array]:
    before, hidden, log_probs = _forward(weights, X)
    error = (np.exp(log_probs) - targets) / len(X)
    error_hidden = np.where(before > 0, np.einsum("nc,hc->nh", error, weights[2]), 0.0)
    return [
        np.einsum("nd,nh->dh", X, error_hidden, optimize=True),
        error_hidden.sum(axis=0),
        np.einsum("nh,nc->hc", hidden, error),
        error.sum(axis=0),
    ]
