"""Update rules with their hyperparameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from nnkernels.errors import ConfigurationError, UnknownNameError

OptimizerName = Literal["sgd", "momentum", "adam"]
OPTIMIZER_NAMES: tuple[OptimizerName, ...] = ("sgd", "momentum", "adam")


@dataclass(frozen=True)
class Optimizer:
    """An update rule and its hyperparameters, with the semantics and the defaults of Keras.

    ``sgd``: ``w -= lr g``. ``momentum``: ``v = momentum v - lr g; w += v``. ``adam``: the algorithm of Kingma and Ba in
    the form "just before section 2.1", so that epsilon is outside the bias correction, as in Keras. See
    ``nnkernels.kernels.numpy_kernels`` for the formulas. With weight decay, ``w -= lr weight_decay w`` comes before the
    rule, for weights and biases. It is decoupled: it enters neither the gradient nor the moments.

    Attributes
    ----------
    name : {"sgd", "momentum", "adam"}
        The rule.
    momentum : float
        Decay factor of the velocity, in [0, 1).
    beta_1, beta_2 : float
        Decay rates of Adam's moments, in [0, 1).
    epsilon : float
        Added to Adam's denominator, positive.
    weight_decay : float
        Decoupled weight decay, at least 0; the learning rate of the step multiplies it.

    Raises
    ------
    UnknownNameError
        If there is no such rule.
    ConfigurationError
        If a hyperparameter is out of range.

    References
    ----------
    I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithms 1 and 2.
    """

    name: OptimizerName = "sgd"
    momentum: float = 0.9
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in OPTIMIZER_NAMES:
            raise UnknownNameError("optimizer", self.name, OPTIMIZER_NAMES)
        for field in ("momentum", "beta_1", "beta_2"):
            if not 0 <= getattr(self, field) < 1:
                raise ConfigurationError(f"{field} is {getattr(self, field)}; expected 0 <= {field} < 1")
        if not self.epsilon > 0:
            raise ConfigurationError(f"epsilon is {self.epsilon}; expected a positive number")
        if not 0 <= self.weight_decay < np.inf:
            raise ConfigurationError(f"weight_decay is {self.weight_decay}; expected 0 or a positive number")
