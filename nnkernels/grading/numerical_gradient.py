"""The numerical gradient of a forward pass and a loss, which is the reference for a backward pass."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from nnkernels.errors import GradcheckError
from nnkernels.grading.calls import FORM, Function, call, describe_error
from nnkernels.grading.networks import Problem, ProblemSizes, draw_problem
from nnkernels.parameters import FloatArray, Parameters

# A power of two, so that adding it to a parameter is exact except for the last bits. The error is about 1e-13 from
# rounding and, after extrapolation, about 1e-12 from the step size.
STEP = 2.0**-10
# If the estimates from two steps differ by more than this (relative to the array), the function is not smooth: it has a
# kink, noise or float32 rounding.
ROUGHNESS = 1e-4
# The learner's functions may have kinks, for example a hinge or a clipped activation. Then another problem is drawn.
MAX_ATTEMPTS = 8


class Functions(NamedTuple):
    """The three functions of a network.

    Attributes
    ----------
    forward : callable
        ``forward(params, X) -> Activations``.
    loss : callable
        ``loss(logits, y) -> float``.
    backward : callable
        ``backward(params, X, y, activations) -> Parameters``.
    """

    forward: Function
    loss: Function
    backward: Function


class NumericalGradient(NamedTuple):
    """A problem with its numerical gradient.

    Attributes
    ----------
    problem : Problem
        Parameters and batch.
    activations : object
        What forward returned for the problem.
    gradient : Parameters
        The numerical gradient of the loss by each parameter, float64.
    """

    problem: Problem
    activations: Any
    gradient: Parameters


def smooth_problem(functions: Functions, sizes: ProblemSizes, seed: int) -> NumericalGradient:
    """Draw a problem at which the loss is smooth, and compute the numerical gradient.

    Parameters
    ----------
    functions : Functions
        The functions to differentiate.
    sizes : ProblemSizes
        The sizes of the network and the batch.
    seed : int
        The seed.

    Returns
    -------
    reference : NumericalGradient
        The problem and its gradient.

    Raises
    ------
    GradcheckError
        If forward or loss cannot be differentiated (see :func:`check_forward_and_loss`), if the loss is not smooth at
        any of several problems, or if it does not depend on the parameters.
    """
    for attempt in range(MAX_ATTEMPTS):
        problem = draw_problem(sizes, seed + 1000 * attempt)
        activations = check_forward_and_loss(functions, problem)
        gradient, roughness = _differentiate_all(functions, problem)
        if not any(np.any(array) for array in gradient):
            raise GradcheckError(FORM.hints["flat"])
        rough = {name: array for name, array in roughness._asdict().items() if not np.all(array <= ROUGHNESS)}
        if not rough:
            return NumericalGradient(problem, activations, gradient)
    name, array = next(iter(rough.items()))
    raise GradcheckError(FORM.hints["rough"].format(name=name, entry=np.argwhere(~(array <= ROUGHNESS))[0].tolist()))


def _differentiate_all(functions: Functions, problem: Problem) -> tuple[Parameters, Parameters]:
    params = Parameters(*(array.copy() for array in problem.params))
    found = [differentiate(lambda: loss_at(functions, params, problem), array) for array in params]
    return Parameters(*(values for values, _ in found)), Parameters(*(roughness for _, roughness in found))


def directional_derivative(functions: Functions, problem: Problem, name: str, direction: FloatArray) -> float:
    """Return the derivative of the loss along a direction of one parameter array.

    Parameters
    ----------
    functions : Functions
        The functions to differentiate.
    problem : Problem
        Parameters and batch.
    name : {"W1", "b1", "W2", "b2"}
        The parameter array.
    direction : ndarray of float64
        The direction, with the shape of the array.

    Returns
    -------
    derivative : float
        NaN if the loss is not smooth there.
    """

    def moved(by: float) -> float:
        params = problem.params._replace(**{name: getattr(problem.params, name) + by * direction})
        return loss_at(functions, params, problem)

    derivative, difference = richardson(moved)
    return float(derivative) if difference <= ROUGHNESS * max(abs(derivative), 1e-3) else float("nan")


def loss_at(functions: Functions, params: Parameters, problem: Problem) -> float:
    """Return the loss for given parameters.

    Parameters
    ----------
    functions : Functions
        Forward pass and loss.
    params : Parameters
        The parameters, instead of those of the problem.
    problem : Problem
        The problem whose batch is used.

    Returns
    -------
    loss : float
        The mean loss over the batch.
    """
    with np.errstate(all="ignore"):
        return float(functions.loss(_logits_of(functions.forward(params, problem.X)), problem.y))


def check_forward_and_loss(functions: Functions, problem: Problem) -> Any:
    """Check that forward and loss can be differentiated numerically.

    Parameters
    ----------
    functions : Functions
        Forward pass and loss.
    problem : Problem
        Parameters and batch.

    Returns
    -------
    activations : object
        What forward returned.

    Raises
    ------
    GradcheckError
        If a function raises an exception, modifies its arguments, or is not deterministic, or if they do not return
        float64 logits of shape (N, C) and a finite float.
    """
    params, X, y = problem
    activations = _result(functions.forward, "forward(params, X)", problem, params, X)
    logits, expected = _logits_of(activations), (len(X), len(params.b2))
    _require_float64(activations, logits, "forward", expected, f"Activations(Z1, A1, logits, probs), logits {expected}")
    loss = _result(functions.loss, "loss(logits, y)", problem, logits, y)
    _require_float64(loss, loss, "loss", (), "one float, the mean over the batch")
    if not np.isfinite(loss):
        raise GradcheckError(f"loss is {float(loss)} for ordinary values ({problem.sizes}); it has to be finite")
    # Allow rounding differences, because BLAS may round differently for arrays at other addresses.
    if not np.isclose(loss_at(functions, params, problem), float(loss), rtol=1e-12, atol=1e-12):
        raise GradcheckError(FORM.hints["random"])
    return activations


def _logits_of(activations: Any) -> Any:
    # The field `logits`, or the third of four values.
    if isinstance(activations, tuple | list) and not hasattr(activations, "logits") and len(activations) == 4:
        return activations[2]
    return getattr(activations, "logits", None)


def _result(function: Function, signature: str, problem: Problem, *arguments: Any) -> Any:
    called = call(function, tuple(re.findall(r"\w+", signature)[1:]), *arguments)
    what = f"{signature} with {problem.sizes}"
    if called.error is not None:
        raise GradcheckError(f"{what} {describe_error(called.error)}. {FORM.hints['both']}") from called.error
    if called.changed:
        raise GradcheckError(f"{what} changes {', '.join(called.changed)}; it has to work on a copy")
    return called.result


def _require_float64(result: Any, numbers: Any, name: str, shape: tuple[int, ...], expected: str) -> None:
    if np.shape(numbers) != shape or not (shape or isinstance(numbers, float | np.ndarray | np.floating)):
        seen = f"{' with logits' if shape else ''} of shape {np.shape(numbers)}" if np.ndim(numbers) else ""
        raise GradcheckError(f"{name} returned {type(result).__name__}{seen}; expected {expected}")
    dtype = np.asarray(numbers).dtype
    if dtype != np.float64:
        raise GradcheckError(FORM.hints["coarse"].format(name=name, dtype=dtype))


def richardson(function: Callable[[float], Any]) -> tuple[Any, Any]:
    """Return the derivative of a function at zero by Richardson extrapolation, and the difference of its two estimates.

    ::

        slope(h) = (f(h) - f(-h)) / 2h               error O(h^2)
        f'(0) = (4 slope(h / 2) - slope(h)) / 3      error O(h^4)

    Parameters
    ----------
    function : callable
        ``function(h)`` returns a float or an array.

    Returns
    -------
    derivative : float or ndarray
        The extrapolated derivative.
    difference : float or ndarray
        ``|slope(h / 2) - slope(h)|``, which is large if the function is not smooth.

    References
    ----------
    L. F. Richardson, "The approximate arithmetical solution by finite differences", Phil. Trans. A 210, 1911.
    """
    coarse = (function(STEP) - function(-STEP)) / (2 * STEP)
    fine = (function(STEP / 2) - function(-STEP / 2)) / STEP
    return (4 * fine - coarse) / 3, abs(fine - coarse)


def differentiate(function: Callable[[], float], array: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the derivatives of a function by every entry of an array that it reads.

    Parameters
    ----------
    function : callable
        ``function() -> float``, which reads ``array``.
    array : ndarray of float64
        Each entry is modified in turn, and restored.

    Returns
    -------
    derivatives : ndarray of float64
        The derivatives, with the shape of ``array``.
    roughness : ndarray of float64
        The difference of two estimates of each derivative, relative to the largest derivative.
    """
    values, differences = np.empty(array.shape), np.empty(array.shape)
    for index in np.ndindex(array.shape):
        original = float(array[index])

        def moved(by: float, index: tuple[int, ...] = index, original: float = original) -> float:
            array[index] = original + by
            return function()

        values[index], differences[index] = richardson(moved)
        array[index] = original
    # The lower bound avoids a division by zero for a gradient of zeros.
    return values, differences / max(float(np.max(np.abs(values), initial=0.0)), 1e-6)
