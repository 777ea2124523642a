"""Diagnosis of wrong gradients. A mistake is reported only if it explains every entry of an array.

If no known mistake explains an array, the report names the first wrong array, counted from the output, because errors
propagate backwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from nnkernels.grading.backward_call import BACKWARD, NAMES, BackwardResult
from nnkernels.grading.calls import as_floats
from nnkernels.grading.lines import Lines, final_value, is_close
from nnkernels.grading.mistakes import Attempt, Mistake
from nnkernels.grading.numerical_gradient import Functions, NumericalGradient, differentiate, richardson
from nnkernels.grading.report import ArrayCheck, Finding, compare
from nnkernels.parameters import FloatArray

# Numerical derivatives have errors of about 1e-11, and a backward pass in float32 of about 1e-7.
TOLERANCE = 2e-6


class Activation(NamedTuple):
    """An activation function.

    Attributes
    ----------
    function : callable
        The function of Z1.
    slope_of : callable
        Its derivative, as a function of its output A1.
    code : str
        The code of the derivative, to show to the learner.
    """

    function: Callable[[FloatArray], FloatArray]
    slope_of: Callable[[FloatArray], Any]
    code: str


RELU = Activation(lambda Z1: np.maximum(Z1, 0), lambda A1: A1 > 0, "(Z1 > 0)")
TANH = Activation(np.tanh, lambda A1: 1 - A1**2, "(1 - A1**2)")
SIGMOID = Activation(lambda Z1: (1 + np.tanh(Z1 / 2)) / 2, lambda A1: A1 * (1 - A1), "A1 * (1 - A1)")
UNKNOWN_ACTIVATION = Activation(lambda Z1: Z1 * np.nan, lambda A1: A1 * np.nan, "f'(Z1)")


@dataclass(frozen=True)
class Case:
    """A batch with its numerical gradient and the learner's result.

    Attributes
    ----------
    reference : NumericalGradient
        The problem and its numerical gradient.
    steps : dict or None
        The intermediate values of :func:`reference_steps`; None if the network has another architecture.
    result : BackwardResult
        What the learner's backward pass returned.
    """

    reference: NumericalGradient
    steps: dict[str, Any] | None
    result: BackwardResult

    @property
    def images(self) -> int:
        """The number of images in the batch."""
        return len(self.reference.problem.X)

    def compared(self, k: int, tolerance: float) -> ArrayCheck | None:
        """Compare one of the learner's arrays with the numerical gradient.

        Parameters
        ----------
        k : int
            The index of the array in dW1, db1, dW2, db2.
        tolerance : float
            The largest relative error that passes.

        Returns
        -------
        check : ArrayCheck or None
            None if there is no array.
        """
        yours = self.result.arrays[k]
        return None if yours is None else compare(NAMES[k], yours, self.reference.gradient[k], tolerance)

    def passes(self, k: int, tolerance: float) -> bool:
        """Return whether one of the learner's arrays is right.

        Parameters
        ----------
        k : int
            The index of the array in dW1, db1, dW2, db2.
        tolerance : float
            The largest relative error that passes.

        Returns
        -------
        passes : bool
            False if there is no array.
        """
        compared = self.compared(k, tolerance)
        return compared is not None and compared.passed


def diagnose(cases: list[Case], tolerance: float) -> tuple[Finding, ...]:
    """Diagnose wrong values and shapes. Each explanation holds in all batches.

    Parameters
    ----------
    cases : list of Case
        The batches.
    tolerance : float
        The largest relative error that passes.

    Returns
    -------
    findings : tuple of Finding
        Empty if all arrays are right.
    """
    attempts: dict[tuple[str, ...], Attempt] = {}
    for k, name in enumerate(NAMES):
        yours = [case.result.arrays[k] for case in cases]
        # Values that are not numbers, or not finite, already have a finding.
        finite = all(array is not None and np.all(np.isfinite(array)) for array in yours)
        if finite and not all(case.passes(k, tolerance) for case in cases):
            attempts[(name,)] = Attempt(yours, [_right_lines(k, cases)], partial(_computed_arrays, k, cases))
    findings = BACKWARD.recognise(attempts, TOLERANCE, lambda mistake, names: _finding(mistake, names, cases[0]))
    explained = {name for finding in findings for name in finding.arrays}
    unexplained = []
    for name in (name for names in attempts for name in names if name not in explained):
        if finding := _by_rule(NAMES.index(name), cases):
            findings += (finding,)
        else:
            unexplained.append(name)
    return (*findings, _not_recognised(unexplained, cases, tolerance)) if unexplained else findings


def _right_lines(k: int, cases: list[Case]) -> Lines:
    lines = BACKWARD.right[NAMES[k]][0]
    # For another architecture or loss, use only the lines that apply to any gradient.
    if any(case.steps is None for case in cases):
        return {name: lines[name] for name in ("transposed", "scaled", "signed")}
    if all(case.steps["softmax"] for case in cases if case.steps):
        return lines
    return {name: code for name, code in lines.items() if name != "dlogits"}


def _computed_arrays(k: int, cases: list[Case], lines: Lines) -> Iterator[FloatArray | None]:
    for case in cases:
        gradient = case.reference.gradient
        yield final_value(lines, case.steps or {"last": gradient[k], "N": case.images, "C": len(gradient.b2)})


def _finding(mistake: Mistake, names: tuple[str, ...], case: Case) -> Finding:
    steps = case.steps or {"softmax": False, "code": UNKNOWN_ACTIVATION.code}
    fields = {"N": case.images, "C": len(case.reference.gradient.b2), "slope": steps["code"]}
    fields["dlogits"] = "(probs - onehot(y)) / N" if steps["softmax"] else "the derivative of the loss, including 1/N"
    line = next(iter(mistake.forms[0]))
    line = {"scaled": "dlogits", "signed": "dlogits"}.get(line, line)
    if line == "dlogits" and len(names) < len(NAMES):
        # Correcting dlogits would spoil the arrays that are already right.
        finding = mistake.finding(names, **fields)
        return replace(finding, explanation=f"{finding.explanation} {BACKWARD.hints['elsewhere']}")
    shown = (line,) if line in ("dlogits", "dA1", "dZ1") else names
    return mistake.finding(names, "\n".join(BACKWARD.shown[one] for one in shown), **fields)


def _by_rule(k: int, cases: list[Case]) -> Finding | None:
    # These rules apply to any network.
    name = NAMES[k]
    yours = [np.asarray(case.result.arrays[k]) for case in cases]
    right = [case.reference.gradient[k] for case in cases]
    for actual, expected in zip(yours, right, strict=True):
        if actual.shape != expected.shape:
            return BACKWARD.finding("wrong shape", (name,), name=name, shape=actual.shape, expected=expected.shape)
    differences = [actual - expected for actual, expected in zip(yours, right, strict=True)]
    found = {"constant factor": _ratios(yours, right)}
    ratios = zip(cases, found["constant factor"], strict=False)
    found["divided by a fixed number"] = [case.images / ratio for case, ratio in ratios]
    params = [case.reference.problem.params[k] for case in cases]
    found["weight decay that the loss does not have"] = _ratios(differences, params)
    for mistake, numbers in found.items():
        if numbers and max(numbers) - min(numbers) <= 1e-4 * abs(numbers[0]):
            return BACKWARD.finding(mistake, (name,), name=name, number=f"{numbers[0]:.6g}")
    return None


def _ratios(yours: list[FloatArray], right: list[FloatArray]) -> list[float]:
    """Return the constant ratio of each pair of arrays; empty if the ratio of a pair is not constant."""
    ratios = []
    for actual, expected in zip(yours, right, strict=True):
        square = float(np.vdot(expected, expected))
        # A smaller square is zero apart from rounding.
        ratio = float(np.vdot(expected, actual)) / square if square > 1e-20 else 0.0
        if abs(ratio) <= TOLERANCE or not is_close(actual, ratio * expected, TOLERANCE):
            return []
        ratios.append(ratio)
    return ratios


def _not_recognised(unexplained: list[str], cases: list[Case], tolerance: float) -> Finding:
    wrong = [name for k, name in enumerate(NAMES) if not all(case.passes(k, tolerance) for case in cases)]
    first = next(name for name in BACKWARD.hints if name in wrong)
    hint = f"Fix {first} first: errors propagate backwards from the output."
    if first in unexplained:
        hint = BACKWARD.hints[first]
    right_for = [case.images for case in cases if all(case.passes(k, tolerance) for k in range(4))]
    if right_for:
        wrong_for = [case.images for case in cases if case.images not in right_for]
        hint += f" Everything is right for N = {right_for[0]} and wrong for N = {wrong_for[0]}."
    return BACKWARD.finding("not recognised", tuple(unexplained), hint=hint)


def reference_steps(functions: Functions, reference: NumericalGradient) -> dict[str, Any] | None:
    """Return the intermediate values of the backward pass of a network ``X W1 + b1 -> f -> A1 W2 + b2 -> loss``.

    Parameters
    ----------
    functions : Functions
        The functions of the network.
    reference : NumericalGradient
        The problem and its numerical gradient.

    Returns
    -------
    steps : dict of str to object, or None
        The values that the lines of ``backward.toml`` use. They include ``dlogits`` (the numerical derivative of the
        loss), ``slopes`` (dA1/dZ1) and ``softmax`` (whether dlogits is ``(probs - onehot) / N``). None if the network
        has another architecture, so that these lines do not give its gradient.
    """
    params, X, y = reference.problem
    N, H, C = len(X), len(params.b1), len(params.b2)
    values: dict[str, FloatArray | None] = {}
    for name, shape in {"Z1": (N, H), "A1": (N, H), "logits": (N, C), "probs": (N, C)}.items():
        array, _finding = as_floats(name, getattr(reference.activations, name, None))
        values[name] = array if array is not None and array.shape == shape else None
    Z1, A1, logits, probs = values.values()
    if Z1 is None or A1 is None or logits is None:
        return None
    onehot = np.eye(C)[y]
    perturbed_logits = logits.copy()
    dlogits, _roughness = differentiate(lambda: float(functions.loss(perturbed_logits, y)), perturbed_logits)

    def hidden(by: float) -> FloatArray:
        # Adding h to b1 adds h to every Z1, so the derivative of A1 by h is f'(Z1).
        return np.asarray(functions.forward(params._replace(b1=params.b1 + by), X).A1, np.float64)

    with np.errstate(all="ignore"):
        slopes, _difference = richardson(hidden)
    activation = next(
        (one for one in (RELU, TANH, SIGMOID) if is_close(A1, one.function(Z1), TOLERANCE)), UNKNOWN_ACTIVATION
    )
    softmax = probs is not None and is_close((probs - onehot) / N, dlogits, TOLERANCE)
    steps = {**values, "X": X, "y": y, "N": N, "C": C, "W2": params.W2, "onehot": onehot, **activation._asdict()}
    steps |= {"dlogits": dlogits, "slopes": slopes, "relu": activation is RELU, "softmax": softmax}
    rebuilt = (final_value(BACKWARD.right[name][0], steps) for name in NAMES)
    matches = (is_close(*pair, TOLERANCE) for pair in zip(rebuilt, reference.gradient, strict=True))
    return steps if all(matches) else None
