"""Update rules for immutable arrays of any library. See ``numpy_kernels`` for the formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nnkernels.parameters import Parameters
from nnkernels.recipes import Optimizer


def initial_moments(
    optimizer: Optimizer, params: Parameters, zeros_like: Callable[[Any], Any]
) -> tuple[Parameters, ...]:
    """Return the initial state of an optimizer.

    Parameters
    ----------
    optimizer : Optimizer
        The update rule.
    params : Parameters
        The parameters, as arrays of any library.
    zeros_like : callable
        ``zeros_like(array)`` of that library.

    Returns
    -------
    moments : tuple of Parameters
        Zeros for each moment: none for SGD, the velocity for momentum, the first and second moments for Adam.
    """
    moments = {"sgd": 0, "momentum": 1, "adam": 2}[optimizer.name]
    return tuple(Parameters(*map(zeros_like, params)) for _ in range(moments))


def update_function(optimizer: Optimizer, tree_map: Any, sqrt: Any) -> Any:
    """Return the function that applies an update rule.

    Parameters
    ----------
    optimizer : Optimizer
        The update rule and its hyperparameters.
    tree_map : callable
        ``tree_map(function, *trees)`` calls a function with the corresponding arrays of several Parameters, once per
        array, and returns the results as Parameters.
    sqrt : callable
        The elementwise square root.

    Returns
    -------
    update : callable
        ``update(params, moments, grads, rate, decay) -> (params, moments)``, where ``rate`` and ``decay`` are from
        ``contract.step_sizes`` and ``contract.decay_factors``.
    """

    def sgd(params: Any, moments: Any, grads: Any, rate: Any) -> Any:
        return tree_map(lambda w, g: w - rate * g, params, grads), moments

    def momentum(params: Any, moments: Any, grads: Any, rate: Any) -> Any:
        velocity = tree_map(lambda v, g: optimizer.momentum * v - rate * g, moments[0], grads)
        return tree_map(lambda w, v: w + v, params, velocity), (velocity,)

    def adam(params: Any, moments: Any, grads: Any, rate: Any) -> Any:
        first = tree_map(lambda m, g: m + (1 - optimizer.beta_1) * (g - m), moments[0], grads)
        second = tree_map(lambda v, g: v + (1 - optimizer.beta_2) * (g * g - v), moments[1], grads)
        params = tree_map(lambda w, m, v: w - rate * m / (sqrt(v) + optimizer.epsilon), params, first, second)
        return params, (first, second)

    rule = {"sgd": sgd, "momentum": momentum, "adam": adam}[optimizer.name]

    def update(params: Any, moments: Any, grads: Any, rate: Any, decay: Any) -> Any:
        if optimizer.weight_decay:
            params = tree_map(lambda w: decay * w, params)
        return rule(params, moments, grads, rate)

    return update
