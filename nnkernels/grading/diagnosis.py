"""From wrong arrays to the mistake behind them: claimed only where it explains every entry of an array.

Where nothing fits, the report names the first wrong array, counted from the output, since errors travel backwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from nnkernels.grading.calls import BACKWARD, NAMES, Returned, as_floats
from nnkernels.grading.measured import Functions, Measured, differentiate, slope
from nnkernels.grading.mistakes import Judged, Lines, Mistake, answer, same
from nnkernels.grading.report import ArrayCheck, Finding, compare
from nnkernels.parameters import FloatArray

# The numerical derivatives have errors of 1e-11; a backward pass in float32 has errors of 1e-7.
SAME = 2e-6


class Activation(NamedTuple):
    """An activation function, its derivative in terms of its output, and the code of that."""

    function: Callable[[FloatArray], FloatArray]
    slope_of: Callable[[FloatArray], Any]
    code: str


RELU = Activation(lambda Z1: np.maximum(Z1, 0), lambda A1: A1 > 0, "(Z1 > 0)")
TANH = Activation(np.tanh, lambda A1: 1 - A1**2, "(1 - A1**2)")
SIGMOID = Activation(lambda Z1: (1 + np.tanh(Z1 / 2)) / 2, lambda A1: A1 * (1 - A1), "A1 * (1 - A1)")
ANOTHER = Activation(lambda Z1: Z1 * np.nan, lambda A1: A1 * np.nan, "f'(Z1)")


@dataclass(frozen=True)
class Case:
    """A batch: its numerical gradient, the right steps to it where they are known, and the learner's answer."""

    measured: Measured
    steps: dict[str, Any] | None
    answer: Returned

    @property
    def images(self) -> int:
        """The batch's N."""
        return len(self.measured.problem.X)

    def compared(self, k: int, tolerance: float) -> ArrayCheck | None:
        """Return an array beside the numerical one, if there is such an array."""
        yours = self.answer.arrays[k]
        return None if yours is None else compare(NAMES[k], yours, self.measured.gradient[k], tolerance)

    def passes(self, k: int, tolerance: float) -> bool:
        """Tell whether an array is right."""
        compared = self.compared(k, tolerance)
        return compared is not None and compared.passed


def diagnose(cases: list[Case], tolerance: float) -> tuple[Finding, ...]:
    """Return what is wrong with the values and shapes of the arrays; each explanation holds in all batches."""
    judged: dict[tuple[str, ...], Judged] = {}
    for k, name in enumerate(NAMES):
        yours = [case.answer.arrays[k] for case in cases]
        # Arrays that are no numbers, or not finite, have a finding of their own.
        finite = all(array is not None and np.all(np.isfinite(array)) for array in yours)
        if finite and not all(case.passes(k, tolerance) for case in cases):
            judged[(name,)] = Judged(yours, [_right_lines(k, cases)], partial(_answers, k, cases))
    findings = BACKWARD.recognised(judged, SAME, lambda mistake, names: _finding(mistake, names, cases[0]))
    explained = {name for finding in findings for name in finding.arrays}
    rest = []
    for name in (name for names in judged for name in names if name not in explained):
        if finding := _by_rule(NAMES.index(name), cases):
            findings += (finding,)
        else:
            rest.append(name)
    return (*findings, _not_recognised(rest, cases, tolerance)) if rest else findings


def _right_lines(k: int, cases: list[Case]) -> Lines:
    lines = BACKWARD.right[NAMES[k]][0]
    # Of another architecture or another loss, only what holds for all gradients.
    if any(case.steps is None for case in cases):
        return {name: lines[name] for name in ("turned", "scaled", "signed")}
    if all(case.steps["softmax"] for case in cases if case.steps):
        return lines
    return {name: code for name, code in lines.items() if name != "dlogits"}


def _answers(k: int, cases: list[Case], lines: Lines) -> Iterator[FloatArray | None]:
    for case in cases:
        gradient = case.measured.gradient
        yield answer(lines, case.steps or {"last": gradient[k], "N": case.images, "C": len(gradient.b2)})


def _finding(mistake: Mistake, names: tuple[str, ...], case: Case) -> Finding:
    steps = case.steps or {"softmax": False, "code": ANOTHER.code}
    fields = {"N": case.images, "C": len(case.measured.gradient.b2), "slope": steps["code"]}
    fields["dlogits"] = "(probs - onehot(y)) / N" if steps["softmax"] else "the derivative of the loss, 1/N included"
    line = next(iter(mistake.forms[0]))
    line = {"scaled": "dlogits", "signed": "dlogits"}.get(line, line)
    if line == "dlogits" and len(names) < len(NAMES):
        # What is made of dlogits and right would become wrong with it.
        finding = mistake.finding(names, **fields)
        return replace(finding, explanation=f"{finding.explanation} {BACKWARD.hints['elsewhere']}")
    shown = (line,) if line in ("dlogits", "dA1", "dZ1") else names
    return mistake.finding(names, "\n".join(BACKWARD.shown[one] for one in shown), **fields)


