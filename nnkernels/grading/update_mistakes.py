"""The catalogue of classic mistakes in an update: why each is one, and the rule that it comes to."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

from nnkernels.grading.update_rules import (
    RULES,
    Divisor,
    Memory,
    Rule,
    adam_of_algorithm_1,
    root_and_epsilon,
    root_then_epsilon,
    usual_velocity,
    varied_adam,
    varied_momentum,
)
from nnkernels.recipes import Optimizer


class Mistake(NamedTuple):
    """A mistake in an update: its name, and why it is one."""

    name: str
    explanation: str


RIGHT = {
    "sgd": "w -= learning_rate * g",
    "momentum": "v *= momentum\nv -= learning_rate * g\nw += v",
    "adam": "m += (1 - beta_1) * (g - m)\n"
    "v += (1 - beta_2) * (g * g - v)\n"
    "w -= learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (sqrt(v) + epsilon)",
}

WRONG_SIGN = Mistake(
    "wrong sign",
    "The step goes uphill: the gradient points to where the loss grows, and the step has to go against it.",
)
NO_LEARNING_RATE = Mistake(
    "no learning rate", "The step is as long as with a learning rate of 1: the factor learning_rate is missing."
)
NOT_IN_PLACE = Mistake(
    "not in place",
    "After the call these arrays in params hold what they held before. w = w - ... makes a new array and calls it w; "
    "the one in params stays what it was; -= and w[...] = write into it.",
)
NOT_UPDATED = Mistake("not updated", "These arrays hold what they held before, while the others move. Is one left out?")
COUNTED_FROM_0 = Mistake(
    "step counted from 0",
    "1 - beta**t is zero in the first step, and is divided by: t has to be 1 there. state.step[0] += 1 comes before t "
    "is read.",
)


def candidates(name: str) -> list[tuple[tuple[Mistake, ...], Rule]]:
    """Return rules with a mistake, and each of them with a wrong sign or without the learning rate; simplest first."""
    mistaken: list[tuple[tuple[Mistake, ...], Rule]] = [((), RULES[name])]
    if name == "momentum":
        mistaken += _MOMENTUM_MISTAKES
    elif name == "adam":
        mistaken += [((), adam_of_algorithm_1), *_adam_mistakes(root_and_epsilon), *_adam_mistakes(root_then_epsilon)]
    found: list[tuple[tuple[Mistake, ...], Rule]] = []
    for mistakes, rule in mistaken:
        found += [
            (mistakes, rule),
            ((*mistakes, WRONG_SIGN), _uphill(rule)),
            ((*mistakes, NO_LEARNING_RATE), _at_rate_one(rule)),
            ((*mistakes, WRONG_SIGN, NO_LEARNING_RATE), _at_rate_one(_uphill(rule))),
        ]
    return sorted((candidate for candidate in found if candidate[0]), key=lambda candidate: len(candidate[0]))


def _uphill(rule: Rule) -> Rule:
    def uphill(w: float, g: float, memory: Memory, t: int, learning_rate: float, optimizer: Optimizer) -> float:
        return rule(w, -g, memory, t, learning_rate, optimizer)

    return uphill


def _at_rate_one(rule: Rule) -> Rule:
    def at_rate_one(w: float, g: float, memory: Memory, t: int, learning_rate: float, optimizer: Optimizer) -> float:
        return rule(w, g, memory, t, 1.0, optimizer)

    return at_rate_one


def _with_betas(rule: Rule, swap: bool) -> Rule:
    # beta_1 and beta_2 exchanged, or beta_1 zero, which makes m the gradient.
    def changed(w: float, g: float, memory: Memory, t: int, learning_rate: float, optimizer: Optimizer) -> float:
        beta_1, beta_2 = (optimizer.beta_2, optimizer.beta_1) if swap else (0.0, optimizer.beta_2)
        return rule(w, g, memory, t, learning_rate, replace(optimizer, beta_1=beta_1, beta_2=beta_2))

    return changed


NOT_KEPT = Mistake(
    "velocity not kept",
    "Every step starts from a velocity of zero, which makes it plain gradient descent. v = momentum * v - ... makes a "
    "new array; the one in state.first has to change.",
)
NO_FACTOR = Mistake("no momentum factor", "The old velocity is kept whole; it has to be multiplied by momentum.")
DAMPED = Mistake(
    "gradient damped by 1 - momentum",
    "The velocity is a weighted mean here. In this form of momentum the gradient enters with the full learning rate, "
    "whatever the momentum.",
)
RATE_OUTSIDE = Mistake(
    "learning rate outside the velocity",
    "A velocity of plain gradients and w -= learning_rate * v, which is PyTorch's form, is the same only while the "
    "learning rate does not change. In Keras' form, used here, each gradient keeps the rate it came with.",
)
NESTEROV = Mistake("Nesterov's momentum", "The step looks ahead by one more velocity, which is Nesterov's form.")
OLD_VELOCITY = Mistake(
    "old velocity", "The step is made with the velocity of the step before: update v first, and then w."
)

_MOMENTUM_MISTAKES: list[tuple[tuple[Mistake, ...], Rule]] = [
    ((NOT_KEPT,), RULES["sgd"]),
    ((NO_FACTOR,), varied_momentum(lambda v, g, rate, rho: v - rate * g, lambda v, *_: v)),
    ((DAMPED,), varied_momentum(lambda v, g, rate, rho: rho * v - (1 - rho) * rate * g, lambda v, *_: v)),
    (
        (RATE_OUTSIDE,),
        varied_momentum(lambda v, g, rate, rho: rho * v + g, lambda v, old, g, rate, rho: -rate * v),
    ),
    (
        (DAMPED, RATE_OUTSIDE),
        varied_momentum(lambda v, g, rate, rho: rho * v + (1 - rho) * g, lambda v, old, g, rate, rho: -rate * v),
    ),
    ((NESTEROV,), varied_momentum(usual_velocity, lambda v, old, g, rate, rho: rho * v - rate * g)),
    ((OLD_VELOCITY,), varied_momentum(usual_velocity, lambda v, old, *_: old)),
]

NOT_CORRECTED = Mistake(
    "missing bias correction",
    "m and v start at zero and are too small at first. Divide m by 1 - beta_1**t and v by 1 - beta_2**t.",
)
M_NOT_CORRECTED = Mistake("missing bias correction of m", "v is corrected, but m is not: divide it by 1 - beta_1**t.")
V_NOT_CORRECTED = Mistake("missing bias correction of v", "m is corrected, but v is not: divide it by 1 - beta_2**t.")
NOT_COUNTED = Mistake(
    "step not counted",
    "The bias correction is every time that of the first step. state.step[0] += 1 comes before t is read.",
)
COUNTED_FROM_2 = Mistake("step counted from 2", "t is one too large in the bias correction; in the first step it is 1.")
MOMENTS_NOT_KEPT = Mistake(
    "moments not kept",
    "Every step starts from m = 0 and v = 0. m = beta_1 * m + ... makes a new array; those in state.first and "
    "state.second have to change.",
)
NO_SHARE = Mistake(
    "gradient without 1 - beta",
    "m and v are weighted means: the gradient enters with 1 - beta_1, and its square with 1 - beta_2.",
)
GRADIENT_FOR_M = Mistake(
    "gradient instead of m", "The step is made of the gradient itself, where its running mean m belongs."
)
EXCHANGED = Mistake("beta_1 and beta_2 exchanged", "beta_1 belongs to m, and beta_2 to v.")
NO_ROOT = Mistake("no square root", "The step is divided by v, where the root of v belongs.")
NO_EPSILON = Mistake(
    "no epsilon", "Where the gradient is zero, m / sqrt(v) is 0 / 0. epsilon keeps the divisor from zero."
)
EPSILON_INSIDE = Mistake(
    "epsilon inside the root", "Under the root epsilon outweighs small gradients: it is sqrt(v) + epsilon."
)


def _adam_mistakes(divisor: Divisor) -> list[tuple[tuple[Mistake, ...], Rule]]:
    # For either place of epsilon, since both are in use.
    def uncorrected(v: float, correction: float, epsilon: float) -> float:
        return divisor(v, 1.0, epsilon)

    return [
        ((NOT_CORRECTED,), varied_adam(uncorrected, correct_m=False)),
        ((M_NOT_CORRECTED,), varied_adam(divisor, correct_m=False)),
        ((V_NOT_CORRECTED,), varied_adam(uncorrected)),
        ((NOT_COUNTED,), varied_adam(divisor, time=lambda t: 1)),
        ((COUNTED_FROM_0,), varied_adam(divisor, time=lambda t: t - 1)),
        ((COUNTED_FROM_2,), varied_adam(divisor, time=lambda t: t + 1)),
        ((MOMENTS_NOT_KEPT,), varied_adam(divisor, keep=False)),
        ((NO_SHARE,), varied_adam(divisor, share=False)),
        ((GRADIENT_FOR_M,), _with_betas(varied_adam(divisor), swap=False)),
        ((EXCHANGED,), _with_betas(varied_adam(divisor), swap=True)),
        ((NO_ROOT,), varied_adam(lambda v, correction, epsilon: v / correction + epsilon)),
        ((NO_EPSILON,), varied_adam(lambda v, correction, epsilon: math.sqrt(v / correction))),
        ((EPSILON_INSIDE,), varied_adam(lambda v, correction, epsilon: math.sqrt((v + epsilon) / correction))),
        ((EPSILON_INSIDE,), varied_adam(lambda v, correction, epsilon: math.sqrt(v / correction + epsilon))),
    ]
