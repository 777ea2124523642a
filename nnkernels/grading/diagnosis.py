"""From wrong arrays to the mistake behind them: claimed only where it explains every entry of an array.

The arrays that each classic mistake would give are built from the network at hand, and compared. Where nothing fits,
the report names the first wrong array, counted from the output, since errors travel backwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from nnkernels.grading.answers import NAMES
from nnkernels.grading.candidates import MOST_MISTAKES, candidates, wrong_factors
from nnkernels.grading.measured import Measured
from nnkernels.grading.mistakes import DLOGITS, RESULT_TRANSPOSED, Mistake
from nnkernels.grading.pieces import SAME, Pieces, same
from nnkernels.grading.report import Finding, compare
from nnkernels.parameters import FloatArray, Parameters

# Explanations of one array that are as simple as each other; more than a few are no explanation.
MOST_ALTERNATIVES = 4
# Sum of the squares of an array that is zero but for rounding.
VANISHING = 1e-20

WHERE_TO_LOOK = {
    "db2": "db2 is the sum of dlogits over the images: begin with dlogits, where the loss and the logits meet.",
    "dW2": "db2 is right, and so dlogits probably is: look at the product that makes dW2, A1.T @ dlogits.",
    "db1": "dW2 and db2 are right, so the mistake lies between the hidden layer and the output: in dlogits @ W2.T, in "
    "the derivative of the activation, or in the sum over the images.",
    "dW1": "dW2, db2 and db1 are right, and so dZ1 probably is: look at the product that makes dW1, X.T @ dZ1.",
}
FROM_THE_OUTPUT = tuple(WHERE_TO_LOOK)
RIGHT_FORMS = {
    "dW1": "dW1 = X.T @ dZ1",
    "db1": "db1 = dZ1.sum(axis=0)",
    "dW2": "dW2 = A1.T @ dlogits",
    "db2": "db2 = dlogits.sum(axis=0)",
}


@dataclass(frozen=True)
class Case:
    """A batch: its numerical gradient, the steps of the right backward pass where they are known, and your answer."""

    measured: Measured
    pieces: Pieces | None
    yours: tuple[FloatArray | None, ...]

    @property
    def gradient(self) -> Parameters:
        """The numerical gradient."""
        return self.measured.gradient

    @property
    def images(self) -> int:
        """The batch's N."""
        return len(self.measured.problem.X)


def diagnose(cases: list[Case], tolerance: float) -> tuple[Finding, ...]:
    """Return what is wrong with the values and shapes of the arrays; each explanation holds in all batches."""
    wrong = [k for k in range(4) if _is_wrong(k, cases, tolerance)]
    explained = {k: found for k in wrong if (found := _explanations(k, cases))}
    findings = _recognised(explained, cases[0]) if explained else []
    rest = []
    for k in wrong:
        if k not in explained:
            finding = _by_rule(k, cases)
            if finding is None:
                rest.append(NAMES[k])
            else:
                findings.append(finding)
    if rest:
        findings.append(_not_recognised(rest, cases, tolerance))
    return tuple(findings)


def _is_wrong(k: int, cases: list[Case], tolerance: float) -> bool:
    # Arrays that are no numbers, or not finite, have a finding of their own.
    yours = [case.yours[k] for case in cases]
    if not all(array is not None and np.all(np.isfinite(array)) for array in yours):
        return False
    return not all(_passes(k, case, tolerance) for case in cases)


def _passes(k: int, case: Case, tolerance: float) -> bool:
    array = case.yours[k]
    return array is not None and compare(NAMES[k], array, case.gradient[k], tolerance).passed


def _explanations(k: int, cases: list[Case]) -> list[frozenset[Mistake]]:
    surviving: set[frozenset[Mistake]] | None = None
    for case in cases:
        found = set(_fitting(k, case))
        surviving = found if surviving is None else surviving & found
    surviving = (surviving or set()) - {frozenset()}
    fewest = min(map(len, surviving), default=0)
    simplest = sorted((found for found in surviving if len(found) == fewest), key=sorted)
    return simplest if len(simplest) <= MOST_ALTERNATIVES else []


def _fitting(k: int, case: Case) -> Iterator[frozenset[Mistake]]:
    yours, right = case.yours[k], case.gradient[k]
    if yours is None:
        return
    if case.pieces is not None:
        tried = candidates(NAMES[k], case.pieces)
    elif right.ndim == 2:  # another architecture: only what holds for all gradients
        tried = iter([((), right), ((RESULT_TRANSPOSED,), right.T)])
    else:
        tried = iter([((), right)])
    factors = wrong_factors(case.images, len(case.gradient.b2))
    for mistakes, array in tried:
        if array.shape != yours.shape:
            continue
        ratio = _ratio(yours, array)
        if ratio is None:
            if same(yours, array):  # zero, and so is the candidate
                yield frozenset(mistakes)
            continue
        for more, factor in factors:
            if abs(ratio - factor) <= SAME * abs(factor) and len(mistakes + more) <= MOST_MISTAKES:
                yield frozenset(mistakes + more)


