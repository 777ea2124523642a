"""The update rules for arrays that are not changed in place, whosever they are; ``numpy_kernels`` has the formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nnkernels.parameters import Parameters
from nnkernels.recipes import Optimizer


def fresh_memory(optimizer: Optimizer, params: Parameters, zeros_like: Callable[[Any], Any]) -> tuple[Parameters, ...]:
    """Return what the optimizer remembers before the first step: nothing, velocities, or both moments."""
    arrays = {"sgd": 0, "momentum": 1, "adam": 2}[optimizer.name]
    return tuple(Parameters(*map(zeros_like, params)) for _ in range(arrays))


def update_function(optimizer: Optimizer, each: Any, root: Any) -> Any:
    """Return ``update(params, memory, grads, rate) -> params, memory``.

    Parameters
    ----------
    optimizer : Optimizer
    each : callable
        ``each(function, *parameters)`` applies a function to each array, and to those that belong to it.
    root : callable
        The square root of an array.
    """

    def sgd(params: Any, memory: Any, grads: Any, rate: Any) -> Any:
        return each(lambda w, g: w - rate * g, params, grads), memory

    def momentum(params: Any, memory: Any, grads: Any, rate: Any) -> Any:
        velocity = each(lambda v, g: optimizer.momentum * v - rate * g, memory[0], grads)
        return each(lambda w, v: w + v, params, velocity), (velocity,)

    def adam(params: Any, memory: Any, grads: Any, rate: Any) -> Any:
        first = each(lambda m, g: m + (1 - optimizer.beta_1) * (g - m), memory[0], grads)
        second = each(lambda v, g: v + (1 - optimizer.beta_2) * (g * g - v), memory[1], grads)
        params = each(lambda w, m, v: w - rate * m / (root(v) + optimizer.epsilon), params, first, second)
        return params, (first, second)

    return {"sgd": sgd, "momentum": momentum, "adam": adam}[optimizer.name]
