"""The numerical gradient of a forward pass and a loss, both of which may be somebody's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nnkernels.errors import GradcheckError
from nnkernels.grading.calls import Function, call, raised
from nnkernels.grading.networks import Problem, Sizes, draw_problem
from nnkernels.grading.numerical import ROUGHNESS, Derivative, differentiate, slope
from nnkernels.parameters import FloatArray, Parameters

# A kink of somebody's own (a hinge, a clipped activation) may lie at any place: then another start is drawn.
STARTS = 8


class Functions(NamedTuple):
    """The three functions of the kernel contract that belong together."""

    forward: Function
    loss: Function
    backward: Function


@dataclass(frozen=True)
class Measured:
    """A problem and the numerical gradient there.

    Attributes
    ----------
    problem : Problem
    activations : object
        What forward returned, as backward gets it.
    gradient : Parameters
        Central differences of ``loss(forward(params, X).logits, y)`` in every parameter.
    """

    problem: Problem
    activations: Any
    gradient: Parameters


def measure(functions: Functions, sizes: Sizes, seed: int) -> Measured:
    """Draw a problem at which the loss is smooth, and differentiate it in every parameter.

    Raises
    ------
    GradcheckError
        If forward or loss cannot be used as the measure: see :func:`check_forward_and_loss`; or if none of
        several starts is smooth, or the loss does not depend on the parameters.
    """
    for attempt in range(STARTS):
        problem = draw_problem(sizes, seed + 1000 * attempt)
        activations = check_forward_and_loss(functions, problem)
        derivatives = _differentiate_all(functions, problem)
        if not any(np.any(derivative.values) for derivative in derivatives):
            raise GradcheckError(
                "the loss stays exactly the same when a parameter is moved a little, so there is no gradient to check. "
                "Do forward and loss use what they are given, and is nothing rounded in them?"
            )
        if all(derivative.is_smooth for derivative in derivatives):
            return Measured(problem, activations, Parameters(*(derivative.values for derivative in derivatives)))
    name, derivative = next(
        (name, d) for name, d in zip(Parameters._fields, derivatives, strict=True) if not d.is_smooth
    )
    entry = np.unravel_index(np.argmax(np.nan_to_num(derivative.roughness, nan=np.inf)), derivative.roughness.shape)
    raise GradcheckError(
        f"the loss has no clear slope in {name}{[int(i) for i in entry]}: two step sizes of the numerical derivative "
        "disagree, on each of several networks. Forward and loss have to be smooth and exact: look for float32, "
        "rounding, randomness (fix its seed) or a step function in them"
    )


def directional_derivatives(functions: Functions, problem: Problem, directions: Parameters) -> list[float]:
    """Return, for each parameter array, the derivative of the loss along a direction; NaN where it is not smooth."""
    found = []
    for k, direction in enumerate(directions):

        def moved(by: float, k: int = k, direction: FloatArray = direction) -> float:
            arrays = list(problem.params)
            arrays[k] = arrays[k] + by * direction
            return value(functions, Parameters(*arrays), problem)

        derivative, difference = slope(moved)
        found.append(derivative if difference <= ROUGHNESS * max(abs(derivative), 1e-3) else float("nan"))
    return found


def value(functions: Functions, params: Parameters, problem: Problem) -> float:
    """Return the loss at some parameters."""
    with np.errstate(all="ignore"):
        return float(functions.loss(logits_of(functions.forward(params, problem.X)), problem.y))


def logits_of(activations: Any) -> Any:
    """Return the logits of what a forward pass returned: its field of that name, or the third of four."""
    if isinstance(activations, tuple | list) and not hasattr(activations, "logits") and len(activations) == 4:
        return activations[2]
    return getattr(activations, "logits", None)


def check_forward_and_loss(functions: Functions, problem: Problem) -> Any:
    """Run forward and loss once, and see whether they can be differentiated.

    Returns
    -------
    object
        What forward returned.

    Raises
    ------
    GradcheckError
        If one of them raises, changes its arguments, gives other values the second time, or returns something else
        than float64 logits (N, C) and a finite number.
    """
    params, X, y = problem
    ran = call(functions.forward, ("params", "X"), params, X)
    _refuse(ran.error, ran.changed, f"forward(params, X) with {problem.sizes}")
    logits = logits_of(ran.result)
    if logits is None:
        raise GradcheckError(
            f"forward returned {type(ran.result).__name__}; expected Activations(Z1, A1, logits, probs)"
        )
    expected = (len(X), len(params.b2))
    if np.shape(logits) != expected:
        raise GradcheckError(f"forward's logits have shape {np.shape(logits)}; expected (N, C) = {expected}")
    dtype = np.asarray(logits).dtype
    if dtype != np.float64:
        raise GradcheckError(
            f"forward's logits are {dtype} for float64 parameters, too coarse for a numerical derivative; "
            "take the cast out of forward"
        )
    judged = call(functions.loss, ("logits", "y"), logits, y)
    _refuse(judged.error, judged.changed, f"loss(logits, y) with {problem.sizes}")
    if np.shape(judged.result) != () or not isinstance(judged.result, float | np.ndarray | np.floating):
        shape = f" of shape {np.shape(judged.result)}" if np.ndim(judged.result) else ""
        raise GradcheckError(
            f"loss returned {type(judged.result).__name__}{shape}; expected one float, the mean over the batch"
        )
    if np.asarray(judged.result).dtype != np.float64:
        raise GradcheckError(
            f"loss is {np.asarray(judged.result).dtype} for float64 logits, too coarse for a numerical derivative; "
            "take the cast out of loss"
        )
    if not np.isfinite(judged.result):
        raise GradcheckError(f"loss is {float(judged.result)} with {problem.sizes} of ordinary size; it must be finite")
    # Not to the last bit: BLAS may round otherwise where an array begins at another address.
    if not np.isclose(value(functions, params, problem), float(judged.result), rtol=1e-12, atol=1e-12):
        raise GradcheckError(
            "forward and loss give another value when they are called again with the same arguments; a numerical "
            "derivative needs the same one. Is there randomness in them (fix its seed), or do they keep something?"
        )
    return ran.result


def _differentiate_all(functions: Functions, problem: Problem) -> list[Derivative]:
    moving = Parameters(*(array.copy() for array in problem.params))
    return [differentiate(lambda: value(functions, moving, problem), array) for array in moving]


def _refuse(error: Exception | None, changed: tuple[str, ...], what: str) -> None:
    if error is not None:
        raise GradcheckError(f"{what} {raised(error)}. The check needs both forward and loss to work") from error
    if changed:
        raise GradcheckError(f"{what} changes {', '.join(changed)}; it has to work on a copy of it")
