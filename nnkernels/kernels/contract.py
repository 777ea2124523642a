"""The contract of backends: the functions that a module must define, and the types that they exchange."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt

from nnkernels.errors import ContractError
from nnkernels.parameters import FloatArray, Parameters, zeros_like
from nnkernels.recipes.optimizer import Optimizer


class Activations(NamedTuple):
    """The results of a forward pass, which the backward pass needs.

    Attributes
    ----------
    Z1, A1 : ndarray, shape (N, H)
        Hidden layer before and after ReLU.
    logits, probs : ndarray, shape (N, C)
        Output layer before and after softmax. All arrays have the dtype of the parameters.
    """

    Z1: FloatArray
    A1: FloatArray
    logits: FloatArray
    probs: FloatArray


class OptimizerState(NamedTuple):
    """The state of an optimizer between steps. All optimizers have the same form, and ignore what they do not use.

    Attributes
    ----------
    step : ndarray of int64, shape (1,)
        Number of steps so far (Adam's t).
    first : Parameters
        Momentum's velocity, or Adam's first moment m.
    second : Parameters
        Adam's second moment v.
    """

    step: npt.NDArray[np.int64]
    first: Parameters
    second: Parameters


def initial_state(params: Parameters) -> OptimizerState:
    """Return the state before the first step.

    Parameters
    ----------
    params : Parameters
        Determines the shapes and the dtype.

    Returns
    -------
    state : OptimizerState
        All zero.
    """
    return OptimizerState(np.zeros(1, np.int64), zeros_like(params), zeros_like(params))


SGD, MOMENTUM, ADAM = 0, 1, 2


class UpdateRule(NamedTuple):
    """What a step does, as numbers, because compiled code cannot use an :class:`Optimizer` or a recipe.

    Attributes
    ----------
    code : int
        ``SGD``, ``MOMENTUM`` or ``ADAM``.
    momentum, beta_1, beta_2, epsilon, weight_decay : float
        As in :class:`~nnkernels.recipes.Optimizer`.
    label_smoothing : float
        As in :class:`~nnkernels.recipes.Recipe`.
    """

    code: int
    momentum: float
    beta_1: float
    beta_2: float
    epsilon: float
    weight_decay: float
    label_smoothing: float


def update_rule(optimizer: Optimizer, label_smoothing: float = 0.0) -> UpdateRule:
    """Convert an optimizer, and the smoothing of the labels in the loss, to numbers.

    Parameters
    ----------
    optimizer : Optimizer
        The optimizer.
    label_smoothing : float, default: 0.0
        The share of the targets that is uniform over all classes.

    Returns
    -------
    rule : UpdateRule
        The code and the hyperparameters.
    """
    code = {"sgd": SGD, "momentum": MOMENTUM, "adam": ADAM}[optimizer.name]
    return UpdateRule(
        code,
        float(optimizer.momentum),
        float(optimizer.beta_1),
        float(optimizer.beta_2),
        float(optimizer.epsilon),
        float(optimizer.weight_decay),
        float(label_smoothing),
    )


def step_sizes(rule: UpdateRule, learning_rates: npt.NDArray[np.float32], steps_before: int) -> FloatArray:
    """Return the step size of each batch: its learning rate, which for Adam includes the bias correction.

    The correction of both moments is computed in float64, because 1 - 0.999 is inexact in float32.

    Parameters
    ----------
    rule : UpdateRule
        The optimizer.
    learning_rates : ndarray of float32, shape (n_batches,)
        Learning rate of each batch.
    steps_before : int
        Number of steps before the first of these batches.

    Returns
    -------
    sizes : ndarray of float32, shape (n_batches,)
        Factor by which each step's direction is multiplied.
    """
    if rule.code != ADAM:
        return np.asarray(learning_rates, np.float32)
    t = steps_before + 1 + np.arange(len(learning_rates))
    corrections = np.sqrt(1 - rule.beta_2**t) / (1 - rule.beta_1**t)
    return np.asarray(learning_rates * corrections, np.float32)


def decay_factors(rule: UpdateRule, learning_rates: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the factor ``1 - learning_rate weight_decay`` by which each step multiplies the parameters first.

    Parameters
    ----------
    rule : UpdateRule
        The optimizer.
    learning_rates : ndarray of float32, shape (n_batches,)
        Learning rate of each batch, without Adam's bias correction.

    Returns
    -------
    factors : ndarray of float32, shape (n_batches,)
        All 1 without weight decay.
    """
    if rule.weight_decay == 0:
        return np.ones(len(learning_rates), np.float32)  # also if a rate is infinite
    return (1 - np.asarray(learning_rates, np.float64) * rule.weight_decay).astype(np.float32)


class Backend(Protocol):
    """The functions of a backend module. ``numpy_kernels`` documents them.

    All float arrays of a call have the same dtype, float32 or float64, in native byte order. Any memory order and
    strides are allowed, and arrays that a function does not change may be read-only. Contenders convert other arrays
    first. Direct callers can use ``transforms.as_features`` and ``parameters.native``.

    ``backward`` must start from ``activations.probs``: label smoothing shifts them before the call.

    A backend may also define faster functions. Their results must agree with those of the functions below within the
    tolerances of the tests:

    - ``train_inplace`` trains on many batches in one call (see ``numba_kernels``);
    - ``pack_images(X)`` converts images to the internal layout that ``train_inplace`` reads fastest. It is called
      once, and its time is reported separately;
    - ``path_of(images)`` names the path by which images that ``pack_images`` returned are trained on, if there are
      several;
    - ``predictor(params, pixel_scale, as_features)`` returns a function from images to probabilities (see
      ``fused.prediction``);
    - ``evaluator(images, y, scale)`` returns a function ``evaluate(params) -> (loss, errors)``: the mean cross-entropy
      and the number of misclassified images, which are the first highest logit's. ``images`` are those that
      ``pack_images`` returns. The caller passes only parameters with as many inputs as the images and a class for
      every label. The function may return None, and the caller then composes the result of ``forward`` and ``loss``.
    """

    def forward(self, params: Parameters, X: FloatArray) -> Activations: ...

    def loss(self, logits: FloatArray, y: npt.NDArray[np.integer]) -> float: ...

    def backward(
        self, params: Parameters, X: FloatArray, y: npt.NDArray[np.integer], activations: Activations
    ) -> Parameters: ...

    def sgd_update_inplace(
        self, params: Parameters, grads: Parameters, state: OptimizerState, learning_rate: float
    ) -> None: ...

    def momentum_update_inplace(
        self, params: Parameters, grads: Parameters, state: OptimizerState, learning_rate: float, momentum: float
    ) -> None: ...

    def adam_update_inplace(
        self,
        params: Parameters,
        grads: Parameters,
        state: OptimizerState,
        learning_rate: float,
        beta_1: float,
        beta_2: float,
        epsilon: float,
    ) -> None: ...


FUNCTIONS = (
    "forward",
    "loss",
    "backward",
    "sgd_update_inplace",
    "momentum_update_inplace",
    "adam_update_inplace",
)


def checked(module: ModuleType) -> Backend:
    """Check that a module implements the contract.

    Parameters
    ----------
    module : module
        The module of a backend.

    Returns
    -------
    backend : Backend
        The same module.

    Raises
    ------
    ContractError
        If a function is missing or has other arguments.
    """
    for function_name in FUNCTIONS:
        function = getattr(module, function_name, None)
        if not callable(function):
            raise ContractError(f"{module.__name__} has no function {function_name}, which the contract requires")
        # The signature of a Numba dispatcher is that of its Python function.
        found = list(inspect.signature(getattr(function, "py_func", function)).parameters)
        expected = [name for name in inspect.signature(getattr(Backend, function_name)).parameters if name != "self"]
        if found != expected:
            raise ContractError(
                f"{module.__name__}.{function_name} takes ({', '.join(found)}); expected ({', '.join(expected)})"
            )
    return cast("Backend", module)
