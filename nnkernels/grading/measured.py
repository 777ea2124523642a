"""The numerical gradient of a forward pass and a loss, both of which may be a learner's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nnkernels.errors import GradcheckError
from nnkernels.grading.calls import Function, call, raised
from nnkernels.grading.networks import Problem, Sizes, draw_problem
from nnkernels.grading.numerical import ROUGHNESS, differentiate, slope
from nnkernels.parameters import FloatArray, Parameters

# A kink of the learner's own (a hinge, a clipped activation) may lie anywhere: then another start is drawn.
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
        gradient, roughness = _differentiate_all(functions, problem)
        if not any(np.any(array) for array in gradient):
            raise GradcheckError(
                "the loss stays exactly the same when a parameter is moved a little, so there is no gradient to check. "
                "Do forward and loss use what they are given, and is nothing rounded in them?"
            )
        if all(np.all(array <= ROUGHNESS) for array in roughness):
            return Measured(problem, activations, gradient)
    name, array = next((name, array) for name, array in roughness._asdict().items() if not np.all(array <= ROUGHNESS))
    entry = np.unravel_index(np.argmax(np.nan_to_num(array, nan=np.inf)), array.shape)
    raise GradcheckError(
        f"the loss has no clear slope in {name}{[int(i) for i in entry]}: two step sizes of the numerical derivative "
        "disagree, on each of several networks. Forward and loss have to be smooth and exact: look for float32, "
        "rounding, randomness (fix its seed) or a step function in them"
    )


def _differentiate_all(functions: Functions, problem: Problem) -> tuple[Parameters, Parameters]:
    moving = Parameters(*(array.copy() for array in problem.params))
    found = [differentiate(lambda: value(functions, moving, problem), array) for array in moving]
    return Parameters(*(values for values, _ in found)), Parameters(*(roughness for _, roughness in found))


def directional_derivatives(functions: Functions, problem: Problem, directions: Parameters) -> list[float]:
    """Return, for each parameter array, the derivative of the loss along a direction; NaN where it is not smooth."""
    found = []
    for name, direction in directions._asdict().items():

        def moved(by: float, name: str = name, direction: FloatArray = direction) -> float:
            params = problem.params._replace(**{name: getattr(problem.params, name) + by * direction})
            return value(functions, params, problem)

        derivative, difference = slope(moved)
        found.append(derivative if difference <= ROUGHNESS * max(abs(derivative), 1e-3) else float("nan"))
    return found


def value(functions: Functions, params: Parameters, problem: Problem) -> float:
    """Return the loss at some parameters."""
    with np.errstate(all="ignore"):
        return float(functions.loss(_logits_of(functions.forward(params, problem.X)), problem.y))


def check_forward_and_loss(functions: Functions, problem: Problem) -> Any:
    """Run forward and loss once, and return what forward returned.

    Raises
    ------
    GradcheckError
        If one of them raises, changes its arguments, gives other values the second time, or returns something else
        than float64 logits (N, C) and a finite number: then they cannot be differentiated.
    """
    params, X, y = problem
    activations = _result(functions.forward, "forward", ("params", "X"), problem, params, X)
    logits = _logits_of(activations)
    if logits is None:
        raise GradcheckError(
            f"forward returned {type(activations).__name__}; expected Activations(Z1, A1, logits, probs)"
        )
    expected = (len(X), len(params.b2))
    if np.shape(logits) != expected:
        raise GradcheckError(f"forward's logits have shape {np.shape(logits)}; expected (N, C) = {expected}")
    _refuse_coarse(logits, "forward's logits are", "float64 parameters", "forward")
    loss = _result(functions.loss, "loss", ("logits", "y"), problem, logits, y)
    if np.shape(loss) != () or not isinstance(loss, float | np.ndarray | np.floating):
        shape = f" of shape {np.shape(loss)}" if np.ndim(loss) else ""
        raise GradcheckError(f"loss returned {type(loss).__name__}{shape}; expected one float, the mean over the batch")
    _refuse_coarse(loss, "loss is", "float64 logits", "loss")
    if not np.isfinite(loss):
        raise GradcheckError(f"loss is {float(loss)} with {problem.sizes} of ordinary size; it must be finite")
    # Not to the last bit: BLAS may round otherwise where an array begins at another address.
    if not np.isclose(value(functions, params, problem), float(loss), rtol=1e-12, atol=1e-12):
        raise GradcheckError(
            "forward and loss give another value when they are called again with the same arguments; a numerical "
            "derivative needs the same one. Is there randomness in them (fix its seed), or do they keep something?"
        )
    return activations


def _logits_of(activations: Any) -> Any:
    # Its field of that name, or the third of four.
    if isinstance(activations, tuple | list) and not hasattr(activations, "logits") and len(activations) == 4:
        return activations[2]
    return getattr(activations, "logits", None)


def _result(function: Function, name: str, names: tuple[str, ...], problem: Problem, *arguments: Any) -> Any:
    called = call(function, names, *arguments)
    what = f"{name}({', '.join(names)}) with {problem.sizes}"
    if called.error is not None:
        text = f"{what} {raised(called.error)}. The check needs both forward and loss to work"
        raise GradcheckError(text) from called.error
    if called.changed:
        raise GradcheckError(f"{what} changes {', '.join(called.changed)}; it has to work on a copy of it")
    return called.result


def _refuse_coarse(result: Any, what: str, given: str, function: str) -> None:
    dtype = np.asarray(result).dtype
    if dtype != np.float64:
        raise GradcheckError(
            f"{what} {dtype} for {given}, too coarse for a numerical derivative; take the cast out of {function}"
        )