def _recognised(explained: dict[int, list[frozenset[Mistake]]], case: Case) -> list[Finding]:
    # One explanation for each array, so that together they need the fewest mistakes.
    choices = [dict(zip(explained, chosen, strict=True)) for chosen in product(*explained.values())]
    fewest = min(len(_all(choice)) for choice in choices)
    best = {_all(choice): choice for choice in choices if len(_all(choice)) == fewest}
    certain = frozenset.intersection(*best)
    first = next(iter(best.values()))
    findings = [_finding(mistake, first, case) for mistake in _by_place(certain, first)]
    if len(best) > 1:
        alternatives = [
            [_finding(mistake, choice, case) for mistake in sorted(chosen - certain)] for chosen, choice in best.items()
        ]
        findings.append(
            Finding(
                " or ".join(" and ".join(finding.mistake for finding in findings) for findings in alternatives),
                alternatives[0][0].arrays,
                "The values fit more than one mistake. Either: "
                + " Or: ".join(" ".join(finding.explanation for finding in findings) for findings in alternatives),
            )
        )
    return findings


def _all(choice: dict[int, frozenset[Mistake]]) -> frozenset[Mistake]:
    return frozenset().union(*choice.values())


def _by_place(mistakes: frozenset[Mistake], choice: dict[int, frozenset[Mistake]]) -> list[Mistake]:
    # What shows in most arrays happened nearest to the output.
    return sorted(mistakes, key=lambda mistake: (-sum(mistake in found for found in choice.values()), mistake))


def _finding(mistake: Mistake, choice: dict[int, frozenset[Mistake]], case: Case) -> Finding:
    names = tuple(NAMES[k] for k, found in choice.items() if mistake in found)
    pieces = case.pieces
    softmax = pieces is not None and pieces.is_softmax_cross_entropy
    slopes = {"relu": "(Z1 > 0)", "tanh": "(1 - A1**2)", "sigmoid": "A1 * (1 - A1)"}
    values = {
        "forms": "\n".join(RIGHT_FORMS[name] for name in names),
        "N": case.images,
        "C": len(case.gradient.b2),
        "dlogits": "(probs - onehot(y)) / N" if softmax else "the derivative of the loss, 1/N included",
        "slope": slopes.get(pieces.activation if pieces else "", "f'(Z1)"),
    }
    explanation, right = mistake.explanation.format(**values), mistake.right.format(**values)
    if mistake.right == DLOGITS and len(names) < len(NAMES):
        # What is made of dlogits and right would become wrong with it.
        return Finding(
            mistake.name, names, f"{explanation} The other arrays do not have it: look at where these are made."
        )
    return Finding(mistake.name, names, explanation, right)


def _by_rule(k: int, cases: list[Case]) -> Finding | None:
    # Rules that need no knowledge of the network.
    return _wrong_shape(k, cases) or _wrong_factor(k, cases) or _weight_decay(k, cases)


def _wrong_shape(k: int, cases: list[Case]) -> Finding | None:
    for case in cases:
        yours, right = case.yours[k], case.gradient[k]
        if yours is not None and yours.shape != right.shape:
            text = f"{NAMES[k]} has shape {yours.shape}; its parameter has {right.shape}, and a gradient has the same."
            return Finding("wrong shape", (NAMES[k],), text)
    return None


def _wrong_factor(k: int, cases: list[Case]) -> Finding | None:
    found = [_ratio(case.yours[k], case.gradient[k]) for case in cases]
    ratios = [ratio for ratio in found if ratio]
    if len(ratios) < len(cases):
        return None
    if _is_constant(ratios):
        text = f"{NAMES[k]} is {ratios[0]:.6g} times the right array in every entry: a constant factor is wrong."
        return Finding("constant factor", (NAMES[k],), text)
    divisors = [case.images / ratio for case, ratio in zip(cases, ratios, strict=True)]
    if _is_constant(divisors):
        text = f"{NAMES[k]} is divided by {divisors[0]:.6g} whatever the batch; divide by the number of its images."
        return Finding("divided by a fixed number", (NAMES[k],), text, "N = len(X)")
    return None


def _weight_decay(k: int, cases: list[Case]) -> Finding | None:
    found = []
    for case in cases:
        yours = case.yours[k]
        if yours is not None:
            found.append(_ratio(yours - case.gradient[k], case.measured.problem.params[k]))
    strengths = [strength for strength in found if strength]
    if len(strengths) < len(cases) or not _is_constant(strengths):
        return None
    text = (
        f"{NAMES[k]} is the right gradient plus {strengths[0]:.4g} times the parameter, as of weight decay (L2). The "
        "loss that was given has no such term: add it there too, or leave it to the update."
    )
    return Finding("weight decay that the loss does not have", (NAMES[k],), text)


def _is_constant(values: list[float]) -> bool:
    return max(values) - min(values) <= 1e-4 * abs(values[0])


def _ratio(yours: FloatArray | None, right: FloatArray) -> float | None:
    # The one factor between two arrays, if there is one.
    square = float(np.vdot(right, right))
    if yours is None or yours.shape != right.shape or square < VANISHING:
        return None
    ratio = float(np.vdot(right, yours)) / square
    return ratio if same(yours, ratio * right) and abs(ratio) > SAME else None


def _not_recognised(rest: list[str], cases: list[Case], tolerance: float) -> Finding:
    first = next(
        name for name in FROM_THE_OUTPUT if not all(_passes(NAMES.index(name), case, tolerance) for case in cases)
    )
    text = "The values fit none of the mistakes that are known here. "
    if first in rest:
        text += WHERE_TO_LOOK[first]
    else:
        text += f"Mend {first} first: errors travel from the output backwards."
    right_for = [case.images for case in cases if all(_passes(k, case, tolerance) for k in range(4))]
    if right_for:
        wrong_for = [case.images for case in cases if case.images not in right_for]
        text += f" With N = {right_for[0]} everything is right, with N = {wrong_for[0]} it is not."
    return Finding("not recognised", tuple(rest), text)
