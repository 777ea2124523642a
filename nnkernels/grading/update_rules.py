"""The update rules for one number, right and varied, in plain Python floats."""

from __future__ import annotations

import math
from collections.abc import Callable

from nnkernels.recipes import Optimizer

# What is remembered of one parameter: the velocity, or Adam's m and v. Zero at first; a rule changes it.
Memory = list[float]
# rule(w, g, memory, t, learning_rate, optimizer) -> the new w; t counts the steps from 1.
Rule = Callable[[float, float, Memory, int, float, Optimizer], float]
# divisor(v, 1 - beta_2**t, epsilon) -> what Adam's corrected m is divided by.
Divisor = Callable[[float, float, float], float]


def sgd(w: float, g: float, memory: Memory, t: int, learning_rate: float, optimizer: Optimizer) -> float:
    """Return the weight after a step of gradient descent."""
    return w - learning_rate * g


def momentum(w: float, g: float, memory: Memory, t: int, learning_rate: float, optimizer: Optimizer) -> float:
    """Return the weight after a step with momentum."""
    memory[0] = optimizer.momentum * memory[0] - learning_rate * g
    return w + memory[0]


def adam(w: float, g: float, memory: Memory, t: int, learning_rate: float, optimizer: Optimizer) -> float:
    """Return the weight after a step of Adam."""
    m = memory[0] = optimizer.beta_1 * memory[0] + (1 - optimizer.beta_1) * g
    v = memory[1] = optimizer.beta_2 * memory[1] + (1 - optimizer.beta_2) * g * g
    rate = learning_rate * math.sqrt(1 - optimizer.beta_2**t) / (1 - optimizer.beta_1**t)
    return w - rate * m / (math.sqrt(v) + optimizer.epsilon)


RULES: dict[str, Rule] = {"sgd": sgd, "momentum": momentum, "adam": adam}


def varied_momentum(velocity: Callable[[float, float, float, float], float], step: Callable[..., float]) -> Rule:
    """Return a rule ``v = velocity(v, g, rate, momentum); w += step(v, old v, g, rate, momentum)``."""

    def rule(w: float, g: float, memory: Memory, t: int, learning_rate: float, optimizer: Optimizer) -> float:
        old, rho = memory[0], optimizer.momentum
        memory[0] = velocity(old, g, learning_rate, rho)
        return w + step(memory[0], old, g, learning_rate, rho)

    return rule


def usual_velocity(v: float, g: float, learning_rate: float, rho: float) -> float:
    """Return the velocity of momentum's right form."""
    return rho * v - learning_rate * g


def root_and_epsilon(v: float, correction: float, epsilon: float) -> float:
    """Return what Adam's right form divides m by; ``correction`` is ``1 - beta_2**t``."""
    return (math.sqrt(v) + epsilon) / math.sqrt(correction)


def root_then_epsilon(v: float, correction: float, epsilon: float) -> float:
    """Return what Algorithm 1 of Kingma and Ba's paper divides m by."""
    return math.sqrt(v / correction) + epsilon


def varied_adam(
    divisor: Divisor = root_and_epsilon,
    *,
    correct_m: bool = True,
    time: Callable[[int], int] = lambda t: t,
    keep: bool = True,
    share: bool = True,
) -> Rule:
    """Return a rule of Adam's kind.

    Parameters
    ----------
    divisor : callable
        See :func:`root_and_epsilon`.
    correct_m : bool
        Whether m is divided by ``1 - beta_1**t``.
    time : callable
        What the rule takes for t.
    keep : bool
        Whether m and v live longer than a step.
    share : bool
        Whether the gradient and its square enter with ``1 - beta``.
    """

    def rule(w: float, g: float, memory: Memory, t: int, learning_rate: float, optimizer: Optimizer) -> float:
        beta_1, beta_2, t = optimizer.beta_1, optimizer.beta_2, time(t)
        m, v = memory if keep else (0.0, 0.0)
        m = memory[0] = beta_1 * m + (1 - beta_1 if share else 1) * g
        v = memory[1] = beta_2 * v + (1 - beta_2 if share else 1) * g * g
        if correct_m:
            m /= 1 - beta_1**t
        return w - learning_rate * m / divisor(v, 1 - beta_2**t, optimizer.epsilon)

    return rule


# It is Adam too, and no mistake.
adam_of_algorithm_1 = varied_adam(root_then_epsilon)
