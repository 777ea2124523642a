"""From wrong arrays to the mistake behind them: claimed only where it explains every entry of an array.

Where nothing fits, the report names the first wrong array, counted from the output, since errors travel backwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnkernels.grading.answers import NAMES, Answer
from nnkernels.grading.measured import Measured
from nnkernels.grading.mistakes import Lines, Mistake, answer, explain, recognised, same
from nnkernels.grading.report import Comparison, Finding, compare
from nnkernels.grading.steps import ANOTHER, BACKWARD, SAME
from nnkernels.parameters import FloatArray

WHERE_TO_LOOK = {
    "db2": "db2 is the sum of dlogits over the images: begin with dlogits, where the loss and the logits meet.",
    "dW2": "db2 is right, and so dlogits probably is: look at the product that makes dW2, A1.T @ dlogits.",
    "db1": "dW2 and db2 are right, so the mistake lies between the hidden layer and the output: in dlogits @ W2.T, in "
    "the derivative of the activation, or in the sum over the images.",
    "dW1": "dW2, db2 and db1 are right, and so dZ1 probably is: look at the product that makes dW1, X.T @ dZ1.",
}


@dataclass(frozen=True)
class Case:
    """A batch: its numerical gradient, the right steps to it where they are known, and the learner's answer."""

    measured: Measured
    steps: dict[str, Any] | None
    answer: Answer

    @property
    def images(self) -> int:
        """The batch's N."""
        return len(self.measured.problem.X)

    def compared(self, k: int, tolerance: float) -> Comparison | None:
        """Return an array beside the numerical one, if there is such an array."""
        yours = self.answer.arrays[k]
        return None if yours is None else compare(NAMES[k], yours, self.measured.gradient[k], tolerance)

    def passes(self, k: int, tolerance: float) -> bool:
        """Tell whether an array is right."""
        compared = self.compared(k, tolerance)
        return compared is not None and compared.passed


def diagnose(cases: list[Case], tolerance: float) -> tuple[Finding, ...]:
    """Return what is wrong with the values and shapes of the arrays; each explanation holds in all batches."""
    explained: dict[tuple[str, ...], list[tuple[Mistake, ...]]] = {}
    findings: list[Finding] = []
    rest = []
    for k, name in enumerate(NAMES):
        # Arrays that are no numbers, or not finite, have a finding of their own.
        arrays = [case.answer.arrays[k] for case in cases]
        if not all(array is not None and np.all(np.isfinite(array)) for array in arrays):
            continue
        if all(case.passes(k, tolerance) for case in cases):
            continue
        if found := _explanations(k, cases):
            explained[(name,)] = found
        elif finding := _by_rule(k, cases):
            findings.append(finding)
        else:
            rest.append(name)
    by_catalogue = recognised(explained, BACKWARD.mistakes, lambda mistake, names: _finding(mistake, names, cases[0]))
    if rest:
        findings.append(_not_recognised(rest, cases, tolerance))
    return (*by_catalogue, *findings)


def _explanations(k: int, cases: list[Case]) -> list[tuple[Mistake, ...]]:
    lines = BACKWARD.right[NAMES[k]][0]
    # Of another architecture or another loss, only what holds for all gradients.
    if any(case.steps is None for case in cases):
        lines = {name: lines[name] for name in ("turned", "scaled", "signed")}
    elif not all(case.steps["softmax"] for case in cases if case.steps):
        lines = {name: code for name, code in lines.items() if name != "dlogits"}

    def answers(lines: Lines) -> Iterator[FloatArray | None]:
        for case in cases:
            gradient = case.measured.gradient
            yield answer(lines, case.steps or {"last": gradient[k], "N": case.images, "C": len(gradient.b2)})

    return explain([case.answer.arrays[k] for case in cases], [lines], BACKWARD.mistakes, answers, SAME)


def _finding(mistake: Mistake, names: tuple[str, ...], case: Case) -> Finding:
    steps = case.steps or {"softmax": False, "code": ANOTHER.code}
    finding = mistake.finding(names)
    explanation = finding.explanation.format(N=case.images, C=len(case.measured.gradient.b2))
    (line, *_others) = mistake.forms[0]
    if line in ("dlogits", "scaled", "signed"):
        if len(names) < len(NAMES):
            # What is made of dlogits and right would become wrong with it.
            return Finding(
                finding.mistake, names, f"{explanation} The other arrays do not have it: look at where these are made."
            )
        right = BACKWARD.shown["dlogits"]
    elif line in ("dA1", "dZ1"):
        right = BACKWARD.shown[line]
    else:
        right = "\n".join(BACKWARD.shown[name] for name in names)
    dlogits = "(probs - onehot(y)) / N" if steps["softmax"] else "the derivative of the loss, 1/N included"
    return Finding(finding.mistake, names, explanation, right.format(dlogits=dlogits, slope=steps["code"]))


def _by_rule(k: int, cases: list[Case]) -> Finding | None:
    # Rules that need no knowledge of the network.
    name = NAMES[k]
    yours = [np.asarray(case.answer.arrays[k]) for case in cases]
    right = [case.measured.gradient[k] for case in cases]
    for mine, theirs in zip(yours, right, strict=True):
        if mine.shape != theirs.shape:
            text = f"{name} has shape {mine.shape}; its parameter has {theirs.shape}, and a gradient has the same."
            return Finding("wrong shape", (name,), text)
    ratios = _ratios(yours, right)
    if _is_constant(ratios):
        text = f"{name} is {ratios[0]:.6g} times the right array in every entry: a constant factor is wrong."
        return Finding("constant factor", (name,), text)
    divisors = [case.images / ratio for case, ratio in zip(cases, ratios, strict=False)]
    if _is_constant(divisors):
        text = f"{name} is divided by {divisors[0]:.6g} whatever the batch; divide by the number of its images."
        return Finding("divided by a fixed number", (name,), text, "N = len(X)")
    added = [mine - theirs for mine, theirs in zip(yours, right, strict=True)]
    strengths = _ratios(added, [case.measured.problem.params[k] for case in cases])
    if _is_constant(strengths):
        text = (
            f"{name} is the right gradient plus {strengths[0]:.4g} times the parameter, as of weight decay (L2). The "
            "loss that was given has no such term: add it there too, or leave it to the update."
        )
        return Finding("weight decay that the loss does not have", (name,), text)
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


def _is_constant(values: list[float]) -> bool:
    return bool(values) and max(values) - min(values) <= 1e-4 * abs(values[0])


def _not_recognised(rest: list[str], cases: list[Case], tolerance: float) -> Finding:
    wrong = [name for k, name in enumerate(NAMES) if not all(case.passes(k, tolerance) for case in cases)]
    first = next(name for name in WHERE_TO_LOOK if name in wrong)
    text = "The values fit none of the mistakes that are known here. "
    text += WHERE_TO_LOOK[first] if first in rest else f"Mend {first} first: errors travel from the output backwards."
    right_for = [case.images for case in cases if all(case.passes(k, tolerance) for k in range(4))]
    if right_for:
        wrong_for = [case.images for case in cases if case.images not in right_for]
        text += f" With N = {right_for[0]} everything is right, with N = {wrong_for[0]} it is not."
    return Finding("not recognised", tuple(rest), text)
