"""The contract that every backend keeps: the names, the signatures and the records that pass between them."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt

from nnkernels.errors import ContractError
from nnkernels.parameters import FloatArray, Parameters, zeros_like
from nnkernels.recipes import Optimizer


class Activations(NamedTuple):
    """What a forward pass computes, kept for the backward pass.

    Attributes
    ----------
    Z1, A1 : ndarray, shape (N, H)
        Hidden layer before and after ReLU.
    logits, probs : ndarray, shape (N, C)
        Output layer before and after softmax.
    """

    Z1: FloatArray
    A1: FloatArray
    logits: FloatArray
    probs: FloatArray


class OptimizerState(NamedTuple):
    """What an optimizer remembers between steps, as plain arrays; one form for all optimizers.

    Attributes
    ----------
    step : ndarray of int64, shape (1,)
        Steps taken so far (Adam's t).
    first : Parameters
        Momentum's velocity, or Adam's first moment m.
    second : Parameters
        Adam's second moment v.
    """

    step: npt.NDArray[np.int64]
    first: Parameters
    second: Parameters


def initial_state(params: Parameters) -> OptimizerState:
    """Return the state before the first step: all zero."""
    return OptimizerState(np.zeros(1, np.int64), zeros_like(params), zeros_like(params))


SGD, MOMENTUM, ADAM = 0, 1, 2


class UpdateRule(NamedTuple):
    """An optimizer and its hyper-parameters as plain numbers, for compiled code."""

    code: int
    momentum: float
    beta_1: float
    beta_2: float
    epsilon: float


def update_rule(optimizer: Optimizer) -> UpdateRule:
    """Return the optimizer as plain numbers."""
    code = {"sgd": SGD, "momentum": MOMENTUM, "adam": ADAM}[optimizer.name]
    return UpdateRule(code, optimizer.momentum, optimizer.beta_1, optimizer.beta_2, optimizer.epsilon)


def step_sizes(rule: UpdateRule, learning_rates: npt.NDArray[np.float32], steps_before: int) -> FloatArray:
    """Return what the direction of each step is multiplied by, float32: the learning rates, but for Adam.

    There they have the bias correction of both moments in them, computed in float64: in float32, 1 - 0.999 is inexact.
    """
    if rule.code != ADAM:
        return np.asarray(learning_rates, np.float32)
    t = steps_before + 1 + np.arange(len(learning_rates))
    corrections = np.sqrt(1 - rule.beta_2**t) / (1 - rule.beta_1**t)
    return np.asarray(learning_rates * corrections, np.float32)


class Backend(Protocol):
    """The functions of a backend module. ``numpy_kernels`` documents each in full.

    Float arrays are float32 or float64, all of one dtype, in the byte order of the machine. Memory order and strides
    are free, and what is not changed may be read-only. Contenders convert everything else before they call these
    functions; whoever calls them directly has ``transforms.as_features`` and ``parameters.native`` for that.

    A backend may add faster entries, which must agree with the functions below, composed, to a tolerance that a test
    states:

    - ``train_inplace``: a whole stretch of batches in one call (see ``numba_kernels``);
    - ``pack_images(X)``: images in the form that ``train_inplace`` reads fastest; made once, and timed apart;
    - ``predictor(params, pixel_scale, as_features)``: a function from images to probabilities (see
      ``fused.prediction``).
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
    """Return ``module`` as a backend.

    Raises
    ------
    ContractError
        If a function of the contract is missing or has other arguments.
    """
    for function_name in FUNCTIONS:
        function = getattr(module, function_name, None)
        if not callable(function):
            raise ContractError(f"{module.__name__} has no function {function_name}; the contract asks for it")
        # A Numba dispatcher shows its Python function's signature.
        found = list(inspect.signature(getattr(function, "py_func", function)).parameters)
        expected = [name for name in inspect.signature(getattr(Backend, function_name)).parameters if name != "self"]
        if found != expected:
            raise ContractError(
                f"{module.__name__}.{function_name} takes ({', '.join(found)}); expected ({', '.join(expected)})"
            )
    return cast("Backend", module)