def _by_rule(k: int, cases: list[Case]) -> Finding | None:
    # Rules that need no knowledge of the network.
    name = NAMES[k]
    yours = [np.asarray(case.answer.arrays[k]) for case in cases]
    right = [case.measured.gradient[k] for case in cases]
    for mine, theirs in zip(yours, right, strict=True):
        if mine.shape != theirs.shape:
            return BACKWARD.finding("wrong shape", (name,), name=name, shape=mine.shape, expected=theirs.shape)
    added = [mine - theirs for mine, theirs in zip(yours, right, strict=True)]
    found = {"constant factor": _ratios(yours, right)}
    ratios = zip(cases, found["constant factor"], strict=False)
    found["divided by a fixed number"] = [case.images / ratio for case, ratio in ratios]
    params = [case.measured.problem.params[k] for case in cases]
    found["weight decay that the loss does not have"] = _ratios(added, params)
    for mistake, numbers in found.items():
        if numbers and max(numbers) - min(numbers) <= 1e-4 * abs(numbers[0]):
            return BACKWARD.finding(mistake, (name,), name=name, number=f"{numbers[0]:.6g}")
    return None


def _ratios(yours: list[FloatArray], right: list[FloatArray]) -> list[float]:
    """Return the one factor between each pair of arrays; empty if a pair has none."""
    ratios = []
    for mine, theirs in zip(yours, right, strict=True):
        square = float(np.vdot(theirs, theirs))
        ratio = float(np.vdot(theirs, mine)) / square if square > 1e-20 else 0.0  # else zero but for rounding
        if abs(ratio) <= SAME or not same(mine, ratio * theirs, SAME):
            return []
        ratios.append(ratio)
    return ratios


def _not_recognised(rest: list[str], cases: list[Case], tolerance: float) -> Finding:
    wrong = [name for k, name in enumerate(NAMES) if not all(case.passes(k, tolerance) for case in cases)]
    first = next(name for name in BACKWARD.hints if name in wrong)
    hint = BACKWARD.hints[first] if first in rest else f"Mend {first} first: errors travel from the output backwards."
    right_for = [case.images for case in cases if all(case.passes(k, tolerance) for k in range(4))]
    if right_for:
        wrong_for = [case.images for case in cases if case.images not in right_for]
        hint += f" With N = {right_for[0]} everything is right, with N = {wrong_for[0]} it is not."
    return BACKWARD.finding("not recognised", tuple(rest), hint=hint)


def right_steps(functions: Functions, measured: Measured) -> dict[str, Any] | None:
    """Return what the lines of the backward pass read, by name, in ``X W1 + b1 -> f -> A1 W2 + b2 -> loss``.

    That is ``dlogits`` (the numerical derivative of the loss), ``slopes`` (that of A1 by Z1), ``softmax`` (whether
    dlogits is ``(probs - onehot) / N``) and more; None for a network that is built otherwise, whose gradient differs.
    """
    params, X, y = measured.problem
    N, H, C = len(X), len(params.b1), len(params.b2)
    values: dict[str, FloatArray | None] = {}
    for name, shape in {"Z1": (N, H), "A1": (N, H), "logits": (N, C), "probs": (N, C)}.items():
        array, _finding = as_floats(name, getattr(measured.activations, name, None))
        values[name] = array if array is not None and array.shape == shape else None
    Z1, A1, logits, probs = values.values()
    if Z1 is None or A1 is None or logits is None:
        return None
    onehot = np.eye(C)[y]
    moving = logits.copy()
    dlogits, _roughness = differentiate(lambda: float(functions.loss(moving, y)), moving)

    def hidden(by: float) -> FloatArray:
        # b1 moves every Z1 of its column by as much, and so the columns of A1 by f'.
        return np.asarray(functions.forward(params._replace(b1=params.b1 + by), X).A1, np.float64)

    with np.errstate(all="ignore"):
        slopes, _difference = slope(hidden)
    activation = next((one for one in (RELU, TANH, SIGMOID) if same(A1, one.function(Z1), SAME)), ANOTHER)
    softmax = probs is not None and same((probs - onehot) / N, dlogits, SAME)
    steps = {**values, "X": X, "y": y, "N": N, "C": C, "W2": params.W2, "onehot": onehot, **activation._asdict()}
    steps |= {"dlogits": dlogits, "slopes": slopes, "relu": activation is RELU, "softmax": softmax}
    rebuilt = (answer(BACKWARD.right[name][0], steps) for name in NAMES)
    return steps if all(same(*pair, SAME) for pair in zip(rebuilt, measured.gradient, strict=True)) else None
