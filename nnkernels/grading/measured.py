"""The numerical gradient of a forward pass and a loss, both of which may be a learner's own: the judge of backward."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from nnkernels.errors import GradcheckError
from nnkernels.grading.calls import FORM, Function, call, raised
from nnkernels.grading.networks import Problem, ProblemSizes, draw_problem
from nnkernels.parameters import FloatArray, Parameters

# A power of two, so that adding it to a parameter is exact but for the last bits. Rounding leaves an error of about
# 1e-13 and, extrapolated, the step one of about 1e-12.
STEP = 2.0**-10
# Two steps that differ by more than this (relative to the array) did not see a smooth function: there is a kink, noise
# or float32 on the way.
ROUGHNESS = 1e-4
# A kink of the learner's own (a hinge, a clipped activation) may lie anywhere: then another start is drawn.
STARTS = 8


class Functions(NamedTuple):
    """The three functions of the kernel contract that belong together."""

    forward: Function
    loss: Function
    backward: Function


class Measured(NamedTuple):
    """A problem, what forward returned there, and the numerical gradient of the loss in every parameter."""

    problem: Problem
    activations: Any
    gradient: Parameters


def smooth_problem(functions: Functions, sizes: ProblemSizes, seed: int) -> Measured:
    """Draw a problem at which the loss is smooth, and differentiate it in every parameter.

    Raise a GradcheckError if forward or loss cannot be used as the measure (see :func:`check_forward_and_loss`), if
    none of several starts is smooth, or if the loss does not depend on the parameters.
    """
    for attempt in range(STARTS):
        problem = draw_problem(sizes, seed + 1000 * attempt)
        activations = check_forward_and_loss(functions, problem)
        gradient, roughness = _differentiate_all(functions, problem)
        if not any(np.any(array) for array in gradient):
            raise GradcheckError(FORM.hints["flat"])
        rough = {name: array for name, array in roughness._asdict().items() if not np.all(array <= ROUGHNESS)}
        if not rough:
            return Measured(problem, activations, gradient)
    name, array = next(iter(rough.items()))
    raise GradcheckError(FORM.hints["rough"].format(name=name, entry=np.argwhere(~(array <= ROUGHNESS))[0].tolist()))


def _differentiate_all(functions: Functions, problem: Problem) -> tuple[Parameters, Parameters]:
    moving = Parameters(*(array.copy() for array in problem.params))
    found = [differentiate(lambda: value(functions, moving, problem), array) for array in moving]
    return Parameters(*(values for values, _ in found)), Parameters(*(roughness for _, roughness in found))


def directional_derivative(functions: Functions, problem: Problem, name: str, direction: FloatArray) -> float:
    """Return the derivative of the loss along a direction of one parameter array; NaN where it is not smooth."""

    def moved(by: float) -> float:
        params = problem.params._replace(**{name: getattr(problem.params, name) + by * direction})
        return value(functions, params, problem)

    derivative, difference = slope(moved)
    return float(derivative) if difference <= ROUGHNESS * max(abs(derivative), 1e-3) else float("nan")


def value(functions: Functions, params: Parameters, problem: Problem) -> float:
    """Return the loss at some parameters."""
    with np.errstate(all="ignore"):
        return float(functions.loss(_logits_of(functions.forward(params, problem.X)), problem.y))


def check_forward_and_loss(functions: Functions, problem: Problem) -> Any:
    """Run forward and loss once, and return what forward returned.

    Raise a GradcheckError if they cannot be differentiated: if one raises, changes its arguments, gives other values
    the second time, or returns something else than float64 logits (N, C) and a finite number.
    """
    params, X, y = problem
    activations = _result(functions.forward, "forward(params, X)", problem, params, X)
    logits, expected = _logits_of(activations), (len(X), len(params.b2))
    _refuse(activations, logits, "forward", expected, f"Activations(Z1, A1, logits, probs), logits {expected}")
    loss = _result(functions.loss, "loss(logits, y)", problem, logits, y)
    _refuse(loss, loss, "loss", (), "one float, the mean over the batch")
    if not np.isfinite(loss):
        raise GradcheckError(f"loss is {float(loss)} with {problem.sizes} of ordinary size; it must be finite")
    # Not to the last bit: BLAS may round otherwise where an array begins at another address.
    if not np.isclose(value(functions, params, problem), float(loss), rtol=1e-12, atol=1e-12):
        raise GradcheckError(FORM.hints["random"])
    return activations


def _logits_of(activations: Any) -> Any:
    # Its field of that name, or the third of four.
    if isinstance(activations, tuple | list) and not hasattr(activations, "logits") and len(activations) == 4:
        return activations[2]
    return getattr(activations, "logits", None)


def _result(function: Function, signature: str, problem: Problem, *arguments: Any) -> Any:
    called = call(function, tuple(re.findall(r"\w+", signature)[1:]), *arguments)
    what = f"{signature} with {problem.sizes}"
    if called.error is not None:
        raise GradcheckError(f"{what} {raised(called.error)}. {FORM.hints['both']}") from called.error
    if called.changed:
        raise GradcheckError(f"{what} changes {', '.join(called.changed)}; it has to work on a copy of it")
    return called.result


def _refuse(result: Any, numbers: Any, name: str, shape: tuple[int, ...], expected: str) -> None:
    if np.shape(numbers) != shape or not (shape or isinstance(numbers, float | np.ndarray | np.floating)):
        seen = f"{' with logits' if shape else ''} of shape {np.shape(numbers)}" if np.ndim(numbers) else ""
        raise GradcheckError(f"{name} returned {type(result).__name__}{seen}; expected {expected}")
    dtype = np.asarray(numbers).dtype
    if dtype != np.float64:
        raise GradcheckError(FORM.hints["coarse"].format(name=name, dtype=dtype))


def slope(function: Callable[[float], Any]) -> tuple[Any, Any]:
    """Return the derivative of a function (a number or an array) at zero, and how far two estimates differ.

    ::

        slope(h) = (f(h) - f(-h)) / 2h               error O(h^2)
        f'(0) = (4 slope(h / 2) - slope(h)) / 3      error O(h^4)

    References
    ----------
    L. F. Richardson, "The approximate arithmetical solution by finite differences", Phil. Trans. A 210, 1911.
    """
    wide = (function(STEP) - function(-STEP)) / (2 * STEP)
    narrow = (function(STEP / 2) - function(-STEP / 2)) / STEP
    return (4 * narrow - wide) / 3, abs(narrow - wide)


def differentiate(function: Callable[[], float], array: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the derivatives of a function in every entry of an array that it reads, and how rough they are.

    Each entry is changed in turn and put back. The roughness is the difference of two estimates of a derivative,
    relative to the largest derivative.
    """
    values, differences = np.empty(array.shape), np.empty(array.shape)
    for index in np.ndindex(array.shape):
        kept = float(array[index])

        def moved(by: float, index: tuple[int, ...] = index, kept: float = kept) -> float:
            array[index] = kept + by
            return function()

        values[index], differences[index] = slope(moved)
        array[index] = kept
    # A gradient that is zero throughout still has rounding to compare.
    return values, differences / max(float(np.max(np.abs(values), initial=0.0)), 1e-6)
